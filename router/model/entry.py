"""What a name of the catalogue stands for, as people see it."""

from dataclasses import dataclass
from enum import StrEnum

from router.model.files import Replica
from router.model.rights import Rights


class Kind(StrEnum):
    """What a name stands for."""

    DIRECTORY = "directory"
    FILE = "file"
    DATASET = "dataset"
    LINK = "link"


class ReplicaState(StrEnum):
    """How a file's copy is; only those that are available are read."""

    AVAILABLE = "available"
    COPYING = "copying"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name."""

    name: str
    kind: Kind
    rights: Rights
    created: float
    """Seconds since the epoch."""
    size: int = 0
    """Bytes of a file."""
    events: int = 0
    adler32: str = ""
    guid: str = ""
    target: str = ""
    """Where a link leads."""
    closed: bool = False
    """Whether a dataset takes no more files."""
    copies: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """A file's replica with its state."""

    replica: Replica
    state: ReplicaState


@dataclass(frozen=True, slots=True)
class Removed:
    """A file that was removed and can be restored."""

    guid: str
    name: str
    owner: str
    size: int
    removed: float
    """Seconds since the epoch."""
    by: str


@dataclass(frozen=True, slots=True)
class Quota:
    """What somebody may own, and owns; 0 is no limit."""

    owner: str
    bytes: int
    files: int
    used_bytes: int
    used_files: int

    @property
    def full(self) -> bool:
        """Whether nothing more fits."""
        return bool((self.bytes and self.used_bytes >= self.bytes) or (self.files and self.used_files >= self.files))


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what in the catalogue."""

    at: float
    """Seconds since the epoch."""
    user: str
    what: str
    name: str
    count: int
    detail: str


@dataclass(frozen=True, slots=True)
class Purgeable:
    """A removed file of which there are copies still."""

    guid: str
    lfn: str
    owner: str
    removed: float
    """When, seconds since the epoch."""
    copies: tuple[Replica, ...]
    shared: bool = False
    """Whether another file is said to have the same bytes, as a renamed one has."""
