"""What the ledger remembers: rows of history as values."""

from dataclasses import dataclass

from router.model.action import Verdict
from router.model.site import SiteStatus


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as planned, and the cluster it became."""

    task: str
    key: str
    jobs: int
    cluster: int | None
    """None: not injected yet."""


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision and what became of it."""

    cluster: int
    task: str
    batch: str
    kind: str
    """`place`, `move`, `wait` or `release`; of failed jobs `retry`, `give-up` or `mend`."""
    epoch: int
    """The decision's; of failed jobs the number of the hold."""
    jobs: int
    sites: tuple[str, ...]
    came_from: tuple[str, ...]
    tag: str
    words: str
    verdicts: tuple[Verdict, ...]
    at: float
    """Seconds since the epoch."""
    outcome: str
    """`pending`, `applied`, `superseded` or `unknown`."""


@dataclass(frozen=True, slots=True)
class OpenDecision:
    """A decision whose outcome nobody knows: the router was stopped before it could write it down."""

    number: int
    cluster: int
    kind: str
    epoch: int
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """Which daemon of a kind acts."""

    holder: str
    """In words; empty: nobody."""
    term: int
    """Grows with every change of the holder."""
    beat: int
    """Grows with every sign of life."""


@dataclass(frozen=True, slots=True)
class SiteState:
    """What an operator said of a site."""

    site: str
    status: SiteStatus
    reason: str
    by: str
    at: float
    """Seconds since the epoch."""
