"""What an experiment's data service is to us: the seam that plug-ins of other packages implement.

A plug-in is a function that takes its `ServiceSettings` and returns a `DataService`; a package offers it as an entry
point of the group `glideroute.catalogues`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from router.model.data_service import Answered, ServiceAnswer, ServiceFile, ServiceSettings
from router.model.files import Located


class DataService(Protocol):
    """Tells which files a dataset has and where their copies are.

    It is called from one thread at a time, may take as long as it needs, and is given up after its deadline. What it
    yields is checked by the caller. Raises NotFound for a dataset that the service does not have, TemporaryError
    while the service does not answer, and RouterError, in words for the user, for all else.
    """

    def files(self, dataset: str) -> Iterable[ServiceFile]:
        """The files of a dataset by its whole logical name, in any order, page by page as they come."""
        ...


@runtime_checkable
class Registrar(Protocol):
    """What a data service can do besides that takes files; safe to repeat after it was cut short."""

    def register(self, dataset: str, files: Sequence[Located]) -> None:
        """Add files with their copies, and put them into a dataset that is made where it is missing."""
        ...


class PendingAnswer(Protocol):
    """An answer that is under way."""

    @property
    def ended(self) -> bool:
        """Whether it has come, or an error."""
        ...

    def answer(self, deadline_s: float) -> ServiceAnswer:
        """The answer, waited for so many seconds. Raises as `ask` does."""
        ...


class DataSource(Protocol):
    """A data service as the rest of glideroute asks it: bounded, checked, and in our names."""

    @property
    def settings(self) -> ServiceSettings:
        """Which names it answers for, and how long its answers are believed."""
        ...

    def ask(self, dataset: str) -> ServiceAnswer:
        """What it tells of a dataset. Raises NotFound, TemporaryError past the deadline, and RouterError."""
        ...

    def begin(self, dataset: str) -> PendingAnswer:
        """The same without waiting. Raises TemporaryError while an earlier question is not answered."""
        ...

    def register(self, dataset: str, files: Sequence[Located]) -> None:
        """Give it files; raises UserError where it takes none, TemporaryError past the deadline, and RouterError."""
        ...


class Mirror(Protocol):
    """What is remembered of the answers of data services: they become part of the catalogue."""

    def mirror(self, answer: ServiceAnswer, now: float) -> bool:
        """Take an answer over: files, copies and the dataset become as it says; returns whether anything is new.

        Raises RouterError where a file is told to have other bytes than it had: files never change.
        """
        ...

    def note_unanswered(self, service: str, dataset: str, words: str, now: float) -> None:
        """Remember that a service gave no answer that is believed; what it told before stays."""
        ...

    def answered(self, datasets: Sequence[str] = ()) -> Mapping[str, Answered]:
        """How services answered for these datasets last, or for all that were ever asked for."""
        ...

    def mirrored_dataset(self, lfn: str) -> str | None:
        """A dataset by which a data service told of a file; None: of a file that none told of."""
        ...
