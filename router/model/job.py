"""Jobs as the pool shows them: groups of jobs that a decision cannot tell apart."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from operator import attrgetter

from router.model import names
from router.model.cause import Cure
from router.model.node import Gpus, Platform
from router.model.payload import Requests

MAX_WORDS = 1000
"""Characters of a decision's words that travel in the ad; each job of a million carries them."""


FAILED = 3
"""HTCondor's HoldReasonCode for on_exit_hold and its like (condor_holdcodes.h): the job itself failed."""

SUBMITTED_HELD = 15
"""HTCondor's HoldReasonCode of a job submitted on hold (condor_holdcodes.h)."""


BY_HAND = 1
"""HTCondor's HoldReasonCode of a job that a person held (condor_holdcodes.h)."""

ASKED_ELSEWHERE = 3017
"""The subcode that such a hold has when the person wants the job at other sites; the number is ours."""


class JobState(StrEnum):
    """A job's state in the words of users; HTCondor's JobStatus behind it."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    FINISHED = "finished"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the router last decided for a job, as it travels in the job's ad (attribute RouterDecision).

    It is written before DESIRED_Sites, which commits it: until both name the same sites, it is under way.
    """

    epoch: int
    """Counts the decisions taken for the job."""
    moves: int
    """How often a decision took the job away from sites it had."""
    sites: tuple[str, ...]
    came_from: tuple[str, ...]
    """The sites it had before; empty for a first placement."""
    tag: str
    words: str
    at: int
    """Seconds since the epoch."""
    left: tuple[tuple[str, int], ...] = ()
    """Sites that it was moved away from lately, and when, in seconds since the epoch; sorted."""
    term: int = 0
    """Of the lease that the router held which decided it."""

    @property
    def carried(self) -> "Decision":
        """The decision as an ad can carry it: words of one line, not too long.

        The queue's strings know no escape but that of the quote, so that a backslash before the closing quote would
        destroy the attribute: each becomes a slash.
        """
        return replace(self, words=_carried(self.words))


@dataclass(frozen=True, slots=True)
class Remedy:
    """What the router does about a job's last hold, as it travels in the job's ad (attribute RouterRemedy).

    It is written while the job is held, and carried out when it is due. One that answers an earlier hold than the
    job's last is history: the job was released, and failed again.
    """

    hold: int
    """The hold it answers: the job's NumHolds, which its owner may edit."""
    tries: int
    """Retries that the router has given the job, this one included."""
    cause: str
    """Tag of the cause."""
    cure: Cure
    site: str
    """Where the job failed."""
    avoid: tuple[str, ...]
    """Sites it is kept away from …"""
    until: int
    """… up to this time, in seconds since the epoch."""
    words: str
    due: int
    """When to carry it out, in seconds since the epoch."""
    memory_mb: int = 0
    """What the job asks for from now on; 0: as before."""
    walltime_s: int = 0
    """The same for its time."""
    starts: int = 0
    """How often the job had been started by then, which only the schedd can write."""

    def gives_up(self, hold: int) -> bool:
        """Whether it leaves a job as it is that is held for the time of this number."""
        return self.cure is Cure.NONE and self.hold == hold

    @property
    def carried(self) -> "Remedy":
        """The remedy as an ad can carry it, as `Decision.carried`."""
        return replace(self, words=_carried(self.words))


def _carried(words: str) -> str:
    return names.CONTROL.sub(" ", words[:MAX_WORDS]).replace("\\", "/")


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells jobs of one cluster apart besides their state and their sites: a submit file may vary any of it."""

    requests: Requests
    dataset: str
    held_by: tuple[str, ...]
    allow: tuple[str, ...]
    block: tuple[str, ...]
    group: str
    writes: bool
    fixed: bool
    remedy: Remedy | None
    """What they carry of their last failure."""


Source = tuple[int, str, tuple[str, ...]]
"""What tells jobs by what they read: their cluster, their dataset, and the sites said to hold all of the input."""


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs of one cluster in the same state, with the same decision."""

    cluster: int
    owner: str
    state: JobState
    count: int
    task: str = ""
    """Empty: submitted by bare condor_submit."""
    batch: str = ""
    requests: Requests = Requests()
    dataset: str = ""
    held_by: tuple[str, ...] = ()
    """Sites that held all the input when it was submitted: for when the catalogue does not know the batch."""
    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    group: str = ""
    sites: tuple[str, ...] | None = None
    """DESIRED_Sites, the committed decision; None: not placed yet."""
    decision: Decision | None = None
    site: str = ""
    """Where they run."""
    hold_code: int = 0
    hold_subcode: int = 0
    oldest: int = 0
    """When the first of them was submitted, seconds since the epoch."""
    writes: bool = False
    """Whether they leave outputs at the site where they run."""
    fixed: bool = False
    """The user asked that glideroute never moves them."""
    wrapped: bool = False
    """They run in our wrapper, whose exit codes we know."""
    holds: int = 0
    """How often they have been held."""
    starts: int = 0
    """Of held jobs, how often they have been started, as the schedd itself counts."""
    remedy: Remedy | None = None

    @property
    def kind(self) -> Kind:
        """What tells them from other jobs of the cluster."""
        return Kind(
            self.requests,
            self.dataset,
            self.held_by,
            self.allow,
            self.block,
            self.group,
            self.writes,
            self.fixed,
            self.remedy,
        )

    @property
    def source(self) -> Source:
        """What tells what they read."""
        return self.cluster, self.dataset, self.held_by

    @property
    def is_idle(self) -> bool:
        """Whether they wait for a slot."""
        return self.state is JobState.IDLE

    @property
    def under_way(self) -> bool:
        """Whether a decision was written into them and never committed. One that a retry took the sites of was."""
        made, remedy = self.decision, self.remedy
        if made is None or (self.sites is None and remedy and remedy.due >= made.at):
            return False
        return made.sites != (self.sites or ())

    @property
    def hold(self) -> "Hold":
        """Why and where they are held."""
        return Hold(self.hold_code, self.hold_subcode, self.holds, self.site, self.starts)

    def avoided(self, now: float) -> tuple[str, ...]:
        """Sites where they failed and are not to run again for a while."""
        return self.remedy.avoid if self.remedy and now < self.remedy.until else ()


_KIND = attrgetter(*(each.name for each in fields(JobGroup) if each.name not in ("count", "oldest")))


def kind_of(group: JobGroup) -> tuple[object, ...]:
    """All of a group but its number and age."""
    kind: tuple[object, ...] = _KIND(group)
    return kind


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: what tells jobs that are held alike from others."""

    code: int
    """HTCondor's HoldReasonCode."""
    subcode: int
    number: int
    """The job's NumHolds."""
    site: str
    starts: int = 0
    """The job's NumShadowStarts."""


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that left the queue, or that failed and is held."""

    cluster: int
    proc: int
    task: str
    batch: str
    job: str
    owner: str
    state: JobState
    exit_code: int | None
    site: str
    ended: float
    """Seconds since the epoch."""
    wall_s: float = 0.0
    reason: str = ""
    cpus: int = 1


@dataclass(frozen=True, slots=True)
class SlotGroup:
    """The slots of one site's glideins of one entry and one kind of nodes, added up."""

    site: str
    entry: str
    glideins: int
    cores: int
    idle_cores: int
    memory_mb: int
    """The largest slot's memory, as are disk and cores of one slot below."""
    disk_mb: int
    slot_cpus: int
    running_jobs: int
    retiring: int = 0
    """Glideins that take no further jobs."""
    idle_glideins: int = 0
    nodes: frozenset[str] = frozenset()
    """Where they are."""
    gpus: Gpus = Gpus()
    """Of one glidein."""
    platform: Platform = Platform()
