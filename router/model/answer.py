"""What users are told: values that the user's interface gives, and the command line and the web show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from router.model.action import Advice, Choice
from router.model.cause import Fault
from router.model.fetch import FetchFailure
from router.model.files import Dataset
from router.model.job import SUBMITTED_HELD, EndedJob, JobGroup, JobState
from router.model.merging import is_merge
from router.model.payload import Payload
from router.model.placement import Holding
from router.model.policy import POLICIES
from router.model.record import DecisionRecord
from router.model.task import Batch, Piece, Shape, Task
from router.model.transfer import StageOutCount, TransferState

WAITING = "waiting"
"""What users are told of a merge job whose parts are not there yet; HTCondor holds it until then."""


TRANSFERRING = "transferring"
"""What users are told of a finished job whose outputs are not at their destination yet."""


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch of a plan, and what brokerage says of it now."""

    batch: Batch
    shape: Shape
    choice: Choice
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What submitting a payload would do."""

    payload: Payload
    text: str
    dataset: Dataset | None
    batches: tuple[PlannedBatch, ...]
    offered: int = 0
    """Files of the dataset, before some of them were chosen; 0: they are chosen from all there are."""
    notes: tuple[str, ...] = ()
    """What should be known before it is submitted."""
    work: tuple[Piece, ...] = ()
    """All that is read in the end, where the batches are only the first that are submitted; else empty."""

    @property
    def jobs(self) -> int:
        """Jobs in all, without the merge job."""
        return sum(len(planned.batch.chunks) for planned in self.batches)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will take, about."""

    jobs: int
    input_bytes: int
    """Of all files that are read, each counted once."""
    output_bytes: int | None
    """None: nobody knows, since the program never ran."""
    hours: float
    """Of all jobs together, one after the other."""
    longest_h: float
    core_hours: float
    measured_jobs: int
    """Jobs of the same program from which this is told; 0: it is what the jobs may take at most."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that is in the queue."""

    task: Task
    clusters: tuple[tuple[str, int], ...]
    resumed: bool
    """Whether an earlier submission of the same payload had stopped half-way."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Held jobs of a task that failed of the same, and what becomes of them."""

    cause: str
    """The cause's tag."""
    words: str
    fault: Fault
    jobs: int
    site: str
    """Where they failed."""
    tries: int
    """Retries they have had."""
    remedy: str
    """What is done about it, and why; empty: the router has not looked at them yet."""
    due: float
    """When, in seconds since the epoch; 0: nothing is done."""


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Where the jobs of a task are."""

    task: Task
    counts: Mapping[str, int]
    """Jobs by state, merge jobs included."""
    running_at: Mapping[str, int]
    finished_at: Mapping[str, int]
    moved: int
    """Jobs that were moved, each counted once a move."""
    jobs: int
    problems: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    retried: int = 0
    """Jobs that the router mended and let run again, each counted once a retry."""
    lost: int = 0
    """Finished jobs whose output the catalogue has not, or has no copy of."""
    stage_out: tuple[StageOutCount, ...] = ()
    """Its outputs that have a destination, by how far they are."""
    stage: str = ""
    """How far an automatic splitting is that will add jobs yet; empty: no jobs will be added."""
    unread: int = 0
    """Finished jobs whose outputs are not registered yet, for the router has not read their reports."""

    @property
    def done(self) -> bool:
        """Whether nothing of it is left to do."""
        return (
            not self.stage
            and not self.unread
            and self.jobs > 0
            and self.counts.get("finished", 0) + self.counts.get("removed", 0) >= self.jobs
        )

    @property
    def succeeded(self) -> bool:
        """Whether every job ended well, and its outputs are where they were to go."""
        failed = any(each.state is TransferState.FAILED for each in self.stage_out)
        return self.jobs > 0 and self.counts.get("finished", 0) >= self.jobs and not failed


@dataclass(frozen=True, slots=True)
class Proceeded:
    """What became of a task that is split automatically when it was looked at."""

    task: str
    stage: str
    words: str
    clusters: tuple[tuple[str, int], ...] = ()
    """What was injected."""
    open: bool = True
    """Whether jobs will be added yet."""
    due: bool = False
    """Whether something is to be done now; of a look only."""


@dataclass(frozen=True, slots=True)
class PartialMerge:
    """A merge job of what is there of an output."""

    task: str
    output: str
    lfn: str
    """The logical name that the merged file will have."""
    parts: int
    """Files that it joins."""
    missing: int
    """Jobs that have not left the output yet."""
    cluster: int = 0
    """0: it is not injected."""
    new: bool = False
    """Whether this call injected it; else an earlier one joins the same files."""

    def injected(self, cluster: int) -> "PartialMerge":
        """The same, in the queue now."""
        return replace(self, cluster=cluster, new=True)


@dataclass(frozen=True, slots=True)
class BatchWhy:
    """Why the jobs of a batch that ask for the same are where they are."""

    batch: str
    cluster: int
    shape: Shape
    """What they ask for."""
    groups: tuple[JobGroup, ...]
    choice: Choice
    history: tuple[DecisionRecord, ...]
    failures: tuple[Failure, ...] = ()
    advice: tuple[Advice, ...] = ()
    """What would have to change for its idle jobs to start sooner; only the default policy estimates that."""
    policy: str = POLICIES[0]
    """Which policy chooses the sites."""
    unread: tuple[FetchFailure, ...] = ()
    """Copies of inputs that jobs of its cluster could not fetch lately."""
    copies: tuple[Holding, ...] = ()
    """Copies of what they read that were made because jobs waited for it, or are being made."""


def alike(groups: Iterable[JobGroup]) -> list[tuple[JobGroup, ...]]:
    """The groups of one cluster, those together whose jobs ask for the same; those with idle jobs first in each."""
    found: dict[object, list[JobGroup]] = {}
    for group in sorted(groups, key=lambda group: group.state is not JobState.IDLE):
        asked = (group.requests, group.source, group.allow, group.block, group.group, group.writes)
        found.setdefault(asked, []).append(group)
    return [tuple(each) for each in found.values()]


def task_status(
    task: Task,
    jobs: int,
    groups: Iterable[JobGroup],
    ended: Iterable[EndedJob],
    decisions: Iterable[DecisionRecord],
) -> TaskStatus:
    """Where the `jobs` jobs of a task are: its groups in the queue, its jobs that ended, the decisions on it."""
    counts: dict[str, int] = {}
    running: dict[str, int] = {}
    finished: dict[str, int] = {}
    for group in groups:
        state = state_of(group)
        counts[state] = counts.get(state, 0) + group.count
        if group.state is JobState.RUNNING and group.site:
            running[group.site] = running.get(group.site, 0) + group.count
    for job in ended:
        counts[job.state] = counts.get(job.state, 0) + 1
        if job.state is JobState.FINISHED and job.site:
            finished[job.site] = finished.get(job.site, 0) + 1
    applied = [record for record in decisions if record.outcome == "applied"]
    moved, retried = (sum(each.jobs for each in applied if each.kind == kind) for kind in ("move", "mend"))
    return TaskStatus(task, counts, running, finished, moved, jobs, retried=retried)


def with_stage_out(status: TaskStatus, found: tuple[StageOutCount, ...], transferring: int) -> TaskStatus:
    """A status in which `transferring` of the finished jobs wait for their outputs to arrive."""
    if not transferring:
        return replace(status, stage_out=found)
    finished = status.counts.get(JobState.FINISHED, 0)
    left = {str(JobState.FINISHED): max(0, finished - transferring), TRANSFERRING: min(finished, transferring)}
    return replace(status, counts={**status.counts, **left}, stage_out=found)


def state_of(group: JobGroup) -> str:
    """The state of a group's jobs in users' words."""
    waits = is_merge(group.batch) and group.state is JobState.HELD and group.hold_code == SUBMITTED_HELD
    return WAITING if waits else str(group.state)
