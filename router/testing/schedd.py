"""What a FakePool holds: glideins, jobs, and the schedd that all identities see alike."""

from collections import deque
from dataclasses import dataclass, field

from router.model.event import JobEvent
from router.model.job import JobGroup, JobState
from router.model.pilot import ValidationFailure
from router.ports import Clock


@dataclass(eq=False)
class FakeGlidein:
    """A glidein that has joined: one partitionable slot."""

    site: str
    entry: str = ""
    cores: int = 1
    memory_mb: int = 16_384
    disk_mb: int = 102_400
    ends: int = 0
    """When it is to end, seconds since the epoch; 0: it says nothing."""


@dataclass(eq=False)
class FakeJob:
    """One job, in the queue or in the history."""

    proc: int
    job: str
    like: JobGroup
    """What it shares with others, in a group of one."""
    glidein: FakeGlidein | None = None
    reason: str = ""
    started: float = 0.0
    starts: int = 0
    before: JobState | None = None
    """What it was when something last happened to it."""
    ended: float = 0.0
    exit_code: int | None = None
    told: float = 0.0
    """When its node was last heard of."""
    cpu_s: float = 0.0
    disk_mb: int = 0


@dataclass
class FakeSchedd:
    """What all identities see alike."""

    clock: Clock
    queue: list[FakeJob] = field(default_factory=list)
    history: list[FakeJob] = field(default_factory=list)
    glideins: list[FakeGlidein] = field(default_factory=list)
    refused: list[ValidationFailure] = field(default_factory=list)
    events: list[JobEvent] = field(default_factory=list)
    """What the event log would tell, oldest first."""
    duty: float | None = 0.1
    """Share of its time that it is busy."""
    faults: dict[str, deque[BaseException]] = field(default_factory=dict)
    clusters: int = 0
