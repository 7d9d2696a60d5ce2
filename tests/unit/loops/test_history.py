"""When the history of jobs that ended is read, and from where on."""

import pytest

from router.loops.history import EVERY_S, History
from router.model.job import EndedJob
from router.testing.build import an_ended_job
from router.testing.clock import FakeClock


class Asked:
    """A pool and a memory, and up to which jobs the pool was asked."""

    def __init__(self) -> None:
        self.history: list[EndedJob] = []
        self.known: list[EndedJob] = []
        self.after: list[tuple[int, int] | None] = []

    def ended(self, since: float, after: tuple[int, int] | None) -> tuple[EndedJob, ...]:
        assert since == 0
        self.after.append(after)
        seen = [(job.cluster, job.proc) for job in self.history].index(after) + 1 if after else 0
        return tuple(reversed(self.history[seen:]))

    def record_history(self, jobs: tuple[EndedJob, ...]) -> None:
        self.known += reversed(jobs)

    def history_read(self) -> tuple[int, int] | None:
        return (self.known[-1].cluster, self.known[-1].proc) if self.known else None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_it_is_read_at_the_start_and_now_and_then_and_where_events_are_lost(clock: FakeClock) -> None:
    asked = Asked()
    asked.history = [an_ended_job(proc=0), an_ended_job(proc=1)]
    history = History(asked, asked, clock)
    for _ in range(2):
        history.learn(anyway=False)
    assert asked.after == [None]
    clock.pass_time(30)
    history.learn(anyway=True)
    clock.pass_time(EVERY_S)
    history.learn(anyway=False)
    assert asked.after == [None, (1, 1), (1, 1)]


def test_a_router_that_starts_again_reads_on(clock: FakeClock) -> None:
    asked = Asked()
    asked.history = [an_ended_job(proc=0)]
    History(asked, asked, clock).learn(anyway=False)
    asked.history.append(an_ended_job(proc=1))
    History(asked, asked, clock).learn(anyway=False)
    assert asked.known == asked.history


@pytest.mark.parametrize("by_s", [-172_800.0, -3600.0, 3600.0])
def test_after_the_clock_was_set_it_is_read_at_once_and_no_job_is_forgotten(clock: FakeClock, by_s: float) -> None:
    asked = Asked()
    asked.history = [an_ended_job(proc=0, ended=clock.now())]
    history = History(asked, asked, clock)
    history.learn(anyway=False)
    asked.history.append(an_ended_job(proc=1, ended=clock.now() - 2 * 172_800))
    clock.at += by_s
    history.clock_was_set()
    history.learn(anyway=False)
    assert asked.known == asked.history
