"""The pool, seen with care: an answer that is missing or absurd is not taken for the truth.

A collector that was started anew shows no glidein, and that is not all sites dead. What it showed before is kept until
it says the same a few times; meanwhile decisions do less (router/decide/prudence.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from router.errors import PoolUnreachable, TemporaryError
from router.loops.watch import Watch
from router.model.job import JobGroup, SlotGroup
from router.model.pilot import ValidationFailure
from router.model.world import COLLECTOR, SCHEDD
from router.ports import Clock, Pool

BELIEVED_AFTER = 3
"""Looks in a row that must say the same before something absurd is believed."""
FAILURES_EVERY_S = 60.0
"""Refusals count for half an hour, and need not be asked for in each pass."""
FEW_GLIDEINS = 10
"""Fewer than these may go at once."""
FEW_JOBS = 20
SLOW_S = 1.0
AGAIN_S = 30.0
"""A collector that took longer than SLOW_S and then gave no answer is asked again after so long: it is likely to hang,
and passes that wait for it would outlast their lease."""
KEPT_S = 1800.0
"""How long the glideins seen last stand for those that cannot be seen, in seconds."""

T = TypeVar("T")


@dataclass
class _Kept(Generic[T]):
    """The last answer that was believed."""

    value: T
    at: float
    doubts: int = 0


@dataclass
class Careful:
    """A Pool's queue and glideins for the route loop, over its passes."""

    pool: Pool
    clock: Clock
    watch: Watch
    """Through which the queue is seen."""
    read: dict[str, float] = field(default_factory=dict)
    """When each source last gave an answer that was believed, seconds since the epoch."""
    stale: dict[str, str] = field(default_factory=dict)
    """Sources that are not believed in this pass, and why."""
    errors: dict[str, int] = field(default_factory=dict)
    """Answers that did not come, by source."""
    _silent: tuple[float, str] = (0.0, "")
    """Until when the collector is not asked, seconds since the epoch, and what it failed with."""
    _jobs: _Kept[tuple[JobGroup, ...]] | None = None
    _slots: _Kept[tuple[SlotGroup, ...]] | None = None
    _failures: _Kept[tuple[ValidationFailure, ...]] | None = None

    def jobs(self) -> tuple[JobGroup, ...]:
        """All vanilla jobs in the queue. Raises TemporaryError where it cannot be read: nothing can be done then."""
        self.stale.pop(SCHEDD, None)
        found = self._counting(SCHEDD, self.watch.jobs)
        before = sum(group.count for group in self._jobs.value) if self._jobs else 0
        if self._jobs and not found and before >= FEW_JOBS and self._doubted(self._jobs):
            self.stale[SCHEDD] = f"shows an empty queue, where {before} jobs were"
            self.watch.forget()
            return found
        self._jobs = self._believed(SCHEDD, found)
        return found

    def slots(self) -> tuple[SlotGroup, ...]:
        """The glideins' slots; those seen last where too many are gone, or none can be seen."""
        self.stale.pop(COLLECTOR, None)
        try:
            found = self._collected(self.pool.slots)
        except TemporaryError as error:
            return self._instead(self._slots, (), error)
        before, now = (
            sum(slot.glideins for slot in each) for each in (self._slots.value if self._slots else (), found)
        )
        if self._slots and before >= FEW_GLIDEINS and 2 * now < before and self._doubted(self._slots):
            self.stale[COLLECTOR] = f"shows {now} glideins, where {before} were"
            return self._slots.value
        self._slots = self._believed(COLLECTOR, found)
        return found

    def failures(self) -> tuple[ValidationFailure, ...]:
        """What glideins that refused their node say; what they said last where the collector is not believed."""
        now = self.clock.now()
        if COLLECTOR in self.stale:
            return self._failures.value if self._failures else ()
        if self._failures and self._failures.at <= now < self._failures.at + FAILURES_EVERY_S:
            return self._failures.value
        try:
            found = self._collected(self.pool.failures)
        except TemporaryError as error:
            return self._instead(self._failures, (), error)
        self._failures = _Kept(found, now)
        return found

    def clock_was_set(self, by_s: float) -> None:
        """Keep the ages of what was seen when the clock is set."""
        for kept in (self._jobs, self._slots, self._failures):
            if kept:
                kept.at += by_s
        self._silent = (0.0, "")

    def _counting(self, source: str, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except TemporaryError:
            self.errors[source] = self.errors.get(source, 0) + 1
            raise

    def _collected(self, ask: Callable[[], T]) -> T:
        """What the collector answers. Raises TemporaryError also where it was silent just now."""
        asked, (until, why) = self.clock.now(), self._silent
        if until - AGAIN_S <= asked < until:  # a clock that was ahead for a while silences nobody
            raise PoolUnreachable(why)
        try:
            return self._counting(COLLECTOR, ask)
        except TemporaryError as error:
            if (now := self.clock.now()) > asked + SLOW_S:
                self._silent = (now + AGAIN_S, str(error))
            raise

    def _instead(self, kept: _Kept[T] | None, nothing: T, error: TemporaryError) -> T:
        """What was believed last; after a start, `nothing`. Raises `error` where what was believed is too old."""
        if kept and self.clock.now() > kept.at + KEPT_S:
            raise error
        self.stale[COLLECTOR] = f"does not answer: {error}"
        return kept.value if kept else nothing

    def _doubted(self, kept: _Kept[T]) -> bool:
        """Whether an absurd answer is not yet to be believed."""
        kept.doubts += 1
        return kept.doubts < BELIEVED_AFTER

    def _believed(self, source: str, value: T) -> _Kept[T]:
        now = self.clock.now()
        self.read[source] = now
        return _Kept(value, now)
