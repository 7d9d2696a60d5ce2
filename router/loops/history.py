"""Jobs that left the queue, read from the schedd's history now and then and remembered."""

from dataclasses import dataclass

from router.ports import Clock, Memory, Pool

EVERY_S = 600.0
"""The history tells what no event told; where there are no events, it is read in each pass."""


@dataclass
class History:
    """Reads on where it was read before: no clock says which jobs are new, since clocks are set."""

    pool: Pool
    memory: Memory
    clock: Clock
    _read: float = 0.0
    """When, seconds since the epoch; 0: since the start, or since the clock was set, never."""

    def learn(self, anyway: bool) -> None:
        """Remember the jobs that ended since the history was read last, where that is long ago, or `anyway`."""
        now = self.clock.now()
        if not anyway and self._read <= now < self._read + EVERY_S:
            return
        self.memory.record_history(self.pool.ended(0.0, self.memory.history_read()))
        self._read = now

    def clock_was_set(self) -> None:
        """It is not known how long ago it was read."""
        self._read = 0.0
