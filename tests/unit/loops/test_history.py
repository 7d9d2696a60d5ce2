"""From when on the history of jobs that ended is read."""

import pytest

from router.loops.history import EVERY_S, History
from router.testing.clock import FakeClock

START = 1_700_000_000.0


class Asked:
    """A pool whose history is empty, and a memory that knows one job that ended."""

    def __init__(self, last: float) -> None:
        self.last, self.since = last, []

    def last_ended(self, now: float) -> float:
        return min(self.last, now)

    def record_ended(self, jobs) -> None:
        assert jobs == ()

    def ended(self, since: float):
        self.since.append(since)
        return ()


@pytest.fixture
def clock():
    made = FakeClock()
    made.at = START
    return made


def test_it_is_read_at_the_start_and_now_and_then_and_where_events_are_lost(clock):
    asked = Asked(last=START - 100)
    history = History(asked, asked, clock)
    for _ in range(2):
        history.learn(anyway=False)
    assert asked.since == [START - 100]
    clock.pass_time(30)
    history.learn(anyway=True)
    clock.pass_time(EVERY_S)
    history.learn(anyway=False)
    assert asked.since == [START - 100] * 3


@pytest.mark.parametrize(("by_s", "since"), [(-3600.0, START - 3600), (3600.0, START)])
def test_after_the_clock_was_set_no_job_is_forgotten_that_ended_before_one_of_a_wrong_time(clock, by_s, since):
    asked = Asked(last=START + 9000)
    history = History(asked, asked, clock)
    history.learn(anyway=True)
    clock.at += by_s + 30
    history.clock_was_set(by_s)
    history.learn(anyway=False)
    assert asked.since[1:] == [since]
