"""What becomes of each job, as light columns."""

from dataclasses import dataclass, field

from benchmarks.quality.grid import Workload
from benchmarks.quality.queue import Bunch
from benchmarks.quality.transfers import Transfer


@dataclass(slots=True)
class Run:
    """A job that has a slot."""

    job: int
    site: int
    bunch: Bunch
    started: float
    computing: float = -1.0
    """When it had its input; negative: not yet."""
    ends: float = 0.0
    version: int = 0
    """Grows when its end is moved: ends planned before do not count."""
    transfer: Transfer | None = None


@dataclass
class Ledger:
    """What happened, for the figures."""

    computed: list[float]
    """When the run that succeeded had its input, by job, in seconds; negative: it has not."""
    ended: list[float]
    site: list[int]
    attempts: list[int]
    """Runs that failed in the job's own hands (not those lost with their site)."""
    lost_core_s: float = 0.0
    """Core seconds of runs that did not succeed."""
    staging_core_s: float = 0.0
    """Core seconds that successful runs waited for their input."""
    edited: int = 0
    """Jobs given other sites, each as often as it was; the first placement does not count."""
    placed: int = 0
    """Jobs given their first sites."""
    calls: int = 0
    """Changes by cluster that were applied."""
    waits: int = 0
    """Times the router said that nothing fits."""
    passes: int = 0
    cpu_s: float = 0.0
    """Processor seconds of deciding."""
    left: int = 0
    """Jobs that have not ended."""
    share_errors: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, workload: Workload) -> "Ledger":
        """An empty one."""
        count = len(workload)
        return cls([-1.0] * count, [-1.0] * count, [-1] * count, [0] * count, left=count)
