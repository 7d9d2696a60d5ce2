"""What real jobs used, booked from a real schedd's histories, and traced from the token to the node."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pool_backend
import pytest
from organisation import Organisation, settled, until

from router.loops.books import Books
from router.loops.pilots import Pilots
from router.loops.route import Route
from router.model.job import JobState
from router.model.usage import BADLY, WELL, Run
from router.wiring import pilots, queue, route, store

pytestmark = pytest.mark.pool

USER = "carla"
ENTRY = {"cpus": 1, "memory": "300 MB", "disk": "1 GB", "walltime": "1 h", "idle": "10 min", "max_glideins": 3}
FALSE = """\
My.RunInstanceID = 77
My.EpochWriteDate = 5
My.CpusProvisioned = 64
My.RemoteHost = "=elsewhere"
My.AuthTokenSubject = "root@pool"
My.MachineAttrGLIDEIN_Site0 = "NOWHERE"
"""
"""What a user might put into a job to have it booked to others, or otherwise."""
JOB = f"""\
executable = /bin/sh
arguments = "-c '$(Code)'"
transfer_executable = false
should_transfer_files = YES
on_exit_hold = ExitCode =?= 71
on_exit_hold_subcode = ExitCode
request_memory = 100
request_disk = 10 MB
My.MaxWallTimeMins = 10
My.RouterTask = "used-1"
{FALSE}"""
GOOD, BAD, HELD, VACATED = range(4)
CODES = ("exit 0", "exit 4", "exit 71", "test -e {mark} && exit 0; touch {mark}; sleep 60")


@pytest.fixture
def used(live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """The shared pool with one site of one slot."""
    home = tmp_path_factory.mktemp("used")
    yield settled(live_pool, home, {"sites": {"USED": {"entries": {"u": ENTRY}}}})


@pytest.fixture
def loops(used: Organisation) -> Iterator[tuple[Route, Pilots]]:
    made = route(used.settings), pilots(used.settings)
    yield made
    for loop in made:
        loop.pool._queue.close()  # type: ignore[attr-defined]
        loop.memory.close()  # type: ignore[attr-defined]
        loop.leader.resign()
    used.live.queue("factory").act("Remove", "JobUniverse == 12", "the test is over")


def test_what_jobs_used_is_booked_once_and_traced_to_the_node(
    used: Organisation, loops: tuple[Route, Pilots], tmp_path: Path
) -> None:
    cluster = run_jobs(used, loops, tmp_path)
    books = loops[0].books
    assert books is not None
    books.update()
    with closing(store(used.settings)) as memory:
        runs = {(run.proc, run.number): run for run in memory.runs_of(cluster=cluster)}
        told = {key: (run.outcome, run.job) for key, run in runs.items()}
        assert told == {
            (GOOD, 0): ("well", WELL),
            (BAD, 0): ("failed", BADLY),
            (HELD, 0): ("held", BADLY),
            (VACATED, 0): ("evicted", 0),
            (VACATED, 1): ("well", WELL),
        }
        assert {(run.owner, run.site, run.cores) for run in runs.values()} == {(USER, "USED", 1)}
        assert all(run.subject.startswith(f"{USER}@") and run.token for run in runs.values())
        assert all(run.node.startswith("slot1") and "@glidein_" in run.node for run in runs.values())
        agree_with_the_history(used, cluster, list(runs.values()))
        sums = memory.usage(0, 10**6)
        again(books)
        assert memory.usage(0, 10**6) == sums
    (row,) = used.run("accounting", "--import", "--by", "user,site", "--user", USER, "--json").json
    assert (row["site"], row["runs"], row["jobs_well"], row["jobs_badly"]) == ("USED", 5, 2, 2)
    found = used.run("audit", f"{cluster}.{VACATED}", "--json").json
    assert [(each["outcome"], each["subject"].partition("@")[0]) for each in found["runs"]] == [  # type: ignore[index,call-overload]
        ("evicted", USER),
        ("well", USER),
    ]
    assert {each["who"] for each in found["entries"]} == {"router"}  # type: ignore[index,call-overload]
    assert used.run("audit", "--verify").code == 0


def run_jobs(used: Organisation, loops: tuple[Route, Pilots], folder: Path) -> int:
    """Run a job of each kind; returns their cluster, of which nothing is in the queue any more."""
    router, factory = loops
    folder.chmod(0o777)
    mark = folder / "mark"
    with closing(queue(used.settings, USER)) as carla:
        cluster = carla.submit(JOB, [{"Code": code.format(mark=mark)} for code in CODES])

        def states(proc: int) -> list[JobState]:
            router.step()
            factory.step()
            rows = carla.query(f"ClusterId == {cluster} && ProcId == {proc}", ["JobStatus"])
            return [{2: JobState.RUNNING, 5: JobState.HELD}.get(row["JobStatus"], JobState.IDLE) for row in rows]

        until(lambda: states(HELD) == [JobState.HELD], 90)
        until(lambda: states(VACATED) == [JobState.RUNNING] and mark.exists(), 60)
        carla.act("Vacate", f"ClusterId == {cluster} && ProcId == {VACATED}", "to see it again")
        until(lambda: states(VACATED) == [], 90)
        carla.act("Remove", f"ClusterId == {cluster}", "the test is over")
        until(lambda: states(HELD) == [])
        until(lambda: len(carla.history(f"ClusterId == {cluster}", ["ProcId"])) == len(CODES))
    return cluster


def agree_with_the_history(used: Organisation, cluster: int, runs: list[Run]) -> None:
    """The runs of each job add up to what HTCondor says the job used."""
    rows = used.live.queue("router").history(f"ClusterId == {cluster}", ["ProcId", "RemoteWallClockTime"])
    for row in rows:
        mine = sum(run.wall_s for run in runs if run.proc == row["ProcId"])
        assert abs(mine - row["RemoteWallClockTime"]) <= 2


def again(books: Books) -> None:
    """Import everything there ever was once more, from the beginning."""
    for page in books.source.runs(0.0):
        books.memory.record_runs([*page, *reversed(page)])
        books.memory.record_runs(replace(run) for run in page)
    books.source.close()


def test_a_request_is_audited_with_the_identity_that_the_schedd_authenticated(used: Organisation) -> None:
    (used.home / "work.sh").write_text("#!/bin/sh\n")
    requests = {"memory": "100 MB", "disk": "10 MB", "walltime": "5 min"}
    payload = {"name": "seen", "executable": "work.sh", "requests": requests}
    (used.home / "payload.yaml").write_text(json.dumps(payload))
    task = used.run("submit", used.home / "payload.yaml", "--json", user=USER).json["task"]
    assert used.run("kill", str(task), user=USER).code == 0
    found = used.run("audit", str(task), "--json").json["entries"]
    assert [(each["act"], each["outcome"], each["identity"].partition("@")[0]) for each in found] == [
        ("submit", "asked", ""),
        ("submit", "done", USER),
        ("kill", "asked", ""),
        ("kill", "done", USER),
    ]
