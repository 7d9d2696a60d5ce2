"""Sites: named places with compute and storage, as declared and as seen."""

from dataclasses import dataclass
from enum import StrEnum

from router.model.node import Gpus, Platform
from router.model.pilot import ValidationFailure


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
    access: Access = Access()
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
    failure: ValidationFailure | None = None
    """Set while glideins fail validation here and none works."""

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The kinds of nodes there, in the order of the offers."""
        return tuple(dict.fromkeys(offer.platform for offer in self.offers)) or (self.limits.platform,)
