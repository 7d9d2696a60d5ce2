"""The real schedd's event log, rotated every few events: what happened at a site is counted, each job once."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pool_backend
import pytest
from organisation import until
from sqlalchemy import func, select

from router.decide.follow import SLACK_S
from router.errors import RouterError
from router.loops.pilots import Pilots
from router.loops.route import Route
from router.model.job import JobGroup, JobState
from router.settings import Settings, parse
from router.store.nodes import node_outcomes
from router.wiring import pilots, queue, route

pytestmark = pytest.mark.pool

SITES = "sites: {SITE_A: {entries: {a: {cpus: 1, memory: 500 MB, disk: 200 MB, walltime: 1 h, max_glideins: 1}}}}"
OFTEN = "EVENT_LOG_MAX_SIZE = 20000\nEVENT_LOG_MAX_ROTATIONS = 8\n"
JOB = """\
executable = /bin/sh
arguments = "-c 'exit $(Code)'"
transfer_executable = false
should_transfer_files = YES
on_exit_hold = ExitCode =?= 71
on_exit_hold_subcode = ExitCode
request_memory = 100
request_disk = 10 MB
My.MaxWallTimeMins = 10
My.RouterTask = "events-1"
My.RouterWrapper = 1
"""
CODES = ("0", "0", "0", "4", "71")


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with pool_backend.home() as home:
        try:
            pool = pool_backend.prepare(home)
        except RouterError as error:
            pool_backend.give_up(str(error))
        (home / "pool" / "config.d").mkdir(parents=True)
        (home / "pool" / "config.d" / "often.config").write_text(OFTEN)
        with pool_backend.running(pool):
            yield parse(SITES, Settings(home=home))


@pytest.fixture
def loops(settings: Settings) -> Iterator[tuple[Route, Pilots]]:
    made = route(settings), pilots(settings)
    yield made
    made[0].leader.resign()  # or the next test's router would stand by for the rest of the lease
    for loop in made:
        loop.pool._queue.close()  # type: ignore[attr-defined]
        loop.memory.close()  # type: ignore[attr-defined]


def test_what_jobs_did_at_a_site_is_known_over_rotations_of_the_log(
    settings: Settings, loops: tuple[Route, Pilots]
) -> None:
    router, factory = loops
    alice = queue(settings, "alice")
    cluster = alice.submit(JOB, [{"Code": code} for code in CODES])

    def all_ended() -> bool:
        router.step()
        factory.step()
        return [group.state for group in router.pool.jobs()] == [JobState.HELD]

    until(all_ended, 90)
    alice.act("Release", f"ClusterId == {cluster}", "once more")
    until(lambda: router.step() or router.pool.jobs()[0].state is JobState.RUNNING, 60)
    until(all_ended, 60)
    alice.close()
    router.step()  # the schedd writes the event a moment after the queue shows it
    found = router.memory.windows(0)["SITE_A"]  # type: ignore[attr-defined]
    assert (found.starts, found.succeeded, found.failed, found.evictions) == (6, 3, 2, 0)
    assert found.causes == (("hold-3.71", 2), ("exit-4", 1))
    assert found.start_s > 0
    assert len(list(Path(settings.pool_home / "log").glob("EventLog.*"))) > 1
    (site,) = router.world.sites if router.world else ()
    assert site.outcomes == found
    with router.memory.database.read() as connection:  # type: ignore[attr-defined]
        counts = (func.sum(node_outcomes.c[name]) for name in ("good", "failed", "doubtful"))
        ((node, *ended),) = connection.execute(select(node_outcomes.c.node, *counts).group_by(node_outcomes.c.node))
    assert (node != "", ended, site.nodes) == (True, [3, 2, 0], 1)


def counted(groups: Iterable[JobGroup]) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for group in groups:
        found[group.cluster, group.state, group.sites, group.decision, group.site, group.hold_code] += group.count
    return found


def test_the_queue_that_is_followed_by_events_is_the_queue_that_the_schedd_shows(
    settings: Settings, loops: tuple[Route, Pilots]
) -> None:
    router, factory = loops
    alice = queue(settings, "alice")
    first = alice.submit(JOB, [{"Code": "0"}] * 3)
    router.step()
    time.sleep(2 * SLACK_S)  # so close to a look it would be asked for
    second = alice.submit(JOB.replace("memory = 100", "memory = 999999"), [{"Code": "0"}] * 4)
    alice.act("Hold", f"ClusterId == {second} && ProcId == 1", "by hand")
    alice.act("Remove", f"ClusterId == {second} && ProcId == 2", "by hand")

    def first_ended() -> bool:
        router.step()
        factory.step()
        return first not in {group.cluster for group in router.pool.jobs()}

    until(first_ended, 90)
    until(
        lambda: router.step() == [] and router.world and counted(router.world.jobs) == counted(router.pool.jobs()), 20
    )
    assert counted(router.world.jobs) == counted(router.pool.jobs())  # type: ignore[union-attr]
    until(lambda: router.step() == [] and router.watch.looks["events"] > router.watch.looks["part"])
    assert router.watch.looks["whole"] == 1
    alice.act("Remove", f"ClusterId == {second}", "the test is over")
    alice.close()
