"""What programs took in the past, as the reports of their jobs tell."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from router.errors import RouterError, UserError
from router.model import report as reports
from router.model.job import JobState
from router.model.measure import Measured, measured
from router.model.merging import is_merge
from router.model.report import JobReport
from router.model.task import Task
from router.ports import TaskFiles, UserMemory

TASKS = 5
"""Newest tasks of a program that are asked."""
REPORTS = 200
"""Reports that are read of each: about 20 ms."""


@dataclass(frozen=True, slots=True)
class Past:
    """What one user's programs took."""

    memory: UserMemory
    user: str
    files: Callable[[Path], TaskFiles]

    def of_program(self, digest: str) -> Measured:
        """What the newest tasks took that run a program; nothing where it never ran."""
        found: list[JobReport] = []
        for each in self.memory.tasks_of_program(digest, self.user, TASKS):
            task = self.memory.task(each)
            done = [job.job for job in self.memory.ended(each) if job.state is JobState.FINISHED]
            found.extend(self.of_jobs(task, done[:REPORTS]))
        return measured(each for each in found if not is_merge(each.batch))

    def of_jobs(self, task: Task, jobs: Iterable[str]) -> Iterator[JobReport]:
        """The reports of jobs of a task, as far as there are any that can be read."""
        files = self.files(Path(task.directory))
        for job in jobs:
            try:
                if text := files.report(job):
                    yield reports.parse(text)
            except (RouterError, ValueError):
                continue


def program_digest(path: Path) -> str:
    """The SHA-256 of a program. Raises UserError where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}. Files are looked for beside the payload document."
        ) from None
