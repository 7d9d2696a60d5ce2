"""Adding jobs to a task that is submitted already, as its owner.

What is added is described and remembered before it is injected; a call that was cut short is taken up by the next.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.errors import PermissionRefused, RouterError, UserError
from router.model.job import JobState
from router.model.merging import is_merge
from router.model.task import MERGE_BATCH, Batch, Chunk, Task
from router.ports import Pool, TaskFiles, UserMemory
from router.render import jdl
from router.render.described import chunks
from router.render.parts import merge_jobs, merge_text, part_text, parts
from router.services.injecting import inject


@dataclass(frozen=True, slots=True)
class Adding:
    """What one user may add to tasks."""

    pool: Pool
    memory: UserMemory
    user: str
    directory: Callable[[Path], TaskFiles]

    def own(self, wanted: str) -> Task:
        """The task, if it is the user's. Raises PermissionRefused where it is somebody else's."""
        task = self.memory.task(wanted)
        if task.owner != self.user:
            raise PermissionRefused(
                f"{task.id} is {task.owner}'s; only {task.owner} may add jobs to it, for they run as {task.owner}."
            )
        return task

    def files(self, task: Task) -> TaskFiles:
        """The task's directory."""
        return self.directory(Path(task.directory))

    def given(self, task: Task) -> dict[str, Chunk]:
        """What each job of a task was given, of those too whose work others took over."""
        return {job: chunk for found in self.given_to(task).values() for job, chunk in found.items()}

    def given_to(self, task: Task) -> dict[str, dict[str, Chunk]]:
        """The same by batch."""
        keys = [each.key for each in self.memory.batches(task.id) if not is_merge(each.key)]
        return {key: self.described(task, key) for key in keys}

    def add(self, task: Task, added: Sequence[Batch], replaced: Mapping[str, str], stage: str = "") -> dict[str, int]:
        """Inject batches; `replaced` names the jobs, with their batches, whose work it is.

        With them the stage that the task enters is remembered. Returns the cluster of each batch, of those too that an
        earlier call left over.
        """
        files = self.files(task)
        for batch in added:
            files.describe({part.name: part_text(task, batch.key, part, task.outputs) for part in parts(batch)})
        self.memory.add_batches(task.id, added, replaced, stage)
        return self.inject(task)

    def inject(self, task: Task) -> dict[str, int]:
        """Inject what is remembered and not in the queue; returns the cluster of each batch."""
        self.withdraw(task, self.memory.replaced(task.id))
        self.expect(task)
        jobs: dict[str, list[str]] = {}
        for job, batch in self.memory.added(task.id).items():
            jobs.setdefault(batch, []).append(job)
        waiting = [each.key for each in self.memory.batches(task.id) if each.cluster is None and each.key in jobs]
        there = self.pool.clusters(task.id, self.user) if waiting else {}
        found: dict[str, int] = {}
        for key in waiting:
            found[key] = (
                there[key]
                if key in there
                else self.submit(task, jdl.batch_injection(task, self._batch(task, key, jobs[key])))
            )
            self.memory.set_cluster(task.id, key, found[key])
        return found

    def withdraw(self, task: Task, jobs: Collection[str]) -> None:
        """Take failed jobs out of the queue, and their reports away. Raises UserError where one is held no more."""
        if not jobs:
            return
        if any(line.job in jobs for line in self.pool.task_lines(task.id)):
            self.pool.withdraw(task.id, sorted(jobs), f"removed by {self.user}: smaller jobs do its work")
            lines = [line for line in self.pool.task_lines(task.id) if line.job in jobs]
            # A job that is removed stays in the queue for a moment.
            if left := [line for line in lines if line.state != JobState.REMOVED]:
                raise UserError(
                    f"Job {left[0].job} of {task.id} was released meanwhile, so that its work is not given to others. "
                    f"If it shall not run, remove it (condor_rm {left[0].id}) and repeat the command."
                )
        for job in jobs:
            self.files(task).set_aside(job)

    def expect(self, task: Task) -> None:
        """Tell merge jobs, which wait, how many parts there will be."""
        if merge_jobs(task.payload) and not any(output.fan_in for output in task.payload.outputs):
            parts_expected = sum(each.jobs for each in self.memory.batches(task.id) if not is_merge(each.key))
            self.files(task).describe({MERGE_BATCH: merge_text(task, parts_expected, task.outputs)})

    def _batch(self, task: Task, key: str, jobs: Sequence[str]) -> Batch:
        told = self.described(task, key)
        if missing := sorted(set(jobs) - set(told)):
            raise RouterError(f"Nothing in {task.directory}/jobs describes job {missing[0]}. Submit the payload again.")
        mine = tuple(told[job] for job in sorted(jobs, key=lambda job: (len(job), job)))
        sites = [piece.located.sites for chunk in mine for piece in chunk.pieces]
        return Batch(key, mine, frozenset.intersection(*sites) if sites else frozenset())

    def described(self, task: Task, key: str) -> dict[str, Chunk]:
        """What each job of a batch was given."""
        try:
            return chunks(self.files(task).parts(key), key)
        except ValueError as error:
            raise RouterError(
                f"What jobs of {task.id} were given cannot be read in {task.directory}/jobs: {error}. "
                "Submit the payload again."
            ) from None

    def submit(self, task: Task, injection: jdl.Injection) -> int:
        """Inject one cluster; returns its id."""
        return inject(self.pool, self.user, task, injection)
