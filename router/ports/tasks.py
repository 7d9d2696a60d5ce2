"""What the user's interface remembers of tasks, and what lies in their directories."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from router.model.audit import AuditEntry, AuditQuery, AuditState, Sealed
from router.model.downtime import Downtime
from router.model.files import Located
from router.model.job import EndedJob
from router.model.record import BatchRecord, DecisionRecord, SiteState
from router.model.task import Batch, Task
from router.model.usage import Run as UsedRun
from router.ports.catalogue import UserCatalogue
from router.ports.fetches import FailedFetches
from router.ports.memory import Memory
from router.ports.origins import Origins
from router.ports.placement import PlacedCopies
from router.ports.pool import Clock
from router.ports.splitting import TaskAdditions, TaskMemory
from router.ports.transfers import TransferStates, WriteTestAnswers
from router.ports.views import View


class UserMemory(Memory, TaskMemory, TransferStates, WriteTestAnswers, Origins, FailedFetches, PlacedCopies, Protocol):
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

    def transferring_jobs(self, task: str) -> int:
        """Jobs of a task of which an output has not arrived yet, and is still tried."""
        ...

    def retry_transfers(self, task: str, now: float) -> int:
        """Try the failed transfers of a task again, and those that wait at once; returns how many."""
        ...

    def as_user(self, user: str, clock: Clock, proc: View | None = None) -> UserCatalogue:
        """The catalogue with one person's rights; `proc` is what they see below `/proc`."""
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

    def unread(self, task: str) -> int:
        """Jobs of a task that ended well and whose report nobody has read."""
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
        """Make it, with copies of the user's `code` and the zip applications `worker`."""
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

    def sizes(self, folder: str, wanted: Sequence[str] = ()) -> Mapping[str, int]:
        """The ordinary files in one of its folders, those `wanted` or all, with their bytes."""
        ...

    def content(self, folder: str, name: str, most: int) -> bytes | None:
        """Up to `most` bytes of a file in one of its folders; None where there is none."""
        ...
