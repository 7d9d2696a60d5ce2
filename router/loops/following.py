"""Follows the data services for what jobs in the queue read, beside the passes: none waits for a service."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from router.decide.mirror import doubt, is_due
from router.errors import LeaseLost, RouterError, TemporaryError
from router.model.data_service import Answered
from router.model.job import JobState
from router.model.world import World
from router.ports import Clock
from router.ports.data_service import DataSource, Mirror, PendingAnswer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Open:
    """A question that is under way."""

    source: DataSource
    dataset: str
    pending: PendingAnswer
    begun: float


@dataclass
class Following:
    """The data services as the route loop asks them, one question each at a time."""

    sources: Sequence[DataSource]
    memory: Mirror
    clock: Clock
    failed: dict[str, int] = field(default_factory=dict)
    """Answers since the start that did not come or are not believed, by service."""
    _open: dict[str, _Open] = field(default_factory=dict)

    def step(self, world: World) -> bool:
        """Take over what has been answered, and ask for what is old; returns whether copies came or went."""
        changed = [self._taken(each) for each in list(self._open.values())]
        for source, dataset in self._due(world):
            self._begin(source, dataset)
        return any(changed)

    def _due(self, world: World) -> Iterator[tuple[DataSource, str]]:
        """Of each service that owes no answer the dataset whose answer is the oldest."""
        states = (JobState.IDLE, JobState.RUNNING)
        read = {group.dataset for group in world.jobs if group.dataset and group.state in states}
        for source in self.sources:
            mine = sorted(name for name in read if source.settings.owns(name))
            if source.settings.name in self._open or not mine:
                continue
            known, now = self.memory.answered(mine), self.clock.now()
            due = [name for name in mine if is_due(known.get(name), source.settings, now)]
            if due:
                yield source, min(due, key=lambda name: (known[name].asked if name in known else 0.0, name))

    def _begin(self, source: DataSource, dataset: str) -> None:
        name, now = source.settings.name, self.clock.now()
        try:
            self._open[name] = _Open(source, dataset, source.begin(dataset), now)
        except TemporaryError as error:
            self._note(source, dataset, str(error))

    def _taken(self, asked: _Open) -> bool:
        """Take an answer over if it has come; returns whether copies came or went."""
        service = asked.source.settings
        late = self.clock.now() >= asked.begun + service.deadline_s
        if not asked.pending.ended and not late:
            return False
        del self._open[service.name]
        try:
            answer = asked.pending.answer(0.0)
            known: Answered | None = self.memory.answered([asked.dataset]).get(asked.dataset)
            if words := doubt(known, answer, self.clock.now()):
                raise TemporaryError(words)
            return self.memory.mirror(answer, self.clock.now())
        except LeaseLost:
            raise
        except RouterError as error:
            self._note(asked.source, asked.dataset, str(error))
            return False

    def _note(self, source: DataSource, dataset: str, words: str) -> None:
        name = source.settings.name
        self.failed[name] = self.failed.get(name, 0) + 1
        log.warning("the data service %s, asked for %s: %s", name, dataset, words)
        self.memory.note_unanswered(name, dataset, words, self.clock.now())
