"""Job reports without a file system."""

from dataclasses import dataclass, field

from router.model.task import Task


@dataclass
class FakeReports:
    """The reports of all tasks; the route loop takes it as it is."""

    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    """By task and job."""

    def __call__(self, task: Task) -> "ReportsOfTask":
        """The reports of one task."""
        return ReportsOfTask(self, task.id)

    def add(self, task: str, job: str, text: str) -> None:
        """Let the report of a job come back."""
        self.texts[task, job] = text


@dataclass(frozen=True)
class ReportsOfTask:
    """The reports of one task's jobs."""

    all: FakeReports
    task: str

    def report(self, job: str) -> str | None:
        """The report of a job; None while there is none."""
        return self.all.texts.get((self.task, job))
