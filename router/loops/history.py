"""Jobs that left the queue, read from the schedd's history now and then and remembered."""

from dataclasses import dataclass

from router.ports import Clock, Memory, Pool

EVERY_S = 600.0
"""The history tells what no event told; where there are no events, it is read in each pass."""


@dataclass
class History:
    """What has been read of the history, over the passes of a loop."""

    pool: Pool
    memory: Memory
    clock: Clock
    _read: float = 0.0
    """When, seconds since the epoch; 0: since the start, or since the clock was set, never."""
    _unread: float = 0.0
    """From when on it is read next, where it was read before the clock was set."""

    def learn(self, anyway: bool) -> None:
        """Remember the jobs that ended since the history was read last, where that is long ago, or `anyway`."""
        now = self.clock.now()
        if not anyway and self._read <= now < self._read + EVERY_S:
            return
        since, before = self.memory.last_ended(now), self._read or self._unread
        self.memory.record_ended(self.pool.ended(min(since, before) if before else since))
        self._read = now

    def clock_was_set(self, by_s: float) -> None:
        """What nobody has read carries times of before or of after."""
        self._unread = min(before, before + by_s) if (before := self._read or self._unread) else 0.0
        self._read = 0.0
