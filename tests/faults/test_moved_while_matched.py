"""Jobs are moved to and fro while the negotiator matches them: none runs at a site that it was moved away from.

Each job writes down where it is, and the sites that its own ad names there: what the schedd sent with it when it
started. The edits between do not wait for the negotiator, and it does not wait for them.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from breakable import Breakable
from organisation import until

from router.model.job import JobState
from router.testing.build import a_decision, a_place

pytestmark = [pytest.mark.pool, pytest.mark.slow, pytest.mark.timeout(400)]

TRIES = 1000
"""Moves of one job each."""
STARTS = 15
PROGRAM = """\
#!/bin/sh
sites=$(sed -n 's/^DESIRED_Sites = "\\(.*\\)"$/\\1/p' "$_CONDOR_JOB_AD")
site=$(sed -n 's/^GLIDEIN_Site = "\\(.*\\)"$/\\1/p' "$_CONDOR_MACHINE_AD")
echo "$site $sites"
"""
SITES = ("SITE_A", "SITE_B")


@pytest.fixture
def factory(pool: Breakable) -> Iterator[None]:
    with pool.factory():
        yield


@pytest.fixture
def folder(pool: Breakable) -> Path:
    made = pool.organisation.home / "moved"
    made.mkdir(exist_ok=True)
    made.chmod(0o777)
    pool.organisation.home.chmod(0o755)
    (made / "where").write_text(PROGRAM)
    (made / "where").chmod(0o755)
    return made


def submit(pool: Breakable, folder: Path, jobs: int) -> int:
    text = (
        f"executable = {folder}/where\noutput = {folder}/out.$(RouterJob)\nshould_transfer_files = YES\n"
        "request_memory = 100\nrequest_disk = 1M\nMy.RouterJob = \"$(RouterJob)\"\n"
    )  # fmt: skip
    return pool.organisation.live.queue("alice").submit(text, [{"RouterJob": str(n)} for n in range(jobs)])


@pytest.mark.usefixtures("factory")
def test_no_job_runs_at_a_site_it_was_moved_away_from(pool: Breakable, folder: Path) -> None:
    cluster = submit(pool, folder, 400)
    router = pool.organisation.live.as_user("router")
    moved, epoch, old = 0, 0, None

    def started() -> int:
        return 400 - sum(group.count for group in pool.groups([cluster]) if group.state is JobState.IDLE)

    end = time.monotonic() + 300
    while (moved < TRIES or started() < STARTS) and time.monotonic() < end:
        epoch += 1
        new = (SITES[epoch % 2],)
        moved += router.place(a_place(cluster, count=400, old=old, decision=a_decision(*new, epoch=epoch)))
        old = new
    assert moved >= TRIES
    assert started() >= STARTS
    pool.organisation.live.queue("router").act("Remove", f"ClusterId == {cluster} && JobStatus == 1", "enough")
    until(lambda: not pool.groups([cluster]), 60)
    told = [path.read_text().split() for path in folder.glob("out.*") if path.stat().st_size]
    assert [where for where in told if where[0] not in where[1].split(",")] == []
    assert len(told) >= STARTS, f"{len(told)} of the jobs that started said where"
    assert {site for site, _ in told} <= set(SITES)
