"""Runs of jobs: what the queue tells of a job while it runs."""

from dataclasses import dataclass

from router.model.job import Decision


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of one job that has lasted a while."""

    cluster: int
    proc: int
    started: int
    """Seconds since the epoch; with cluster and proc it tells the run from any other."""
    site: str
    told: int = 0
    """When its node was last heard of, seconds since the epoch; 0: never."""
    task: str = ""
    batch: str = ""
    sites: tuple[str, ...] | None = None
    decision: Decision | None = None
    fixed: bool = False
    """Its owner asked that glideroute never moves it."""
    walltime_s: int = 0
    """What it asks for."""
    cpu_s: float = 0.0
    """Processor time used so far."""
    disk_mb: int = 0
    """What lies in its directory on the node."""
    ends: int = 0
    """When its glidein is to end, seconds since the epoch; 0: nobody says."""
    still_s: float = 0.0
    """For how long it has been seen to do nothing, up to when its node was last heard of."""

    @property
    def key(self) -> tuple[int, int, int]:
        """What tells it from any other run."""
        return self.cluster, self.proc, self.started

    @property
    def activity(self) -> "Activity":
        """What it has done so far."""
        return Activity(self.cluster, self.proc, self.started, self.told, self.cpu_s, self.disk_mb)


@dataclass(frozen=True, slots=True)
class Activity:
    """What one run had done when it was last seen to do something; the fields are those of `Attempt`."""

    cluster: int
    proc: int
    started: int
    told: int
    cpu_s: float
    disk_mb: int

    @property
    def key(self) -> tuple[int, int, int]:
        """What tells the run from any other."""
        return self.cluster, self.proc, self.started
