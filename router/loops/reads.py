"""What jobs read, looked up once and again now and then: the catalogue changes more slowly than the queue.

A catalogue that has lost the inputs of many jobs at once is more likely to be wrong than they are to be gone. What it
said before stands until it says the same a few times.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from router.loops.observe import inputs
from router.model.job import JobGroup, Source
from router.model.task import Inputs
from router.ports import Clock, Memory

log = logging.getLogger(__name__)

EVERY_S = 300.0
"""Where inputs lie is looked up anew after so many seconds."""
MOST_LOST = 0.3
"""A larger share of what jobs read than this is not lost at once, 0..1."""
BELIEVED_AFTER = 3
"""Looks in a row that must say so before it is believed."""


@dataclass
class Reads:
    """The inputs of the jobs in the queue."""

    clock: Clock
    tape: frozenset[str]
    """Sites whose storage is tape."""
    _known: dict[Source, Inputs | None] = field(default_factory=dict)
    _looked: float = 0.0
    _doubted: dict[Source, Inputs | None] = field(default_factory=dict)
    """What is said to be lost and is not believed to be, with what was known of it before."""
    _doubts: int = 0

    def forget(self) -> None:
        """Look all of it up anew: copies came or went."""
        self._known, self._looked = {}, 0.0

    def __call__(self, jobs: Sequence[JobGroup], memory: Memory) -> Iterable[tuple[Source, Inputs]]:
        """What `jobs` read."""
        now, before = self.clock.now(), self._known
        if not self._looked <= now < self._looked + EVERY_S:
            self._known, self._looked = {}, now
        if new := [group for group in jobs if self._is_wanted(group)]:
            looked = self._believed(dict(inputs(new, memory, self.tape)), jobs, before)
            self._known = {**self._known, **dict.fromkeys((group.source for group in new), None), **looked}
        present = dict.fromkeys(group.source for group in jobs)
        return [(source, found) for source in present if (found := self._known[source]) is not None]

    def _is_wanted(self, group: JobGroup) -> bool:
        """Whether nobody has looked up what a group reads; of unplaced jobs also whether nothing was found."""
        if group.source not in self._known or group.source in self._doubted:
            return True
        known = self._known[group.source]
        return group.is_idle and not group.sites and (known is None or known.lost)

    def _believed(
        self, found: dict[Source, Inputs], jobs: Sequence[JobGroup], before: dict[Source, Inputs | None]
    ) -> dict[Source, Inputs | None]:
        """What was found, but for losses that are too many at once; jobs that have sites had their input there."""
        placed = {group.source for group in jobs if group.sites}
        lost = [source for source, read in found.items() if read.lost and source in placed]
        fresh = [source for source in lost if not ((known := before.get(source)) and known.lost)]
        reading = sum(read.size > 0 for read in {**self._known, **found}.values() if read)
        if not fresh or len(fresh) <= MOST_LOST * reading or self._doubts >= BELIEVED_AFTER - 1:
            self._doubted, self._doubts = {}, 0
            return dict(found)
        if not self._doubted:
            log.warning("the catalogue knows no copy of %d inputs of %d any more; asking again", len(fresh), reading)
        self._doubted = {source: self._doubted.get(source, before.get(source)) for source in fresh}
        self._doubts += 1
        return {**found, **self._doubted}
