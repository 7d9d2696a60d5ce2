"""Learning from the epoch history how storage elements serve jobs: read now and then, each second of it once."""

import logging
from dataclasses import dataclass, field

from router.errors import TemporaryError
from router.model.fetch import UNDECLARED, Fetch
from router.ports import Clock, FetchMemory, FetchSource

log = logging.getLogger(__name__)

EVERY_S = 60.0
GRACE_S = 5
"""What happened is written down within so many seconds."""
FIRST_S = 3600
"""The first read goes back so far."""


@dataclass
class FetchReader:
    """Reads what jobs told of copies, and counts it for the metrics."""

    source: FetchSource
    memory: FetchMemory
    elements: frozenset[str]
    """The declared storage elements."""
    clock: Clock
    every_s: float = EVERY_S
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    """Tries since the start, by storage element and cause."""
    _due: float = 0.0

    def step(self) -> None:
        """Read on where that is due. What cannot be read is told and left behind: it must not stop what follows."""
        now = self.clock.now()
        if self._due - self.every_s <= now < self._due:
            return
        self._due = now + self.every_s
        upto = int(now) - GRACE_S
        after = min(max(self.memory.fetches_read(), upto - FIRST_S), upto)
        tries: tuple[Fetch, ...] = ()
        try:
            found = self.source.tries(after, upto)
            tries = found.tries
            if found.more:
                log.warning("jobs told of more copies in %d s than are read; the older ones are left out", upto - after)
        except TemporaryError as error:
            log.warning("what jobs told of copies in the last %d s is not known: %s", upto - after, error)
        finally:
            self.source.close()
        self.memory.record_fetches(tries, self.elements, upto)
        for each in tries:
            key = (each.se if each.se in self.elements else UNDECLARED, each.cause)
            self.counts[key] = self.counts.get(key, 0) + 1
