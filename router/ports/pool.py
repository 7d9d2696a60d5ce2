"""What the loops and the user's interface need of HTCondor, of glideins, and of the time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from router.model.action import Diagnose, Mend, Place, Vacate
from router.model.attempt import Attempt
from router.model.event import Events
from router.model.job import EndedJob, JobGroup, SlotGroup
from router.model.pilot import Entry, EntryState, ValidationFailure


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job as `status` and `logs` show it."""

    cluster: int
    proc: int
    owner: str
    batch: str
    job: str
    state: str
    site: str
    sites: tuple[str, ...]
    reason: str
    """Why it is held, or what the router last said of it."""
    started: float
    """Seconds since the epoch; 0 when it has not."""
    vacates: int = 0
    """How often it was stopped and went back into the queue."""
    vacate_code: int = 0
    """HTCondor's VacateReasonCode of the last time; 0 when it has run again since."""
    given_up: bool = False
    """It is held, and the router will not try it again."""

    @property
    def id(self) -> str:
        """HTCondor's job id."""
        return f"{self.cluster}.{self.proc}"


@dataclass(frozen=True, slots=True)
class Asked:
    """The jobs that a person names: those of a task, of a cluster, or one of them."""

    task: str = ""
    cluster: int = 0
    proc: int | None = None


class Sight(Protocol):
    """What a loop looks at in a pool."""

    def jobs(self) -> tuple[JobGroup, ...]:
        """All vanilla jobs in the queue, grouped by the schedd."""
        ...

    def slots(self) -> tuple[SlotGroup, ...]:
        """The glideins' slots, by site and entry."""
        ...

    def failures(self) -> tuple[ValidationFailure, ...]:
        """What glideins that refused their node say."""
        ...


class Pool(Sight, Protocol):
    """The VO's pool, as one identity. Every call has a deadline and raises TemporaryError past it."""

    def jobs_in(self, clusters: Sequence[int]) -> tuple[JobGroup, ...]:
        """The same for some clusters."""
        ...

    def described(self, text: str) -> tuple[JobGroup, ...]:
        """The jobs that `condor_submit -dry-run` prints, as they would look in the queue."""
        ...

    def ended(self, since: float, after: tuple[int, int] | None = None) -> tuple[EndedJob, ...]:
        """Jobs that left the queue after `since`, seconds since the epoch, newest first.

        With `after`, a cluster and proc: those that left it after that job did, whatever their times say; all that the
        history has, where that job is in it no more.
        """
        ...

    def duty_cycle(self) -> float | None:
        """Share of the last minutes that the schedd was busy, 0..1, as it says itself; None where it does not."""
        ...

    def place(self, action: Place) -> int:
        """Give jobs their sites if they are as the decision saw them. Returns how many carry the decision now."""
        ...

    def place_all(self, actions: Sequence[Place]) -> tuple[int, ...]:
        """`place` for all actions of a pass at once, at a cost of the whole; returns the counts in their order."""
        ...

    def release(self, cluster: int, reason: str) -> int:
        """Release the jobs of a cluster that were submitted on hold and still are; no others. Returns how many."""
        ...

    def diagnose_all(self, actions: Sequence[Diagnose]) -> tuple[int, ...]:
        """Write remedies into jobs that are held as the decisions saw them; returns how many carry each now."""
        ...

    def mend_all(self, actions: Sequence[Mend]) -> tuple[int, ...]:
        """Carry out remedies that are due, and release the jobs; returns how many of each are held no more."""
        ...

    def runs(self, before: float) -> tuple[Attempt, ...]:
        """Runs that began before a time in seconds since the epoch; of very many the oldest jobs'."""
        ...

    def vacate_all(self, actions: Sequence[Vacate]) -> tuple[int, ...]:
        """Stop runs that are as the decisions saw them; returns how many jobs of each carry it now."""
        ...

    def task_lines(self, task: str) -> tuple[JobLine, ...]:
        """The jobs of a task that are in the queue, one by one."""
        ...

    def clusters(self, task: str, owner: str) -> Mapping[str, int]:
        """Clusters of an owner's task that were ever injected, by batch."""
        ...

    def submit(self, text: str, items: Sequence[Mapping[str, str]]) -> int:
        """Inject one cluster, a job for each of `items`. Returns its id."""
        ...

    def remove(self, task: str, reason: str) -> int:
        """Remove the jobs of a task. Returns how many."""
        ...

    def withdraw(self, task: str, jobs: Sequence[str], reason: str) -> int:
        """Remove these jobs of a task, as far as they are held. Returns how many."""
        ...

    def retry(self, task: str, reason: str) -> int:
        """Release the failed jobs of a task. Returns how many."""
        ...

    def ask_elsewhere(self, jobs: Asked, reason: str) -> int:
        """Hold waiting and failed jobs so that the router sends them to other sites. Returns how many."""
        ...


Run = tuple[int, int, int]
"""Neighbouring jobs of a cluster: its id, the first proc and the last; proc -1 is the ad that all its jobs inherit."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One attribute of listed jobs set to one value."""

    jobs: tuple[Run, ...]
    attribute: str
    value: str
    """ClassAd text of one line."""


class JobQueue(Protocol):
    """An HTCondor queue and its collector in HTCondor's own terms, as one identity, each call with a deadline."""

    def count(self, constraint: str, attributes: Sequence[str]) -> list[dict[str, Any]]:
        """Jobs by equal values of `attributes`, with their JobCount; `constraint` sees only `attributes`."""
        ...

    def query(self, constraint: str, attributes: Sequence[str], limit: int = -1) -> list[dict[str, Any]]:
        """Jobs one by one."""
        ...

    def history(self, constraint: str, attributes: Sequence[str], since: str = "") -> list[dict[str, Any]]:
        """Jobs that left the queue, newest first, back to where `since` is true."""
        ...

    def parse(self, text: str, attributes: Sequence[str]) -> list[dict[str, Any]]:
        """The ads that ClassAd text holds."""
        ...

    def ads(self, kind: str, constraint: str, attributes: Sequence[str]) -> list[dict[str, Any]]:
        """Ads of a kind (`Startd`, `Schedd`, `Negotiator`) from the collector."""
        ...

    def edit_jobs(self, edits: Sequence[Edit]) -> list[bool]:
        """Set an attribute of listed jobs, edit by edit. Returns which edits were made, each whole or not at all."""
        ...

    def idle_jobs(self, clusters: Sequence[int], attributes: Sequence[str]) -> list[tuple[dict[str, Any], Run]]:
        """The idle jobs of `clusters`, as runs of neighbours with equal `attributes`."""
        ...

    def act(self, action: str, constraint: str, reason: str, code: int = 0) -> int:
        """`Remove`, `Hold` (with `code` as its subcode), `Release` or `Vacate` jobs. Returns how many."""
        ...

    def submit(self, text: str, items: Sequence[Mapping[str, str]]) -> int:
        """Submit one cluster, a job for each of `items`. Returns its id."""
        ...


class PilotBackend(Protocol):
    """Starts and stops glideins."""

    def states(self, entries: Iterable[Entry]) -> tuple[EntryState, ...]:
        """Glideins of each entry as the factory's queue and the collector show them."""
        ...

    def start(self, entry: Entry, count: int) -> tuple[str, ...]:
        """Submit glideins. Returns their ids."""
        ...

    def stop(self, ids: Iterable[str], reason: str) -> int:
        """Remove glideins. Returns how many."""
        ...


class EventSource(Protocol):
    """What happens to jobs, as a stream."""

    def read(self, after: str) -> Events:
        """The events after a position; all there are after an empty one. Raises TemporaryError without a log."""
        ...


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...
