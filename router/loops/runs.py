"""Runs over the passes of a loop: looked at now and then, and for how long each has done nothing.

What was seen is in the store, so that a router that is started anew, or takes over, goes on counting.
"""

from dataclasses import dataclass, replace

from router.model.attempt import Activity, Attempt
from router.model.policy import RunningPolicy
from router.ports import Clock, Pool, RunMemory


@dataclass
class Runs:
    """The runs that last a while."""

    pool: Pool
    memory: RunMemory
    clock: Clock
    policy: RunningPolicy
    _looked: float | None = None
    """When, seconds since the epoch; None: the store knows."""

    def forget(self) -> None:
        """Another router may have looked meanwhile."""
        self._looked = None

    def look(self) -> tuple[Attempt, ...]:
        """The runs, where a look at them is due; else none. Raises TemporaryError."""
        now = self.clock.now()
        if not self.policy.stop or not self._is_due(now):
            return ()
        found = self.pool.runs(now - self.policy.look_s)
        before = self.memory.activities()
        seen = {run.key: _last(run, before.get(run.key), self.policy.active_share) for run in found}
        self.memory.note_activities(seen.values(), now)
        self._looked = now
        return tuple(_watched(run, seen[run.key]) for run in found)

    def _is_due(self, now: float) -> bool:
        """Whether it is time. A router that is killed and started again and again looks no oftener for it."""
        if self._looked is None:
            self._looked = self.memory.last_look()
        return not self._looked <= now < self._looked + self.policy.look_s


def _last(run: Attempt, before: Activity | None, share: float) -> Activity:
    """What a run had done when it was last seen to do something, this time included."""
    return run.activity if before is None or _is_active(run, before, share) else before


def _watched(run: Attempt, last: Activity) -> Attempt:
    """A run with the time for which it has done nothing; only what its node has told since counts."""
    return replace(run, still_s=float(run.told - last.told) if last.told else 0.0)


def _is_active(run: Attempt, before: Activity, share: float) -> bool:
    """Whether a run has used its core, or written anything, since it was seen before."""
    elapsed = run.told - before.told
    return run.disk_mb > before.disk_mb or (elapsed > 0 and run.cpu_s - before.cpu_s >= share * elapsed)
