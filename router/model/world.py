"""The world: all that one decision may see, at one instant."""

from dataclasses import dataclass

from router.model.attempt import Attempt
from router.model.job import JobGroup, Source
from router.model.pilot import EntryState
from router.model.site import Site
from router.model.task import Inputs

SCHEDD, COLLECTOR, EVENT_LOG, CATALOGUE = "schedd", "collector", "event_log", "catalogue"
"""Sources of a world."""


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far the jobs are that a task's merge job waits for."""

    task: str
    expected: int
    """Jobs other than the merge job."""
    finished: int
    """Of those, how many ended well and have their report read."""
    merge_cluster: int
    """The cluster of the merge job."""


@dataclass(frozen=True, slots=True)
class World:
    """One instant, as far as the router's sources tell."""

    now: float
    """Seconds since the epoch."""
    sites: tuple[Site, ...] = ()
    jobs: tuple[JobGroup, ...] = ()
    inputs: tuple[tuple[Source, Inputs], ...] = ()
    """What jobs read and where that lies; those of one cluster may read different datasets."""
    entries: tuple[EntryState, ...] = ()
    progress: tuple[TaskProgress, ...] = ()
    stale: tuple[tuple[str, str], ...] = ()
    """Sources that are not believed, and why; what they told last stands here instead."""
    runs: tuple[Attempt, ...] = ()
    """What lasts a while, where this is a pass that looks at it."""
    read: tuple[tuple[str, float], ...] = ()
    """When each source was last read and believed, seconds since the epoch."""
