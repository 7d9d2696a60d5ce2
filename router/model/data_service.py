"""Data services of experiments: what they tell of a dataset, and how each is to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.errors import UserError
from router.model.files import Located
from router.model.lumis import Lumis, Range
from router.model.rights import within


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """One data service, and the part of the catalogue's names that it answers for."""

    name: str
    plugin: str
    """The entry point that speaks to it."""
    prefix: str
    """Every name below this is the service's."""
    elements: Mapping[str, str] = field(default_factory=dict)
    """Storage elements by what the service calls them, where the names differ."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What the plug-in alone understands, such as the service's address."""
    deadline_s: float = 30.0
    """So long may one answer take, in seconds; a hundred thousand files take a service some seconds."""
    keep_s: float = 600.0
    """So long is an answer believed before the service is asked again, in seconds."""
    most_files: int = 100_000
    """Datasets of more files are refused."""

    def option(self, name: str) -> str:
        """An option that the plug-in cannot do without. Raises UserError."""
        if name not in self.options:
            raise UserError(f"data_services.{self.name}.options.{name} is missing in the settings.")
        return self.options[name]

    def owns(self, name: str) -> bool:
        """Whether the service answers for a canonical name."""
        return within(name, self.prefix)


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A file as a service tells of it. Nothing in it is believed before it is checked."""

    lfn: str
    size: int
    """Bytes."""
    adler32: str
    storage: tuple[str, ...] = ()
    """Where its copies are, by the service's own names."""
    events: int = 0
    lumis: tuple[Range, ...] = ()
    path: str = ""
    """Its name below each storage's prefix; empty: the logical name."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service tells of one dataset, checked."""

    service: str
    dataset: str
    files: tuple[Located, ...]
    lumis: Mapping[str, Lumis] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """Copies at storage that no site declares, by the service's name of it."""
    digest: str = ""
    """SHA-256 of what it tells: equal answers have equal ones; empty: nobody made it."""

    @property
    def copies(self) -> int:
        """Copies at storage that sites declare."""
        return sum(len(each.replicas) for each in self.files)


@dataclass(frozen=True, slots=True)
class Answered:
    """How a service answered for a dataset last."""

    dataset: str
    service: str
    asked: float
    """When it was asked last, seconds since the epoch."""
    answered: float
    """When it last gave an answer that is believed; 0: never."""
    words: str
    """What was wrong with the last answer; empty: nothing."""
    files: int = 0
    copies: int = 0
    bytes: int = 0
