"""What jobs read, looked up once and again now and then: the catalogue changes more slowly than the queue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from router.loops.observe import inputs
from router.model.job import JobGroup, JobState, Source
from router.model.task import Inputs
from router.ports import Clock, Memory

EVERY_S = 300.0
"""Where inputs lie is looked up anew after so many seconds."""


@dataclass
class Reads:
    """The inputs of the jobs in the queue."""

    clock: Clock
    tape: frozenset[str]
    """Sites whose storage is tape."""
    _known: dict[Source, Inputs | None] = field(default_factory=dict)
    _looked: float = 0.0

    def __call__(self, jobs: Sequence[JobGroup], memory: Memory) -> Iterable[tuple[Source, Inputs]]:
        """What `jobs` read."""
        now = self.clock.now()
        if not self._looked <= now < self._looked + EVERY_S:
            self._known, self._looked = {}, now
        if new := [group for group in jobs if self._is_wanted(group)]:
            self._known |= dict.fromkeys((group.source for group in new), None)
            self._known |= dict(inputs(new, memory, self.tape))
        present = dict.fromkeys(group.source for group in jobs)
        return [(source, found) for source in present if (found := self._known[source]) is not None]

    def _is_wanted(self, group: JobGroup) -> bool:
        """Whether nobody has looked up what a group reads; of unplaced jobs also whether nothing was found."""
        waits = group.state is JobState.IDLE and not group.sites
        return group.source not in self._known or (waits and self._known[group.source] is None)
