"""Sites: named places with compute and storage, as declared and as seen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from router.model.node import Gpus, Platform
from router.model.pilot import ValidationFailure

MB = 2**20
"""Bytes of 1024 kB, as HTCondor counts memory and disk."""


class SiteStatus(StrEnum):
    """What operators say about a site."""

    ONLINE = "online"
    DRAINING = "draining"
    """Runs what it has; gets nothing new."""
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How jobs ended at a site lately."""

    succeeded: int = 0
    failed: int = 0
    """Jobs that failed for what may be the site's fault."""
    starts: int = 0
    evictions: int = 0
    causes: tuple[tuple[str, int], ...] = ()
    """Failures by class, most first; the classes are those of `JobEvent.cause`."""
    streak: int = 0
    """Failures since the last job that ended well, however long ago that was."""
    streak_tasks: int = 0
    """Of how many tasks these are; more than two are told as two."""
    streak_at: float = 0.0
    """When the last of these was, seconds since the epoch."""
    failing_nodes: tuple[tuple[str, int, int], ...] = ()
    """Nodes where jobs failed and none ended well: how many for what may be the site's fault, and for the user's."""
    start_s: float = 0.0
    """Mean time from submission to the first start, of the jobs that started here; 0: none did."""

    @property
    def failure_rate(self) -> float:
        """Share of the ended jobs that failed, 0..1; 0 when none ended."""
        ended = self.succeeded + self.failed
        return self.failed / ended if ended else 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast jobs ended at a site lately."""

    freed_per_h: float | None
    """Cores that ended a job per hour; None: not watched long enough."""
    mean_run_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job can get of a glidein; of a site, the most of each that any of its glideins gives."""

    cpus: int = 0
    memory_mb: int = 0
    disk_mb: int = 0
    walltime_s: int = 0
    gpus: Gpus = Gpus()
    platform: Platform = Platform()
    """Of a site with several kinds of nodes, that of one of them: see `Site.platforms`."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What a site's storage is good for."""

    present: bool = True
    """False: the site declares none, and no output can be kept there."""
    tape: bool = False
    """Jobs cannot read what lies there, nor write to it."""
    space_mb: int = 0
    """What the organisation may use of it, in MB of 1024 kB; 0: nobody said."""
    reserve_mb: int = 0
    """With less than this free it takes no further outputs."""
    quota_mb: int = 0
    """What one user may use of it; 0: no limit."""
    used_mb: int = 0
    """What the catalogue has there, where space or quota are limited."""
    over: tuple[str, ...] = ()
    """Users who have used up their quota, sorted."""

    @property
    def free_mb(self) -> int:
        """What is left of the space."""
        return max(0, self.space_mb - self.used_mb)

    @property
    def takes_outputs(self) -> bool:
        """Whether there is room."""
        return not self.space_mb or self.free_mb > self.reserve_mb

    @property
    def limited(self) -> bool:
        """Whether it matters how much lies there."""
        return bool(self.space_mb or self.quota_mb)

    def filled(self, owners: Mapping[str, int]) -> "Storage":
        """The same with so many bytes of each owner's."""
        over = sorted(owner for owner, size in owners.items() if self.quota_mb and size >= self.quota_mb * MB)
        return replace(self, used_mb=sum(owners.values()) // MB, over=tuple(over))


@dataclass(frozen=True, slots=True)
class Access:
    """Whose jobs a site takes, by accounting group; a group stands for all below it."""

    allow: tuple[str, ...] = ()
    """Empty: all."""
    block: tuple[str, ...] = ()

    def admits(self, group: str) -> bool:
        """Whether jobs of `group` are taken; it is empty for those of no group."""
        return not _below(group, self.block) and (not self.allow or _below(group, self.allow))


def _below(group: str, groups: tuple[str, ...]) -> bool:
    return any(f"{group}.".startswith(f"{each}.") for each in groups)


@dataclass(frozen=True, slots=True)
class Site:
    """All that a decision may know of one site."""

    name: str
    limits: Limits = Limits()
    """The most of each that any glidein there gives one job."""
    offers: tuple[Limits, ...] = ()
    """What its glideins give together, where they are of several sizes; empty: all give `limits`."""
    status: SiteStatus = SiteStatus.ONLINE
    status_reason: str = ""
    """Why an operator changed the status, in the operator's words."""
    closes_in_s: float | None = None
    """Seconds until an announced downtime begins; None: none is announced."""
    access: Access = Access()
    storage: Storage = Storage()
    nodes: int = 0
    """Nodes on which its glideins are; 0: nobody says."""
    black_holes: tuple[str, ...] = ()
    """Nodes whose failures are not held against it, sorted."""
    cores: int = 0
    """Cores of the glideins that are there."""
    max_cores: int = 0
    """Cores that its entries could bring, as declared."""
    idle_cores: int = 0
    waiting_jobs: int = 0
    """Idle jobs that may run here, each counted at every site of its set."""
    running_jobs: int = 0
    outcomes: Outcomes = Outcomes()
    freed_per_h: float | None = None
    """Cores that ended a job here per hour, over the window of the policy; None: nobody has watched that long."""
    mean_run_s: float = 0.0
    """Mean run time of the jobs that ended here lately; 0: none did."""
    silent_s: float = 0.0
    """How long no glidein has been seen although jobs asked for them; 0 while there are some, or nobody asked."""
    vanished: bool = False
    """Its glideins went away while jobs asked for them, and none has come since."""
    unread: float = 0.0
    """Share of the reads of its storage that are believed to fail, 0..1, as jobs told of it."""
    failure: ValidationFailure | None = None
    """Set while glideins fail validation here and none works."""

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The kinds of nodes there, in the order of the offers."""
        return tuple(dict.fromkeys(offer.platform for offer in self.offers)) or (self.limits.platform,)
