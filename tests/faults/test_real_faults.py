"""Faults on a real pool: daemons that hang and die, routers that are killed and stopped, disks that are full."""

import os
import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from breakable import RECOVERY_S, Breakable, queue_child
from organisation import until

pytestmark = [pytest.mark.pool, pytest.mark.timeout(240)]

FAILED = 'glideroute_cycles_total{result="error"}'


def descriptors(pid: int) -> int:
    """How many a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def loses_passes(pool: Breakable) -> None:
    """Wait until the router has lost a pass."""
    before = pool.metric(FAILED)
    until(lambda: pool.metric(FAILED) > before)


def test_a_schedd_that_dies_amid_edits_loses_nothing(pool: Breakable) -> None:
    pool.router()
    clusters = pool.submit(20)
    pool.restarted("schedd")
    pool.heals(clusters)


def test_a_schedd_that_hangs_freezes_neither_metrics_nor_the_loop(pool: Breakable) -> None:
    pool.router()
    clusters = pool.submit(10)
    pool.heals(clusters)
    with pool.frozen(pool.daemon("schedd")):
        later = time.time() + 5
        until(lambda: pool.metric("glideroute_heartbeat_timestamp_seconds") > later)
    clusters = pool.submit(10)
    pool.heals(clusters)


def test_a_collector_that_hangs_moves_nothing_and_afterwards_new_jobs_are_placed(pool: Breakable) -> None:
    pool.router()
    before = pool.submit(5)
    pool.heals(before)
    with pool.frozen(pool.daemon("collector")):
        later = time.time() + 5
        until(lambda: pool.metric("glideroute_heartbeat_timestamp_seconds") > later)
        new = pool.submit(5)
    pool.heals(new)
    pool.sound(before)


def test_a_router_that_is_restarted_while_the_collector_hangs_places_new_jobs(pool: Breakable) -> None:
    first = pool.router()
    pool.heals(pool.submit(2))
    first.terminate()
    first.wait()
    clusters = pool.submit(5)
    with pool.frozen(pool.daemon("collector")):
        pool.router()
        pool.heals(clusters)


def test_without_a_negotiator_jobs_are_placed_all_the_same(pool: Breakable) -> None:
    pool.router()
    with pool.frozen(pool.daemon("negotiator")):
        pool.heals(pool.submit(5))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_child_that_dies_or_hangs_is_replaced(pool: Breakable, number: signal.Signals) -> None:
    router = pool.router()
    pool.heals(pool.submit(2))
    child = queue_child(router.pid)
    os.kill(child, number)
    pool.heals(pool.submit(5))
    assert queue_child(router.pid) != child


def test_a_router_leaks_no_descriptors(pool: Breakable) -> None:
    router = pool.router()
    pool.heals(pool.submit(2))
    child = queue_child(router.pid)
    before = descriptors(router.pid)
    for _ in range(3):
        os.kill(child, signal.SIGKILL)
        until(lambda child=child: queue_child(router.pid) != child)
        child = queue_child(router.pid)
    pool.heals(pool.submit(2))
    queue_child(router.pid)
    assert descriptors(router.pid) <= before + 1


def test_a_disk_that_is_full_costs_passes_until_there_is_space(pool: Breakable) -> None:
    router = pool.router()
    pool.heals(pool.submit(2))
    resource.prlimit(router.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    clusters = pool.submit(5)
    loses_passes(pool)
    resource.prlimit(router.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    pool.heals(clusters)


def test_a_database_that_is_locked_costs_passes_until_it_is_free(pool: Breakable) -> None:
    pool.router()
    pool.heals(pool.submit(2))
    database = sqlite3.connect(pool.organisation.home / "glideroute.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        clusters = pool.submit(5)
        loses_passes(pool)
        database.execute("ROLLBACK")
    finally:
        database.close()
    pool.heals(clusters)


def test_no_descriptors_are_left_and_the_router_goes_on_when_there_are_some(pool: Breakable) -> None:
    router = pool.router()
    pool.heals(pool.submit(2))
    soft, hard = resource.prlimit(router.pid, resource.RLIMIT_NOFILE)
    child = queue_child(router.pid)
    resource.prlimit(router.pid, resource.RLIMIT_NOFILE, (3, hard))
    os.kill(child, signal.SIGKILL)
    time.sleep(3)  # there is no event to wait for: with no descriptor left it cannot answer
    resource.prlimit(router.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert router.poll() is None
    pool.heals(pool.submit(2))


def test_a_standby_takes_over_within_the_lease_and_a_leader_that_wakes_stands_by(pool: Breakable) -> None:
    first = pool.router()
    leader = pool.address.read_text().strip()
    pool.heals(pool.submit(2))
    pool.router()
    standby = pool.address.read_text().strip()
    assert (pool.metric("glideroute_leader", leader), pool.metric("glideroute_leader", standby)) == (1, 0)
    with pool.frozen(first.pid):
        started = time.monotonic()
        clusters = pool.submit(5)
        until(lambda: pool.metric("glideroute_leader", standby) == 1)
        assert time.monotonic() - started < 6 + 2
        pool.heals(clusters)
    until(lambda: pool.metric("glideroute_leader", leader) == 0)
    pool.heals(pool.submit(5))
    assert pool.metric("glideroute_leader", standby) == 1


def test_a_router_that_was_killed_is_followed_at_once(pool: Breakable) -> None:
    first = pool.router()
    pool.heals(pool.submit(2))
    first.kill()
    first.wait()
    clusters = pool.submit(2)
    assert "2 action(s)" in pool.once()
    pool.sound(clusters)


def test_while_a_router_is_at_work_a_single_pass_is_refused(pool: Breakable) -> None:
    pool.router()
    pool.heals(pool.submit(2))
    answer = pool.organisation.run("router", "run", "--once", user="router")
    assert (answer.code, "Another router is at work" in answer.err) == (4, True)


def test_a_router_that_is_told_to_stop_leaves_the_lease(pool: Breakable) -> None:
    first = pool.router()
    pool.heals(pool.submit(2))
    first.terminate()
    assert first.wait(timeout=5) == 0
    started = time.monotonic()
    pool.once()
    assert time.monotonic() - started < RECOVERY_S
