"""Entries, and the glideins that come from them."""

from dataclasses import dataclass, field
from enum import StrEnum

from router.model.node import Gpus, Platform

MARGIN_S = 300
"""A glidein takes no job that would not end this long before itself: it validates its node and shuts down."""


@dataclass(frozen=True, slots=True)
class Software:
    """What an entry promises to jobs beyond the operating system."""

    python: str = ""
    """Absolute path of the Python interpreter jobs get first on PATH; empty: the system's."""
    modules: tuple[str, ...] = ()
    """Python modules that interpreter must be able to import; the glidein checks it."""
    tags: tuple[str, ...] = ()
    """What else is there: names, and paths such as those of CVMFS repositories, which the glidein checks."""

    @property
    def all_tags(self) -> tuple[str, ...]:
        """What jobs may ask for by name: tags and modules."""
        return tuple(sorted({*self.tags, *self.modules}))


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to start glideins at a site."""

    name: str
    site: str
    cpus: int = 1
    """Cores of one glidein."""
    memory_mb: int = 2048
    """Memory of one glidein, in MB (1024 kB)."""
    disk_mb: int = 10240
    """Scratch space of one glidein, in MB."""
    walltime_s: int = 86400
    """How long one glidein may live, in seconds."""
    max_glideins: int = 10
    """Never more glideins than this at once, waiting or running."""
    min_glideins: int = 0
    """Keep at least this many, even when no job asks for them."""
    idle_s: int = 1200
    """A glidein without a job for this long ends, in seconds."""
    grid_resource: str = ""
    """HTCondor grid resource (`batch slurm`, `condor SCHEDD COLLECTOR`); empty: a local-universe job of the factory."""
    software: Software = Software()
    gpus: Gpus = Gpus()
    """GPUs of one glidein."""
    arch: str = ""
    os: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Further KEY, value pairs for glidein_config; the validation scripts read their thresholds there."""

    @property
    def platform(self) -> Platform:
        """What is promised of its nodes."""
        return Platform(self.arch, self.os, self.software.all_tags)


class GlideinState(StrEnum):
    """Where a glidein is in its life, as the factory's schedd and the VO's collector tell."""

    WAITING = "waiting"
    """Submitted; its batch system has not started it."""
    STARTING = "starting"
    """Its job runs; no startd has joined the pool yet."""
    IDLE = "idle"
    BUSY = "busy"
    RETIRING = "retiring"
    """Takes no further jobs."""
    FAILED = "failed"
    """A validation script refused the node."""


@dataclass(frozen=True, slots=True)
class ValidationFailure:
    """What a glidein said when one of its scripts refused the node."""

    entry: str
    site: str
    script: str
    kind: str
    """One of GlideinWMS's failure types: WN_Resource, Network, Config, VO_Config, Corruption, VO_Proxy."""
    message: str
    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class EntryState:
    """The glideins of one entry, counted by state, and its newest refusal."""

    entry: Entry
    counts: tuple[tuple[GlideinState, int], ...] = ()
    failure: ValidationFailure | None = None
    glideins: tuple[str, ...] = field(default=(), compare=False)
    """Job ids of the glideins at the factory's schedd, newest last."""

    def count(self, *states: GlideinState) -> int:
        """Number of glideins in any of `states`."""
        return sum(n for state, n in self.counts if state in states)
