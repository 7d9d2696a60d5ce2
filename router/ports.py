"""What the loops and the user's interface need of the outside world: the seams of the system."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from router.catalogue import UserCatalogue
from router.model.action import Action, Diagnose, Mend, Place, Vacate
from router.model.attempt import Attempt
from router.model.audit import AuditEntry, AuditQuery, AuditState, Sealed
from router.model.downtime import Downtime
from router.model.event import Events, Tally
from router.model.files import Located, Replica
from router.model.job import EndedJob, JobGroup, SlotGroup
from router.model.pilot import Entry, EntryState, ValidationFailure
from router.model.record import BatchRecord, DecisionRecord, Lease, OpenDecision, SiteState
from router.model.site import Outcomes, Pace
from router.model.streak import Streak
from router.model.task import Batch, Inputs, Task
from router.model.transfer import Destination, Fault, StageOutCount, Transfer
from router.model.usage import Run as UsedRun
from router.model.world import TaskProgress
from router.task_memory import TaskAdditions, TaskMemory


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

    def ended(self, since: float) -> tuple[EndedJob, ...]:
        """Jobs that left the queue after `since` (seconds since the epoch), or are held for having failed."""
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


class Memory(Protocol):
    """What the route loop remembers and looks up: the catalogue, the ledger and the decision log."""

    def inputs(self, batches: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Inputs]:
        """What each (task, batch) reads, and where that lies now."""
        ...

    def dataset_inputs(self, wanted: Iterable[str]) -> Mapping[str, Inputs]:
        """The same for whole datasets; unknown ones are left out."""
        ...

    def stored(self) -> Mapping[str, Mapping[str, int]]:
        """Bytes that each site holds, by the files' owners."""

    def register(self, found: Iterable[Located], owner: str, now: float) -> None:
        """Add files with their copies to the catalogue."""
        ...

    def record_ended(self, jobs: Iterable[EndedJob]) -> None:
        """Remember how jobs ended; saying it twice is saying it once."""
        ...

    def last_ended(self) -> float:
        """When the newest remembered job ended, seconds since the epoch; 0 when none is."""
        ...

    def hand_over(self, wanted: Sequence[Transfer], now: float) -> frozenset[str]:
        """Remember that outputs are to move; returns the names of those that have arrived already."""
        ...

    def unread_reports(self) -> Sequence[tuple[EndedJob, Task]]:
        """Jobs that ended well and whose report nobody has read, with their tasks."""
        ...

    def set_report(self, job: EndedJob, usable: bool) -> None:
        """Remember that a job's report was read, or that none can be used."""
        ...

    def outcomes(self, since: float) -> Mapping[str, Outcomes]:
        """How jobs ended at each site after `since`."""
        ...

    def event_position(self) -> str:
        """How far the event log was read; empty when it never was."""
        ...

    def record_events(self, added: Sequence[Tally], position: str, now: float, in_a_row: Sequence[Streak] = ()) -> None:
        """Add to the outcomes of sites, and remember the position that was read up to: all of it, or nothing."""
        ...

    def events_read(self) -> float:
        """When the event log was last read, seconds since the epoch; 0: never."""
        ...

    def windows(self, since: float) -> Mapping[str, Outcomes]:
        """The outcomes of sites after `since`, as the event log told them."""
        ...

    def paces(self, since: float, now: float) -> Mapping[str, Pace]:
        """How fast jobs ended at each site after `since`."""
        ...

    def silences(self, now: float) -> Mapping[str, float]:
        """Seconds that each site has shown no glidein although jobs asked for them."""
        ...

    def vanished(self) -> frozenset[str]:
        """Sites whose glideins went away while jobs asked for them, where none has come since."""
        ...

    def note_glideins(self, present: Iterable[str], asked: Iterable[str], now: float) -> None:
        """Remember which sites have glideins, and of which jobs ask for some."""
        ...

    def progress(self) -> tuple[TaskProgress, ...]:
        """How far each task is whose merge job waits."""
        ...

    def site_states(self) -> Mapping[str, SiteState]:
        """What operators said of sites."""
        ...

    def downtimes(self, now: float) -> Sequence[Downtime]:
        """Announced downtimes of sites that have not ended at `now`."""
        ...

    def note_all(self, actions: Sequence[Action], now: float) -> Sequence[int]:
        """Write down actions before they are applied; returns their numbers."""
        ...

    def settle_all(self, outcomes: Iterable[tuple[int, str]]) -> None:
        """Write down what became of them, by their numbers."""
        ...

    def open(self) -> Sequence[OpenDecision]:
        """Decisions whose outcome nobody knows."""
        ...

    def newest(self, clusters: Sequence[int]) -> Mapping[int, DecisionRecord]:
        """The last decision on each cluster."""
        ...


class Leases(Protocol):
    """Which daemon of a kind acts, as all of them see it."""

    def lease(self, name: str) -> Lease | None:
        """The lease of this name; None where it was never held."""
        ...

    def swap_lease(self, name: str, seen: Lease | None, wanted: Lease) -> bool:
        """Make the lease `wanted` if it still is as `seen`; returns whether it was."""
        ...


class Transfers(Protocol):
    """What the stage-out loop remembers and looks up."""

    def transfers_due(self, now: float, most: int) -> tuple[Transfer, ...]:
        """Outputs whose copy is due and registered at the source, the longest due first."""
        ...

    def transfers_arrived(self, most: int) -> tuple[Transfer, ...]:
        """Outputs that are at their destination, and whose bytes at the source are still to be removed."""
        ...

    def begin_transfers(self, wanted: Sequence[Transfer], now: float) -> tuple[Transfer, ...]:
        """Remember that copies begin; returns the transfers as they are then."""
        ...

    def settle_transfers(
        self, arrived: Sequence[tuple[Transfer, Replica]], failed: Sequence[Transfer], now: float
    ) -> tuple[Transfer, ...]:
        """Remember copies that arrived, each with its new replica, and those that failed: all of it, or nothing.

        Returns the outputs that are registered at their destination now.
        """
        ...

    def clear_transfers(self, done: Sequence[Transfer], now: float) -> None:
        """Remember that nothing is left of outputs at their sources."""
        ...

    def transfer_counts(self, task: str = "") -> tuple[StageOutCount, ...]:
        """The outputs of a task, or of all, by how far they are."""
        ...

    def destinations(self) -> Mapping[str, Destination]:
        """How copies to each storage element went lately."""
        ...


class Mover(Protocol):
    """Brings outputs from one storage element to another."""

    def move(self, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None] | None]:
        """Copy outputs, and verify each before it gets its name; yields each as it ends, with how it failed if it did.

        While nothing ends it yields None now and then, so that the caller can renew its lease.
        It may be cut anywhere, and a copy that was made already is found and not made again.
        """
        ...

    def clear(self, transfer: Transfer) -> None:
        """Remove an output's bytes at its source; what is gone already is gone. Raises TransferError."""
        ...

    def replica(self, transfer: Transfer) -> Replica:
        """The copy at the destination."""
        ...


class UserMemory(Memory, TaskMemory, Protocol):
    """What the user's interface remembers and looks up besides."""

    def note_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Append to the audit."""
        ...

    def audit(self, wanted: AuditQuery) -> Sequence[Sealed]:
        """The entries of the audit that a query asks for, oldest first."""
        ...

    def audit_state(self) -> AuditState:
        """Whether all entries of the audit hang together."""
        ...

    def runs_of(self, task: str = "", cluster: int = 0, proc: int = -1, most: int = 1000) -> Sequence[UsedRun]:
        """The newest runs of a task, a cluster or a job, oldest first, as they were imported."""
        ...

    def has_audit_digest(self, digest: str) -> bool:
        """Whether an entry has this digest, or the last one that was removed for its age."""
        ...

    def transfer_counts(self, task: str = "") -> tuple[StageOutCount, ...]:
        """The outputs of a task, or of all, by how far they are on their way to their destination."""
        ...

    def transferring_jobs(self, task: str) -> int:
        """Jobs of a task of which an output has not arrived yet, and is still tried."""
        ...

    def retry_transfers(self, task: str, now: float) -> int:
        """Try the failed transfers of a task again, and those that wait at once; returns how many."""
        ...

    def destinations(self) -> Mapping[str, Destination]:
        """How copies to each storage element went lately."""
        ...

    def as_user(self, user: str, clock: "Clock") -> UserCatalogue:
        """The catalogue with one person's rights."""
        ...

    def files(self, lfns: Sequence[str]) -> tuple[Located, ...]:
        """The registered ones among `lfns`."""
        ...

    def open_task(self, task: Task, text: str, digest: str, planned: Sequence[Batch], merge_jobs: int) -> None:
        """Remember a task before any of it is injected."""
        ...

    def document(self, task: str) -> str:
        """The payload document of a task, as it was submitted."""
        ...

    def incomplete_task(self, owner: str, digest: str) -> Task | None:
        """The owner's task of this payload whose injection never ended."""
        ...

    def set_cluster(self, task: str, batch: str, cluster: int, jobs: int | None = None) -> None:
        """Remember the cluster that a batch became, and its number of jobs where that was not planned."""
        ...

    def set_complete(self, task: str) -> None:
        """Remember that all of a task is injected."""
        ...

    def task(self, wanted: str) -> Task:
        """The task of an id, the beginning of one, or a name. Raises NotFound."""
        ...

    def tasks(self, owner: str = "") -> list[Task]:
        """The newest tasks."""
        ...

    def batches(self, task: str) -> Sequence[BatchRecord]:
        """The batches of a task."""
        ...

    def ended(self, task: str) -> list[EndedJob]:
        """How the jobs of a task ended."""
        ...

    def read(self, task: str) -> list[EndedJob]:
        """The jobs of a task that ended and whose report has been read, or was given up."""
        ...

    def make_again(self, task: str, key: str, jobs: Sequence[EndedJob]) -> None:
        """Count `jobs` of one batch as not ended, and give them to a batch `key` that is not injected yet."""
        ...

    def to_make_again(self, task: str) -> list[EndedJob]:
        """The jobs that were counted as not ended, with the batch they were given to."""
        ...

    def held(self, directory: str) -> Sequence[str]:
        """Every registered name below `directory` of which there is a copy."""
        ...

    def remove_replica(self, lfn: str, se: str) -> None:
        """Forget one copy of a file."""
        ...

    def of_task(self, task: str) -> Sequence[DecisionRecord]:
        """The decisions on a task's jobs, oldest first."""
        ...

    def of_cluster(self, cluster: int) -> Sequence[DecisionRecord]:
        """The decisions on a cluster's jobs, oldest first."""
        ...

    def add_downtime(self, announced: Downtime) -> None:
        """Remember an announced downtime."""
        ...

    def forget_downtimes(self, site: str, now: float) -> None:
        """Forget the downtimes of a site that have not ended at `now`."""
        ...

    def set_site_state(self, state: SiteState) -> None:
        """Remember what an operator says of a site."""
        ...


class Reports(Protocol):
    """The reports of one task's jobs."""

    def report(self, job: str) -> str | None:
        """The report of a job; None while there is none."""
        ...


class TaskFiles(Reports, TaskAdditions, Protocol):
    """A task's directory on the access point."""

    def make(self, payload_text: str, code: Mapping[str, Path], worker: tuple[str, ...]) -> None:
        """Make it, with copies of the user's `code` and of the programs `worker`."""
        ...

    def describe(self, parts: Mapping[str, str]) -> None:
        """Write descriptions of jobs, by the name of the part that holds them."""
        ...

    def parts(self, batch: str) -> Iterator[str]:
        """The descriptions of a batch's jobs, and of those of it that were made again, part by part."""
        ...

    def log(self, job: str, stream: str) -> str | None:
        """What a job wrote to `out` or `err`."""
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
