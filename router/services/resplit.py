"""A failed job's work given to several smaller jobs, as its owner."""

from dataclasses import dataclass, replace

from router.decide.split import Numbering, cut
from router.decide.split.again import smaller
from router.errors import NotFound, RouterError, UserError
from router.model.job import JobState
from router.model.merging import is_merge
from router.model.task import Chunk, Task
from router.services.adding import Adding

_LISTED = "`glideroute status {} --jobs` lists its jobs."


@dataclass(frozen=True, slots=True)
class Resplit:
    """Splits jobs of one user again."""

    adding: Adding

    def split(self, wanted: str, job: str, into: int) -> dict[str, int]:
        """Replace a failed job by about `into` smaller ones; returns the cluster of each new batch.

        Safe to repeat after it was cut short. Raises UserError where the job has not failed or reads too little.
        """
        task = self.adding.own(wanted)
        with self.adding.files(task).exclusively():
            return self._split(task, job, into)

    def _split(self, task: Task, job: str, into: int) -> dict[str, int]:
        if job in self.adding.memory.replaced(task.id):
            if left := self.adding.inject(task):
                return left
            raise UserError(
                f"Job {job} of {task.id} is split already. `glideroute status {task.id} --jobs` lists its jobs."
            )
        given = self.adding.given(task)
        if job not in given:
            raise NotFound(
                f"{task.id} has no job {job} that reads input. `glideroute status {task.id} --jobs` lists its jobs."
            )
        if any(output.fan_in for output in task.payload.outputs):
            raise UserError(
                f"{task.id} merges in a tree, whose jobs know their parts already, so that none can be split. "
                "Release the job with more time or memory, or submit the payload again with a finer split."
            )
        batch = self._failed(task, job)
        chunk = self._where_it_lies_now(given[job])
        taken = {each.key for each in self.adding.memory.batches(task.id)}
        base = batch.partition("-")[0]
        first = next(n for n in range(1, len(taken) + 2) if not any(each.startswith(f"{base}-s{n}") for each in taken))
        numbering = Numbering(f"{base}-s", first, 1 + max(int(each) for each in given))
        cut_again = cut(smaller(chunk.pieces, into), chunk.pieces, numbering, (chunk.point,))
        if sum(len(each.chunks) for each in cut_again) < 2:
            raise UserError(f"Job {job} of {task.id} reads too little to be split.")
        self.adding.withdraw(task, [job])
        return self.adding.add(task, cut_again, {job: batch})

    def _failed(self, task: Task, job: str) -> str:
        """The batch of a job that is held, or that was removed."""
        pool = self.adding.pool
        lines = [each for each in pool.task_lines(task.id) if (each.job, each.owner) == (job, task.owner)]
        if lines:
            if lines[0].state not in (JobState.HELD, JobState.REMOVED) or is_merge(lines[0].batch):
                raise UserError(f"Job {job} of {task.id} is {lines[0].state}: only a job that failed is split again.")
            return lines[0].batch
        gone = [
            each for each in pool.ended(task.created) if (each.task, each.job, each.owner) == (task.id, job, task.owner)
        ]
        if not gone:
            raise RouterError(f"Job {job} of {task.id} is neither in the queue nor in its history.")
        if gone[0].state is not JobState.REMOVED:
            raise UserError(f"Job {job} of {task.id} is {gone[0].state}: only a job that failed is split again.")
        return gone[0].batch

    def _where_it_lies_now(self, chunk: Chunk) -> Chunk:
        """The same with the copies that the catalogue knows today."""
        names = sorted({piece.located.file.lfn for piece in chunk.pieces})
        known = {located.file.lfn: located for located in self.adding.memory.files(names)}
        pieces = tuple(replace(p, located=known.get(p.located.file.lfn, p.located)) for p in chunk.pieces)
        return replace(chunk, pieces=pieces)
