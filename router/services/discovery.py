"""Data services of experiments, asked on a user's behalf: what they tell becomes part of the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from router.decide.mirror import doubt, is_due
from router.errors import NotFound, RouterError, TemporaryError, UserError
from router.model.data_service import Answered
from router.model.files import Located
from router.model.rights import canonical
from router.ports import Clock
from router.ports.data_service import DataSource, Mirror


@dataclass(frozen=True, slots=True)
class Discovery:
    """The declared data services."""

    sources: Sequence[DataSource]
    memory: Mirror
    clock: Clock

    def look(self, name: str) -> str:
        """Ask the service of a dataset, or of a file of one, where what it told is old.

        Returns words where what it told before has to do; empty: all is well, or the name is no service's. Raises
        NotFound where the service has no such dataset, and what it raises where it never told of it.
        """
        try:
            wanted = canonical(name)
        except ValueError:  # whoever asked next says so, in words
            return ""
        source = next((each for each in self.sources if each.settings.owns(wanted)), None)
        if source is None:
            return ""
        dataset = self.memory.mirrored_dataset(wanted) or wanted
        known = self.memory.answered([dataset]).get(dataset)
        if known and known.answered and not is_due(known, source.settings, self.clock.now()):
            return _stale(known, known.words) if known.words else ""
        return self._ask(source, dataset, known)

    def publish(self, dataset: str, files: Sequence[Located]) -> int:
        """Hand files to the service of a dataset; returns how many. Raises UserError, and what the service raises."""
        try:
            wanted = canonical(dataset)
        except ValueError as error:
            raise UserError(f"The name {error}.") from None
        source = next((each for each in self.sources if each.settings.owns(wanted)), None)
        if source is None:
            known = ", ".join(f"{each.settings.prefix} ({each.settings.name})" for each in self.sources) or "none"
            raise UserError(f"No data service answers for {wanted}. Names that one answers for are below: {known}.")
        if homeless := next((each for each in files if not each.replicas), None):
            raise UserError(f"{homeless.file.lfn} has no copy that can be read, and is not published.")
        source.register(wanted, files)
        return len(files)

    def _ask(self, source: DataSource, dataset: str, known: Answered | None) -> str:
        name = source.settings.name
        try:
            answer = source.ask(dataset)
            if words := doubt(known, answer, self.clock.now()):
                raise TemporaryError(f"{words[0].upper()}{words[1:]}; it is not believed for a day.")
            self.memory.mirror(answer, self.clock.now())
        except (NotFound, UserError) as error:
            self.memory.note_unanswered(name, dataset, str(error), self.clock.now())
            raise
        except RouterError as error:
            self.memory.note_unanswered(name, dataset, str(error), self.clock.now())
            if known is None or not known.answered:
                raise
            return _stale(known, str(error))
        return ""


def _stale(known: Answered, words: str) -> str:
    at = datetime.fromtimestamp(known.answered, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{words} What it told of {known.dataset} at {at} is used."
