"""What happens to jobs, event by event, and what it adds up to for each site."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from router.model.job import FAILED, SUBMITTED_HELD, EndedJob, JobGroup, JobState

BUCKET_S = 300
"""Sites' outcomes are added up over so many seconds; a window of time is as many of these."""

HELD_BY_PEOPLE = frozenset({1, SUBMITTED_HELD, 16})
"""HoldReasonCodes of holds that are nobody's failure: by request, at submission, while input is spooled."""

SITES_OWN = frozenset({FAILED, 6, 7, 12, 13, 14})
"""HoldReasonCodes that may be the site's fault: the job's own policy, its start, its files (condor_holdcodes.h)."""

USERS_EXITS = frozenset({72, 73, 77, 78})
"""Exit codes of our wrapper that are mostly the user's fault (decide/causes.py); a broken node gives them as well."""
SIGNAL_BASE, NODES_SIGNALS = 128, frozenset({4, 7, 15, 24})
"""Above 128 the wrapper tells the signal that ended the program: all but these are the program's own making."""


class EventKind(StrEnum):
    """What became of a job."""

    SUBMITTED = "submitted"
    STARTED = "started"
    FINISHED = "finished"
    """It ended by itself, well or not."""
    EVICTED = "evicted"
    """It lost its slot, and is idle again."""
    HELD = "held"
    RELEASED = "released"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One event of one job."""

    kind: EventKind
    at: float
    """Seconds since the epoch."""
    proc: int
    like: JobGroup
    """The job as it is after the event, in a group of one; its decision is not told."""
    before: JobState | None = None
    """What it was before, where the kind of event does not tell."""
    site: str = ""
    """Where it ran, or was running before."""
    began: float = 0.0
    """When it got the slot that it has or had last, seconds since the epoch; 0: never."""
    first: bool = False
    """It starts for the first time."""
    job: str = ""
    """RouterJob."""
    exit_code: int | None = None
    reason: str = ""
    """Why it was removed."""
    cause: str = ""
    """Class of the failure: `hold-CODE` (`hold-3.EXIT` in our wrapper), `exit-CODE`, `signal-NUMBER`."""
    node: str = ""
    """The node it ran on there; empty: nobody says."""


@dataclass(frozen=True, slots=True)
class Events:
    """What was read of an event log at once."""

    events: tuple[JobEvent, ...] = ()
    position: str = ""
    """Where to read on; only the reader understands it."""
    lost: bool = False
    """Events before these were gone before they were read."""
    skipped: int = 0
    """Events that nobody can read."""
    behind: bool = False
    """There is more to read."""

    @property
    def whole(self) -> bool:
        """Whether these are all the events since the last time."""
        return not (self.lost or self.skipped or self.behind)


@dataclass(frozen=True, slots=True)
class Tally:
    """Events of one kind at one site in one bucket of time."""

    site: str
    bucket: int
    """When the bucket begins, seconds since the epoch."""
    kind: str
    """`started`, `waited` (starts for the first time), `finished`, `evicted`, or the cause of a failure."""
    count: int
    seconds: float
    """`waited`: from submission to start, in all; `finished` and causes: how long they ran, in all."""


def ended_jobs(events: Iterable[JobEvent]) -> tuple[EndedJob, ...]:
    """The jobs that left the queue, as the history will tell them."""
    return tuple(
        EndedJob(
            cluster=event.like.cluster,
            proc=event.proc,
            task=event.like.task,
            batch=event.like.batch,
            job=event.job,
            owner=event.like.owner,
            state=event.like.state,
            exit_code=event.exit_code,
            site=event.site,
            ended=event.at,
            wall_s=_ran(event),
            reason=event.reason,
            cpus=event.like.requests.cpus,
        )
        for event in events
        if event.kind in (EventKind.FINISHED, EventKind.REMOVED)
    )


def may_be_sites(cause: str) -> bool:
    """Whether failures of a class may be the fault of the site they happened at."""
    kind, _, code = cause.partition("-")
    return kind == "hold" and int(code.partition(".")[0]) in SITES_OWN


def is_users(cause: str) -> bool:
    """Whether failures of a class at any one site are rather the user's fault."""
    if not may_be_sites(cause):
        return False
    code, _, ended = cause.removeprefix("hold-").partition(".")
    if int(code) != FAILED:
        return False
    if not ended:
        return True  # the job's own policy, which we do not know
    signal = int(ended) - SIGNAL_BASE
    return int(ended) in USERS_EXITS or (signal > 0 and signal not in NODES_SIGNALS)


def tally(events: Iterable[JobEvent]) -> tuple[Tally, ...]:
    """What `events` add to the outcomes of sites."""
    found: dict[tuple[str, int, str], tuple[int, float]] = {}
    for event in events:
        for kind, seconds in _counted(event).items():
            key = (event.site, int(event.at // BUCKET_S) * BUCKET_S, kind)
            count, total = found.get(key, (0, 0.0))
            found[key] = (count + 1, total + seconds)
    return tuple(Tally(*key, *added) for key, added in found.items())


def _counted(event: JobEvent) -> Mapping[str, float]:
    """The kinds under which an event counts at its site, with the seconds of each."""
    match event.kind:
        case _ if not event.site or _is_own(event):
            return {}
        case EventKind.STARTED if event.first:
            return {"started": 0.0, "waited": max(0.0, event.at - event.like.oldest)}
        case EventKind.STARTED | EventKind.EVICTED:
            return {str(event.kind): 0.0}
        case EventKind.FINISHED:
            return {event.cause or "finished": _ran(event)}
        case EventKind.HELD if event.cause:
            return {event.cause: _ran(event)}
    return {}


def _is_own(event: JobEvent) -> bool:
    """Whether the router itself stopped a run: jobs that run have sites, but for those."""
    return event.kind is EventKind.EVICTED and event.like.sites is None


def _ran(event: JobEvent) -> float:
    return max(0.0, event.at - event.began) if event.began else 0.0
