"""What a check of the installation sees, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How one thing is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TokenFact:
    """A token in a file, as it says of itself; its signature is HTCondor's to verify."""

    path: str
    mode: int
    subject: str
    expires: float | None
    """Seconds since the epoch; None: never."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a check sees, at one instant."""

    now: float
    """Seconds since the epoch."""
    unreachable: str = ""
    """Why the schedd does not answer; empty when it does."""
    schedd_version: str = ""
    bindings_version: str = ""
    schedd_time: float = 0.0
    """When the schedd last spoke, by its own clock."""
    rights: Mapping[str, bool] | None = None
    """What the schedd lets the router do; None where this user cannot act as the router."""
    settings: Mapping[str, str] | None = None
    """What the running schedd is configured to, by name; None where it does not say."""
    tokens: tuple[TokenFact, ...] = ()
    exposed: tuple[str, ...] = ()
    """Files with secrets that others may read."""
    one_persons: bool = False
    """Whether the pool is an embedded one."""
    free_mb: Mapping[str, int] | None = None
    """Space left, by folder."""
    ports: Mapping[str, str] | None = None
    """For each daemon that says it serves metrics, why it does not answer; empty when it does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, how it is, and how to mend it."""

    check: str
    health: Health
    words: str
    fix: str = ""
