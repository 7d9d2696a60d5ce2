"""Where the jobs of a task are."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from router.decide.causes import VACATE_CODES
from router.decide.retry import failures
from router.decide.stages import LAST
from router.errors import RouterError
from router.model import report as reports
from router.model.answer import TaskStatus, state_of, task_status, with_stage_out
from router.model.job import EndedJob, JobState
from router.model.merging import is_merge
from router.model.task import STEWARD_BATCH, Task
from router.ports import JobLine, Pool, TaskFiles, UserMemory
from router.services.recovery import Recovery


@dataclass(frozen=True, slots=True)
class Standing:
    """What tells of tasks."""

    pool: Pool
    memory: UserMemory
    directory: Callable[[Path], TaskFiles]
    recovery: Recovery

    def status(self, task: Task) -> TaskStatus:
        """Where the jobs of a task are."""
        groups = [each for each in self.pool.jobs() if (each.task, each.owner) == (task.id, task.owner)]
        failed = any(state_of(group) == JobState.HELD for group in groups)
        jobs = sum(batch.jobs for batch in self.memory.batches(task.id))
        found = task_status(task, jobs, groups, self.memory.ended(task.id), self.memory.of_task(task.id))
        problems, lost = self._problems(task) if failed else (), len(self.recovery.lost(task))
        stage = self.memory.stage(task.id)
        waits = stage if stage and stage not in LAST else ""
        # One that has ended and is still in the queue has a report that nobody has looked for yet.
        leaving = sum(group.count for group in groups if group.state is JobState.FINISHED)
        unread = self.memory.unread(task.id) + leaving if task.payload.outputs else 0
        found = replace(found, problems=problems, failures=failures(groups), lost=lost, stage=waits, unread=unread)
        return with_stage_out(found, self.memory.transfer_counts(task.id), self.memory.transferring_jobs(task.id))

    def _problems(self, task: Task) -> tuple[str, ...]:
        """Why jobs of a task are held, each reason once, with how many and which."""
        held: dict[str, list[str]] = {}
        for line in self.pool.task_lines(task.id):
            if line.owner == task.owner and line.state == JobState.HELD and not is_merge(line.batch):
                held.setdefault(self._held_reason(task, line), []).append(line.job or line.id)
        return tuple(f"{len(jobs)} job(s) held, {jobs[0]} the first: {why}" for why, jobs in sorted(held.items()))

    def _held_reason(self, task: Task, line: JobLine) -> str:
        """The wrapper's own words where it left a report, else HTCondor's."""
        try:
            text = self.directory(Path(task.directory)).report(line.job) if line.job else None
            found = reports.parse(text) if text else None
        except (RouterError, ValueError):
            found = None
        return f"{found.message} ({line.reason})" if found and found.exit_code else line.reason

    def lines(self, task: Task) -> tuple[list[JobLine], list[EndedJob]]:
        """The jobs of a task one by one: those in the queue, and those that ended."""
        lines = [
            replace(line, reason=self._held_reason(task, line) if line.state == JobState.HELD else _with_vacates(line))
            for line in self.pool.task_lines(task.id)
            if line.owner == task.owner and line.batch != STEWARD_BATCH
        ]
        return sorted(lines, key=lambda line: line.job), self.memory.ended(task.id)


def _with_vacates(line: JobLine) -> str:
    """What the router last said of a job, and whether it has been stopped before."""
    if not line.vacates:
        return line.reason
    last = VACATE_CODES.get(line.vacate_code)
    why = f", the last time: {last.words} (by the {last.fault})" if last else ""
    return f"{line.reason}; ran {line.vacates} time(s) before and was stopped{why}"
