"""Runs over the passes of a loop: looked at now and then, and for how long each has done nothing.

What was seen is forgotten when the router ends: a run is then watched as long again before it counts as stuck.
"""

from dataclasses import dataclass, field, replace

from router.model.attempt import Attempt
from router.model.policy import RunningPolicy
from router.ports import Clock, Pool


@dataclass
class Runs:
    """The runs that last a while, and what each had done when it was last seen to do something."""

    pool: Pool
    clock: Clock
    policy: RunningPolicy
    _active: dict[tuple[int, int, int], Attempt] = field(default_factory=dict)
    _due: float = 0.0

    def look(self) -> tuple[Attempt, ...]:
        """The runs, where a look at them is due; else none. Raises TemporaryError."""
        now = self.clock.now()
        if not self.policy.stop or now < self._due:
            return ()
        found = self.pool.runs(now - self.policy.look_s)
        self._due = now + self.policy.look_s
        before, self._active = self._active, {}
        return tuple(self._watched(run, before.get(run.key)) for run in found)

    def _watched(self, run: Attempt, active: Attempt | None) -> Attempt:
        """A run with the time for which it has done nothing; only what its node has told since counts."""
        if active is None or _is_active(run, active, self.policy.active_share):
            active = run
        self._active[run.key] = active
        return replace(run, still_s=float(run.told - active.told) if active.told else 0.0)


def _is_active(run: Attempt, before: Attempt, share: float) -> bool:
    """Whether a run has used its core, or written anything, since it was seen before."""
    elapsed = run.told - before.told
    return run.disk_mb > before.disk_mb or (elapsed > 0 and run.cpu_s - before.cpu_s >= share * elapsed)
