"""Further copies of datasets that many jobs wait for: where they are made, why, and how far each is."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class PlacementPolicy:
    """When a dataset gets a further copy, and when that goes again."""

    per_day_mb: int = 0
    """What may be copied in 24 hours in all, in MB of 1024 kB; 0: no copies are made."""
    site_per_day_mb: int = 0
    """The same for one site; 0: as in all."""
    wait_s: float = 4 * 3600.0
    """Datasets are looked at whose next job would be done waiting and reading only after so long, in seconds."""
    least_jobs: int = 20
    """Fewer idle jobs than this are not worth a copy."""
    least_gain_s: float = 2 * 3600.0
    """A copy is made only where the next job would begin so much sooner, in seconds …"""
    least_gain: float = 0.5
    """… and by this share of the time, 0..1."""
    least_read: float = 0.5
    """The waiting jobs read at least this share of the dataset's bytes, 0..1; it is copied whole."""
    mb_s: float = 100.0
    """How fast the stage-out agent copies a dataset, in MB (10^6 bytes) per second."""
    most_open: int = 3
    """Datasets that are being copied at once."""
    keep_s: float = 7 * 86400.0
    """A copy that no job has had for so long is removed, in seconds."""
    look_s: float = 300.0
    """Between two looks, in seconds: brokerage has to see what the last one brought."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A copy of a dataset that was made here, as far as it is."""

    dataset: str
    se: str
    site: str
    words: str
    """Why it was made."""
    asked: float
    """When that was decided, seconds since the epoch."""
    used: float
    """When a job last had it, or waited for it there, seconds since the epoch."""
    files: int
    bytes: int
    waiting: int = 0
    """Files that are still to be copied."""
    failed: int = 0
    """Files of which no copy could be made."""
    fault: str = ""
    """What one of those said."""
    there: int = 0
    """Files whose copy is there."""
    only: int = 0
    """Files of which it is the only copy that can be read."""
    leaving: bool = False
    """It is being removed."""

    @property
    def may_go(self) -> int:
        """Files that could be taken away, or need not be copied any more."""
        return self.there - self.only + self.waiting + self.failed

    @property
    def state(self) -> str:
        """How far it is, in words."""
        if self.leaving:
            return "is being removed"
        if self.waiting:
            return f"is being made: {self.files - self.waiting - self.failed:,} of {self.files:,} files"
        return f"lacks {self.failed:,} of {self.files:,} files: {self.fault}" if self.failed else "is there"

    def __str__(self) -> str:
        """The copy as a person reads of it."""
        return f"A copy of {self.dataset} at {self.se} {self.state}; it was decided because {self.words}"


class PlacedState(StrEnum):
    """How far one file of such a copy is."""

    WAITING = "waiting"
    PLACED = "placed"
    FAILED = "failed"
    LEAVING = "leaving"
    """It is no longer in the catalogue; its bytes are still to be removed."""


@dataclass(frozen=True, slots=True)
class Hot:
    """A dataset whose jobs wait long."""

    dataset: str
    jobs: int
    """Idle ones that read it."""
    read: int
    """Bytes that these read in all."""
    wait_s: float
    """Until the next one would begin to compute, where it is best now."""


@dataclass(frozen=True, slots=True)
class Replicate:
    """Copy a dataset to a storage element."""

    dataset: str
    se: str
    site: str
    bytes: int
    gain_s: float
    words: str


@dataclass(frozen=True, slots=True)
class Expire:
    """Take a copy of a dataset away that was made here, all files but those of which it is the only copy."""

    dataset: str
    se: str
    site: str
    words: str
