"""Stage-out: outputs on their way from where jobs left them to where their owner wants them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from router.errors import TemporaryError
from router.model.files import File


class TransferCause(StrEnum):
    """Why a copy failed, as far as the storage tells."""

    QUOTA = "quota"
    PERMISSION = "permission"
    DOWN = "destination-down"
    CHECKSUM = "checksum"
    TIME_OUT = "time-out"
    SOURCE_MISSING = "source-missing"
    SOURCE_DOWN = "source-down"
    NOT_DECLARED = "not-declared"
    OTHER = "other"


DESTINATIONS_FAULT = frozenset(
    {TransferCause.QUOTA, TransferCause.PERMISSION, TransferCause.DOWN, TransferCause.TIME_OUT, TransferCause.OTHER}
)
"""Causes that another copy to the same destination would probably meet too."""


class TransferState(StrEnum):
    """How far an output is."""

    WAITING = "waiting"
    """It lies where the job left it."""
    SENT = "sent"
    """A transfer service has been asked to bring it."""
    ARRIVED = "arrived"
    """It lies at its destination, verified and registered; the bytes at the source are still to be removed."""
    MOVED = "moved"
    FAILED = "failed"
    """It lies where the job left it, and nothing more is tried."""


class TransferError(TemporaryError):
    """A storage did not do what was asked; the message is what it said."""

    def __init__(self, cause: TransferCause, words: str) -> None:
        """Name the cause, in the storage's `words`."""
        super().__init__(words)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Fault:
    """How one copy failed."""

    cause: TransferCause
    words: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """One output, and where it is to go. Physical names are made from the declared storage, never from a report."""

    file: File
    owner: str
    task: str
    job: str
    source: str
    """Storage element where the job left it."""
    destination: str
    """Storage element where its owner wants it."""
    state: TransferState = TransferState.WAITING
    epoch: int = 0
    """Copies begun; what is told of an older copy than the last is not believed."""
    tries: int = 0
    """Copies that failed."""
    due: float = 0.0
    """Not before this is it copied again, seconds since the epoch."""
    cause: str = ""
    words: str = ""
    bulk: str = ""
    """What a transfer service was given it under, with others."""
    path: str = ""
    """Its name at the source, below the storage's prefix; empty: the logical name."""
    stays: bool = False
    """The source keeps its copy: it is a further copy of a dataset, and no output that moves."""

    @property
    def at_source(self) -> str:
        """Its name at the source."""
        return self.path or self.file.lfn


@dataclass(frozen=True, slots=True)
class Service:
    """Between which storage elements a transfer service copies for us."""

    destinations: frozenset[str] = frozenset()
    """Those to which it is to bring outputs."""
    sources: frozenset[str] = frozenset()
    """Those that it can read."""

    def brings(self, transfer: Transfer) -> bool:
        """Whether it is what brings an output to its destination."""
        return transfer.destination in self.destinations and transfer.source in self.sources


@dataclass(frozen=True, slots=True)
class Destination:
    """How copies to a storage element went lately."""

    se: str
    streak: int = 0
    """Copies in a row that failed for what may be the storage's fault."""
    cause: str = ""
    words: str = ""
    at: float = 0.0
    """When the last of them failed, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class WriteTest:
    """What came of writing a small file to a storage element, as outputs are written there."""

    se: str
    at: float
    """When, seconds since the epoch."""
    since: float
    """Since when every test has come to the same, seconds since the epoch."""
    took_s: float
    cause: str = ""
    """Empty: it was written, read back, named and removed."""
    words: str = ""


@dataclass(frozen=True, slots=True)
class StageOutWorld:
    """All that one decision on transfers may see."""

    now: float
    waiting: tuple[Transfer, ...] = ()
    """Those that are due, the longest first."""
    arrived: tuple[Transfer, ...] = ()
    elements: frozenset[str] = frozenset()
    """The declared storage elements."""
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    service: Service = Service()
    sent: tuple[Transfer, ...] = ()
    """What the service was given and has not ended, as far as we know; due since it was given."""
    looked: bool = False
    """Whether it was asked in this pass how far that is."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Bring an output to its destination."""

    transfer: Transfer


@dataclass(frozen=True, slots=True)
class Send:
    """Have a transfer service bring outputs of one destination to it."""

    bulk: str
    """The name under which it gets them: the same for the same copies of the same outputs."""
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Ask a transfer service how far what it was given is."""

    bulk: str
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """Have a transfer service bring outputs no more."""

    bulk: str
    transfers: tuple[Transfer, ...]
    fault: Fault


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove the bytes that an output left behind at its source."""

    transfer: Transfer


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Try no more; the output stays where it is."""

    transfer: Transfer
    fault: Fault


StageOutAction = Copy | Send | Look | Recall | Clear | GiveUp


@dataclass(frozen=True, slots=True)
class StageOutCount:
    """Outputs of a task that are alike in how far they are."""

    state: TransferState
    destination: str
    cause: str
    words: str
    """What the storage said of one of them."""
    outputs: int
    due: float
    """When the first is tried again, seconds since the epoch."""
