"""The event log of a pool in memory."""

from router.model.event import Events
from router.testing.pool import FakePool


class FakeEventLog:
    """Tells what happened in a FakePool; a position is the number of events before it."""

    def __init__(self, pool: FakePool) -> None:
        """Read the log of `pool`."""
        self._pool = pool
        self.forgotten = 0
        """Events that were rotated away."""

    def read(self, after: str) -> Events:
        """The events after a position."""
        told = self._pool.schedd.events
        start = int(after or 0)
        return Events(tuple(told[max(start, self.forgotten) :]), str(len(told)), lost=start < self.forgotten)
