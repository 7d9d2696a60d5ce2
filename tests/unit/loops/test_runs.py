"""For how long a run has done nothing: by what its node tells, not by the clock."""

from dataclasses import replace

import pytest

from router.loops.runs import Runs
from router.model.attempt import Attempt
from router.model.policy import RunningPolicy
from router.testing.clock import NOON, FakeClock

START = int(NOON) - 3600
RUN = Attempt(1, 0, START, "SITE_A", told=int(NOON), cpu_s=100.0, disk_mb=10)


class Told:
    """A pool whose runs are what the test says."""

    def __init__(self, *runs):
        self.found, self.asked = runs, []

    def runs(self, before):
        self.asked.append(before)
        return self.found


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def pool():
    return Told(RUN)


@pytest.fixture
def runs(pool, clock):
    return Runs(pool, clock, RunningPolicy())


def later(pool, clock, **changes):
    """What the pool tells a quarter of an hour later."""
    clock.pass_time(900)
    pool.found = (replace(pool.found[0], told=int(clock.now()), **changes),)


def test_runs_are_asked_for_rarely_and_only_those_that_last(runs, pool, clock):
    assert runs.look() == (RUN,)
    clock.pass_time(899)
    assert runs.look() == ()
    clock.pass_time(1)
    runs.look()
    assert pool.asked == [NOON - 900, NOON]


def test_nothing_is_asked_where_what_runs_is_left_alone(pool, clock):
    assert Runs(pool, clock, RunningPolicy(stop=False)).look() == ()
    assert pool.asked == []


def test_a_run_that_only_waits_in_a_loop_is_still_since_it_was_seen_first(runs, pool, clock):
    runs.look()
    for _ in range(3):
        later(pool, clock, cpu_s=pool.found[0].cpu_s + 1)
        (seen,) = runs.look()
    assert seen.still_s == 2700


@pytest.mark.parametrize("changes", [{"cpu_s": 109.0}, {"disk_mb": 11}], ids=["computes", "writes"])
def test_a_run_is_not_still_that(runs, pool, clock, changes):
    runs.look()
    later(pool, clock, **changes)
    assert runs.look()[0].still_s == 0
    later(pool, clock)
    assert runs.look()[0].still_s == 900


def test_a_run_of_which_nobody_hears_is_not_still(runs, pool, clock):
    runs.look()
    clock.pass_time(9000)
    assert runs.look()[0].still_s == 0


def test_a_run_of_which_nobody_ever_heard_is_not_still(runs, pool, clock):
    pool.found = (replace(RUN, told=0),)
    runs.look()
    later(pool, clock)
    assert runs.look()[0].still_s == 0


def test_a_job_that_runs_anew_is_another_run(runs, pool, clock):
    runs.look()
    later(pool, clock, started=START + 1)
    assert runs.look()[0].still_s == 0
