"""Jobs that fail on real glideins, with the router and the factory as daemons: told, mended, retried, or given up."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pool_backend
import pytest
from organisation import LIVELY, Organisation, at_work, settled, storing, until

from router.model.cause import Cure
from router.model.job import JobGroup, JobState
from router.wiring import store

pytestmark = pytest.mark.pool

ENTRY = {"cpus": 1, "memory": "300 MB", "disk": "1 GB", "walltime": "1 h", "idle": "10 min", "max_glideins": 2}
SETTINGS = {**LIVELY, "retry": {"tries": 2, "delay": "3 s"}}

PROGRAMS = {
    "faulty": "exit 3",
    "hungry": 'if grep -q "^RequestMemory = 128$" "$_CONDOR_JOB_AD"; then kill -KILL $$; fi',
    "picky": 'test "$(cat $RUNS | wc -l)" -gt 1 || no-such-command',
    "shaken": 'test "$(cat $RUNS | wc -l)" -gt 1 || kill -TERM $$',
    "hopeless": "kill -TERM $$",
    "careless": "echo '{}' > out.json",
}
"""What each task runs, after it has noted when and where."""


@dataclass(frozen=True)
class Tasks:
    """A task for each program, all in the queue together."""

    organisation: Organisation
    folder: Path
    ids: dict[str, str]

    def group(self, name: str) -> JobGroup | None:
        """Its only job, while it is in the queue."""
        groups = self.organisation.live.as_user("router").jobs()
        return next((group for group in groups if group.task == self.ids[name]), None)

    def runs(self, name: str) -> list[tuple[float, str]]:
        """When and where it ran."""
        lines = (self.folder / f"{name}.runs").read_text().splitlines()
        return [(float(when), site) for when, site in (line.split() for line in lines)]

    def finished(self, name: str) -> bool:
        """Whether it ended well."""
        return bool(self.organisation.run("status", self.ids[name], "--json").json["counts"].get("finished"))

    def given_up(self, name: str) -> bool:
        """Whether the router has given it up."""
        group = self.group(name)
        return bool(group and group.remedy and group.remedy.cure is Cure.NONE and group.remedy.hold == group.holds)

    def decisions(self, name: str) -> list[str]:
        """What the log says was done."""
        memory = store(self.organisation.settings)
        try:
            return [record.kind for record in memory.of_task(self.ids[name]) if record.outcome == "applied"]
        finally:
            memory.close()


@pytest.fixture(scope="module")
def tasks(live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tasks]:
    home = tmp_path_factory.mktemp("retries")
    sites = storing(home, "SITE_A", "SITE_B", entry=ENTRY)
    mine = settled(live_pool, home, {**SETTINGS, "sites": sites})
    with at_work(mine):
        yield Tasks(mine, home, {name: submit(mine, name, program) for name, program in PROGRAMS.items()})


def submit(organisation: Organisation, name: str, program: str) -> str:
    runs = organisation.home / f"{name}.runs"
    runs.touch()
    runs.chmod(0o666)
    script = organisation.home / f"{name}.sh"
    script.write_text(f'#!/bin/sh\nRUNS={runs}\necho "$(date +%s.%N) $GLIDEIN_Site" >> $RUNS\n{program}\n')
    payload = organisation.home / f"{name}.yaml"
    requests = {"memory": "128 MB", "disk": "10 MB", "walltime": "5 min"}
    outputs = {"jobs": 2, "outputs": [{"name": "out.json"}]} if name == "careless" else {}
    payload.write_text(json.dumps({"name": name, "executable": script.name, "requests": requests, **outputs}))
    answer = organisation.run("submit", payload, "--json")
    assert answer.code == 0, answer.err
    return str(answer.json["task"])


def test_a_fault_of_the_program_is_told_and_not_retried(tasks: Tasks) -> None:
    until(lambda: tasks.given_up("faulty"), 60)
    group = tasks.group("faulty")
    assert group and (group.state, group.hold_subcode, group.holds) == (JobState.HELD, 72, 1)
    shown = tasks.organisation.run("status", tasks.ids["faulty"]).out
    assert "not retried, for another try would fail alike" in shown
    assert "faulty.sh ended with exit code 3" in shown
    why = tasks.organisation.run("why", tasks.ids["faulty"]).out
    assert "give-up (applied)" in why
    assert len(tasks.runs("faulty")) == 1


def test_a_job_that_ran_out_of_memory_gets_more_and_ends_well(tasks: Tasks) -> None:
    until(lambda: tasks.finished("hungry"), 60)
    assert len(tasks.runs("hungry")) == 2
    assert tasks.decisions("hungry") == ["place", "retry", "mend"]
    assert tasks.organisation.run("status", tasks.ids["hungry"], "--json").json["retried"] == 1


def test_what_may_be_the_sites_fault_is_retried_at_another_site(tasks: Tasks) -> None:
    until(lambda: tasks.finished("picky"), 60)
    (_, first), (_, second) = tasks.runs("picky")
    assert {first, second} == {"SITE_A", "SITE_B"}
    assert tasks.decisions("picky") == ["place", "retry", "mend", "place"]


def test_what_passes_by_itself_is_retried_after_a_delay(tasks: Tasks) -> None:
    until(lambda: tasks.finished("shaken"), 60)
    (first, _), (second, _) = tasks.runs("shaken")
    assert second - first >= 3


def test_limits_end_the_retries(tasks: Tasks) -> None:
    until(lambda: tasks.given_up("hopeless"), 60)
    group = tasks.group("hopeless")
    assert group and group.remedy and (group.holds, group.remedy.tries) == (3, 2)
    assert len(tasks.runs("hopeless")) == 3
    assert "it has been retried 2 time(s)" in tasks.organisation.run("status", tasks.ids["hopeless"]).out


def test_a_finished_job_whose_output_was_lost_is_made_again_and_only_that(tasks: Tasks) -> None:
    task, run = tasks.ids["careless"], tasks.organisation.run

    def outputs() -> dict[str, Path]:
        return {path.stem: path for path in tasks.folder.glob(f"SITE_?/user/alice/{task}/out_*.json")}

    def registered() -> bool:
        return run("results", task, "--json").code == 0 and len(run("ls", f"/user/alice/{task}", "--json").json) == 2

    until(registered, 60)
    assert "0 finished job(s) have lost their outputs" in run("retry", task, "--lost").out
    outputs()["out_0001"].unlink()
    assert run("retry", task, "--lost", "--json").json["lost"] == ["0001"]
    until(lambda: "out_0001" in outputs() and registered(), 60)
    assert len(tasks.runs("careless")) == 3
    found = run("status", task, "--json").json
    assert (found["counts"], found["done"], found["lost"]) == ({"finished": 2}, True, 0)  # type: ignore[index]
