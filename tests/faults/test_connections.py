"""The way to the schedd fails: it is slow, cut, half open, or all of HTCondor is started anew."""

import resource
import sys
import time

import pytest
from breakable import Breakable
from organisation import until
from test_killed_at_system_calls import pass_with, why_not

from router.errors import TemporaryError

pytestmark = [pytest.mark.pool, pytest.mark.timeout(240)]

RESTART_S = 60.0


def test_a_schedd_that_is_slow_gets_no_overlapping_work_and_all_is_placed_once(pool: Breakable) -> None:
    with pool.settings(lease="60 s"):
        pool.router()
    with pool.slowed(pool.daemon("schedd"), stopped_s=0.8, runs_s=0.1):
        clusters = pool.submit(3)
        until(lambda: pool.placed(clusters), 60)
        started = time.monotonic()
        pool.metric("glideroute_heartbeat_timestamp_seconds")
        assert time.monotonic() - started < 1
    pool.heals(clusters)


def test_a_schedd_whose_disk_is_full_dies_and_what_became_of_its_edits_is_read_back(pool: Breakable) -> None:
    pool.router()
    pool.heals(pool.submit(2))
    schedd = pool.daemon("schedd")
    clusters = pool.submit(5)
    resource.prlimit(schedd, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    pool.another("schedd", schedd)
    pool.heals(clusters)


def test_while_nothing_gets_through_to_the_schedd_passes_are_lost_and_then_go_on(pool: Breakable) -> None:
    pool.router()
    pool.heals(pool.submit(2))
    clusters = pool.submit(5)
    with pool.frozen(pool.daemon("shared_port")):  # connections are taken, and nobody speaks
        before = pool.metric('glideroute_cycles_total{result="error"}')
        until(lambda: pool.metric('glideroute_cycles_total{result="error"}') > before)
    pool.heals(clusters)


@pytest.mark.slow
@pytest.mark.skipif(why_not() != "", reason=why_not() or "can be traced")
def test_connections_that_are_reset_now_and_then_lose_and_repeat_nothing(pool: Breakable) -> None:
    for call, when in (("connect", "2+3"), ("sendto", "3+4"), ("recvfrom", "4+9"), ("recvfrom", "9+30")):
        clusters = pool.submit(3)
        pass_with(pool, call, f"error=ECONNRESET:when={when}")
        pool.once()
        assert pool.once() == "0 action(s)\n"
        pool.sound(clusters)
        pool.clear()


def answers(pool: Breakable) -> bool:
    """Whether alice's connection finds the schedd."""
    try:
        return pool.organisation.live.queue("alice").count("false", ["ClusterId"]) == []
    except TemporaryError:
        return False


@pytest.mark.slow
def test_all_of_htcondor_is_started_anew_under_a_router(pool: Breakable) -> None:
    pool.router()
    before = pool.submit(2)
    pool.heals(before)
    pool.organisation.live.pool.down()
    pool.organisation.live.pool.up()
    started = time.monotonic()
    until(lambda: answers(pool), RESTART_S)  # who was connected before may lose a call
    clusters = pool.submit(3)
    pool.heals(clusters)
    sys.stdout.write(f"{time.monotonic() - started:.1f} s\n")
    assert time.monotonic() - started < RESTART_S
    pool.sound(before)
