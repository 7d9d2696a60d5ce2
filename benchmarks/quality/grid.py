"""What is given in a simulation: sites, their outages, and the jobs. Nothing here changes while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LARGEST_SLOT = 64
"""Cores that one job can have at most: those of a worker node."""


@dataclass(frozen=True, slots=True)
class GridSite:
    """One site."""

    name: str
    slots: int
    """Cores that glideins can have there."""
    egress: float = float("inf")
    """Bytes a second that its storage serves to all other sites together."""
    region: str = ""
    tier: int = 2
    memory_mb: int = 16_384
    """Memory of the largest slot."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A site is down for a while."""

    site: int
    start: float
    end: float
    announced: float
    """When the router's sources say so, in seconds; often after the start."""
    kind: str
    """`kill`: running jobs are lost, no glideins, storage serves on. `stall`: jobs and storage hang.
    `hole`: every job that starts fails after a minute."""


@dataclass(frozen=True, slots=True)
class Network:
    """How fast bytes come in."""

    lan: float = 100e6
    """Bytes a second of one job that reads from its own site's storage."""
    wan: float = 20e6
    """Most bytes a second of one job that reads from another site."""
    links: tuple[tuple[int, int, float], ...] = ()
    """From, to, most bytes a second of one job: where it is known to be slower than `wan`."""


@dataclass(frozen=True, slots=True)
class Supply:
    """How glideins come and go."""

    ramp_s: float = 600.0
    """Median time from asking for a glidein to its joining, in seconds; 0: all slots are always there."""
    idle_s: float = 1200.0
    """Glideins idle for this long leave."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The computing side of a simulation."""

    sites: tuple[GridSite, ...]
    outages: tuple[Outage, ...] = ()
    network: Network = Network()
    supply: Supply = Supply()
    quotas: tuple[tuple[str, float], ...] = ()
    """Share of the pool that each accounting group is promised, 0..1; empty: only users count."""

    @property
    def slots(self) -> int:
        """Cores in all."""
        return sum(site.slots for site in self.sites)


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """Jobs that are alike: one cluster."""

    task: str
    user: str
    replicas: tuple[int, ...] = ()
    """Sites that hold the input; empty: no input."""
    partial: tuple[tuple[int, float], ...] = ()
    """Sites that hold a share of it, 0..1."""
    group: str = ""
    dataset: str = ""
    cores: int = 1
    memory_mb: int = 2048
    walltime_s: int = 86_400
    """What the user asks for; the true run time is known to nobody beforehand."""


@dataclass(frozen=True)
class Workload:
    """All jobs, as columns, in order of submission."""

    batches: tuple[BatchSpec, ...]
    batch: Ints
    """Index into `batches`."""
    submit: Floats
    """Seconds since the simulation began."""
    runtime: Floats
    """Seconds of computing once the input is there."""
    bytes: Floats
    """Input of the job."""

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def cores(self) -> Ints:
        """Cores of each job."""
        return np.array([batch.cores for batch in self.batches], dtype=np.int64)[self.batch]


@dataclass(frozen=True)
class Setting:
    """One thing to simulate: a grid, its jobs, and how the router sees it."""

    grid: Grid
    workload: Workload
    seed: int
    lag_s: float = 0.0
    """How old what the router knows of sites is, in seconds."""
    pass_s: float = 60.0
    """Time between two passes of the router."""
    cycle_s: float = 60.0
    """Time between two negotiation cycles."""
    title: str = field(default="", compare=False)


def merged(outages: Sequence[Outage]) -> tuple[Outage, ...]:
    """The outages without those that begin while another of the same site lasts."""
    kept: list[Outage] = []
    ends: dict[int, float] = {}
    for outage in sorted(outages, key=lambda each: (each.start, each.site)):
        if outage.start >= ends.get(outage.site, -1.0) and outage.end > outage.start:
            ends[outage.site] = outage.end
            kept.append(outage)
    return tuple(kept)
