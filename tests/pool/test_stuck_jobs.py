"""A job that hangs on a real glidein is stopped and starts anew at another site; one that writes runs on.

The router is killed meanwhile, and the one after it goes on counting.
"""

import json
import subprocess
import time
from collections.abc import Iterator

import pool_backend
import pytest
from organisation import LIVELY, Organisation, at_work, daemon, settled, until

from router.model.attempt import Activity
from router.model.job import JobGroup
from router.wiring import store

pytestmark = [pytest.mark.pool, pytest.mark.slow, pytest.mark.timeout(240)]

ENTRY: dict[str, object] = {
    "cpus": 1,
    "memory": "300 MB",
    "disk": "1 GB",
    "walltime": "1 h",
    "idle": "10 min",
    "max_glideins": 2,
}
ENTRY["attributes"] = {"GLIDEIN_Update_Interval": "2"}
SETTINGS = {**LIVELY, "running": {"look": "2 s", "stuck": "9 s"}}
COUNTED_S = 4
PROGRAMS = {
    "stuck": 'test "$(cat $RUNS | wc -l)" -gt 1 || sleep 300',
    "busy": "while :; do head -c 2000000 /dev/zero >> junk; sleep 1; done",
}


Daemons = dict[str, "subprocess.Popen[bytes]"]


@pytest.fixture
def mine(
    live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Organisation, Daemons]]:
    home = tmp_path_factory.mktemp("stuck")
    sites = {name: {"entries": {name.lower(): ENTRY}} for name in ("SITE_A", "SITE_B")}
    made = settled(live_pool, home, {**SETTINGS, "sites": sites})
    with at_work(made) as daemons:
        yield made, daemons


def submit(organisation: Organisation, name: str) -> str:
    runs = organisation.home / f"{name}.runs"
    runs.touch()
    runs.chmod(0o666)
    script = organisation.home / f"{name}.sh"
    script.write_text(f'#!/bin/sh\nRUNS={runs}\necho "$GLIDEIN_Site" >> $RUNS\n{PROGRAMS[name]}\n')
    payload = organisation.home / f"{name}.yaml"
    requests = {"memory": "128 MB", "disk": "400 MB", "walltime": "30 min"}
    payload.write_text(json.dumps({"name": name, "executable": script.name, "requests": requests}))
    answer = organisation.run("submit", payload, "--json")
    assert answer.code == 0, answer.err
    return str(answer.json["task"])


def group(organisation: Organisation, task: str) -> JobGroup | None:
    return next((each for each in organisation.live.as_user("router").jobs() if each.task == task), None)


def ran_at(organisation: Organisation, name: str) -> list[str]:
    return (organisation.home / f"{name}.runs").read_text().split()


def vacated(organisation: Organisation, task: str) -> list[str]:
    memory = store(organisation.settings)
    try:
        return [each.words for each in memory.of_task(task) if (each.kind, each.outcome) == ("vacate", "applied")]
    finally:
        memory.close()


def last_active(organisation: Organisation, task: str) -> Activity | None:
    """What a task's job had done when it was last seen to do something."""
    found = group(organisation, task)
    memory = store(organisation.settings)
    try:
        return next((each for each in memory.activities().values() if found and each.cluster == found.cluster), None)
    finally:
        memory.close()


def told(organisation: Organisation, task: str) -> int:
    """When the node of a task's job was last heard of; 0 while it does not run."""
    runs = organisation.live.as_user("router").runs(time.time())
    return max((run.told for run in runs if run.task == task), default=0)


def kill_the_router(organisation: Organisation, daemons: Daemons, task: str) -> None:
    """Once it counts for how long a task's job has done nothing; another one is started."""

    def counts() -> bool:
        last = last_active(organisation, task)
        return last is not None and told(organisation, task) >= last.told + COUNTED_S

    until(counts, 60)
    before = last_active(organisation, task)
    daemons["router"].kill()
    daemons["router"].wait()
    daemons["router"] = daemon(organisation, "router")
    until(lambda: last_active(organisation, task) != before, 60)
    after = last_active(organisation, task)
    assert before and (after is None or after.started > before.started), "the run was watched anew"


def test_a_job_that_hangs_runs_elsewhere_and_one_that_writes_runs_on(mine: tuple[Organisation, Daemons]) -> None:
    pool, daemons = mine
    stuck, busy = submit(pool, "stuck"), submit(pool, "busy")
    until(lambda: all(ran_at(pool, name) for name in PROGRAMS), 60)
    kill_the_router(pool, daemons, stuck)
    until(lambda: len(ran_at(pool, "stuck")) > 1, 90)
    first, second = ran_at(pool, "stuck")
    assert first != second
    assert len(ran_at(pool, "busy")) == 1
    assert vacated(pool, busy) == []
    (words,) = vacated(pool, stuck)
    assert words.startswith(f"taken from {first} while it ran: it has used no processor time")
