"""Where files come from: the jobs that made them, what those read, and so on back to what was registered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from router.model.files import File
from router.model.lumis import NONE, Lumis

MOST_FILES = 100_000
"""Files of one lineage; a longer one is cut off, and says so."""


class Standing(StrEnum):
    """What has become of a file that somebody read or made."""

    REGISTERED = "registered"
    REMOVED = "removed"
    """It was in the catalogue, and was removed."""
    CHANGED = "changed"
    """Another file has its name by now."""
    UNSEEN = "unseen"
    """It is gone, or it may not be read by whoever asks: these are told alike."""


@dataclass(frozen=True, slots=True)
class Maker:
    """The job that made a file, as the router noted it when it registered the file."""

    task: str
    job: str
    cluster: int
    proc: int

    @property
    def id(self) -> str:
        """HTCondor's job id."""
        return f"{self.cluster}.{self.proc}"


@dataclass(frozen=True, slots=True)
class Traced:
    """A file as the catalogue knows it, with the job that made it."""

    file: File
    guid: str
    created: float
    """Seconds since the epoch."""
    owner: str
    removed: bool = False
    maker: Maker | None = None
    """None: no job of glideroute's, as far as is known."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a job read of a file."""

    lfn: str
    size: int = -1
    """Bytes; -1: not told."""
    adler32: str = ""
    """Empty: not told."""
    first_event: int = 0
    events: int = 0
    lumis: Lumis = NONE
    se: str = ""
    """The storage element it was read from; empty: not told."""


class Source(StrEnum):
    """Who tells what a job read."""

    REPORT = "report"
    """The job's wrapper, of the files it fetched."""
    DESCRIPTION = "description"
    """What the job was given."""
    BATCH = "batch"
    """The ledger, of all jobs of its batch together: the job itself may have read less."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a lineage."""

    lfn: str
    standing: Standing
    size: int = -1
    adler32: str = ""
    events: int = 0
    guid: str = ""
    owner: str = ""
    created: float = 0.0
    """Seconds since the epoch; 0: not known."""
    maker: Maker | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """A job as it ran, in the words of its ledger, its description and its report."""

    maker: Maker
    batch: str = ""
    merge: bool = False
    program: str = ""
    arguments: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    uses: tuple[Use, ...] = ()
    told_by: Source = Source.NOBODY
    """Who tells what it read."""
    site: str = ""
    host: str = ""
    node: tuple[tuple[str, str], ...] = ()
    """What the glidein says of itself, of the node and of its software."""
    code: tuple[tuple[str, str], ...] = ()
    """SHA-256 of each file of code, as the job found it."""
    started: float = 0.0
    ended: float = 0.0
    """Seconds since the epoch; 0: not known."""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a lineage says of a task."""

    id: str
    owner: str
    created: float
    document: str
    """The payload document, as it was submitted."""
    document_digest: str
    """Its SHA-256."""
    submission_digest: str
    """SHA-256 of the document, the files of code and the names and checksums of the input, when it was submitted."""
    program: str
    program_digest: str
    """SHA-256 when it was submitted; empty: not known."""
    reads: str = ""
    """Its input, in words."""
    split: str = ""
    container: str = ""
    software: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is known of where some files come from."""

    roots: tuple[str, ...]
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    """By name."""
    executions: Mapping[tuple[str, str], Execution] = field(default_factory=dict)
    """By task and job."""
    tasks: Mapping[str, TaskFacts] = field(default_factory=dict)
    """By id."""
    cut: bool = False
    """Whether more lies behind what is told."""

    def made(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """The names of the files that each job made, of those in the lineage, sorted."""
        found: dict[tuple[str, str], list[str]] = {}
        for lfn, each in sorted(self.artifacts.items()):
            if key := _key(each):
                found.setdefault(key, []).append(lfn)
        return {key: tuple(names) for key, names in found.items() if key in self.executions}

    def makers(self, lfns: Iterable[str]) -> dict[tuple[str, str], Execution]:
        """The jobs that made these files, as far as they are told."""
        keys = {_key(self.artifacts[lfn]) for lfn in lfns if lfn in self.artifacts}
        return {key: each for key, each in self.executions.items() if key in keys}


def _key(artifact: Artifact) -> tuple[str, str] | None:
    return (artifact.maker.task, artifact.maker.job) if artifact.maker else None
