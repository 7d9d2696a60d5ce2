"""For how long a run has done nothing: by what its node tells, not by the clock."""

from dataclasses import replace

import pytest

from router.loops.runs import Runs
from router.model.attempt import Attempt
from router.model.policy import RunningPolicy
from router.testing.clock import NOON, FakeClock

START = int(NOON) - 3600
RUN = Attempt(1, 0, START, "SITE_A", told=int(NOON), cpu_s=100.0, disk_mb=10)


class Remembered:
    """What a store keeps of it."""

    def __init__(self):
        self.kept, self.at = {}, 0.0

    def last_look(self):
        return self.at

    def activities(self):
        return self.kept

    def note_activities(self, seen, at):
        self.kept, self.at = {each.key: each for each in seen}, at


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
def memory():
    return Remembered()


@pytest.fixture
def runs(pool, memory, clock):
    return Runs(pool, memory, clock, RunningPolicy())


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


def test_a_clock_that_is_set_back_delays_no_look(runs, clock):
    runs.look()
    clock.pass_time(-172_800)
    assert runs.look() == (RUN,)


def test_nothing_is_asked_where_what_runs_is_left_alone(pool, memory, clock):
    assert Runs(pool, memory, clock, RunningPolicy(stop=False)).look() == ()
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


def test_a_router_that_is_started_anew_or_takes_over_goes_on_counting(runs, pool, memory, clock):
    runs.look()
    later(pool, clock)
    runs.look()
    later(pool, clock)
    assert Runs(pool, memory, clock, RunningPolicy()).look()[0].still_s == 1800


def test_a_standby_that_led_before_counts_from_what_the_other_saw(runs, pool, memory, clock):
    other = Runs(pool, memory, clock, RunningPolicy())
    runs.look()
    later(pool, clock, cpu_s=900.0)
    other.look()
    later(pool, clock)
    runs.forget()
    assert runs.look()[0].still_s == 900


def test_runs_that_have_ended_are_forgotten(runs, pool, memory, clock):
    runs.look()
    clock.pass_time(900)
    pool.found = ()
    runs.look()
    assert memory.kept == {}


def test_a_router_that_is_started_again_and_again_looks_no_oftener_for_it(pool, memory, clock):
    for _ in range(4):
        Runs(pool, memory, clock, RunningPolicy()).look()
        clock.pass_time(300)
    assert pool.asked == [NOON - 900, NOON]


def test_who_takes_over_waits_as_long_after_the_look_of_the_other(runs, pool, memory, clock):
    runs.look()
    clock.pass_time(900)
    Runs(pool, memory, clock, RunningPolicy()).look()
    runs.forget()
    assert runs.look() == ()
