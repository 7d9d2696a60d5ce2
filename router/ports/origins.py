"""What the ledger knows of single jobs, for following files back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from router.model.job import EndedJob
from router.model.provenance import Maker
from router.model.record import BatchRecord


class Origins(Protocol):
    """Single jobs and their tasks."""

    def jobs_ended(self, wanted: Iterable[Maker]) -> Mapping[tuple[int, int], EndedJob]:
        """How jobs ended, by cluster and process; those that are not known as jobs of these tasks are left out."""
        ...

    def job_ended(self, cluster: int, proc: int) -> EndedJob | None:
        """How a job ended, whose task it may only claim to be of; None while it has not."""
        ...

    def batch_of(self, cluster: int) -> BatchRecord | None:
        """The batch that became a cluster."""
        ...

    def digests(self, task: str) -> tuple[str, str]:
        """The SHA-256 of what was submitted as a task, and of its program; empty where nobody noted it."""
        ...

    def batch_reads(self, task: str, batch: str) -> Sequence[str]:
        """The names of the files that the jobs of a batch read together, sorted."""
        ...

    def made_in(self, task: str) -> Mapping[str, Maker]:
        """What the jobs of a task made that is, or was, registered: the jobs by the files' names."""
        ...
