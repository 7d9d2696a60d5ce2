"""Adding jobs to a task that is submitted already, as its owner.

What is added is described and remembered before it is injected; a call that was cut short is taken up by the next.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.errors import OutcomeUnknown, PermissionRefused, RouterError
from router.model.task import MERGE_BATCH, Batch, Chunk, Task
from router.ports import Pool, TaskFiles, UserMemory
from router.render import jdl
from router.render.described import chunks
from router.render.parts import merge_jobs, merge_text, part_text, parts


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
        bases = {each.key for each in self.memory.batches(task.id)} - {MERGE_BATCH}
        found: dict[str, Chunk] = {}
        for key in sorted(bases):
            found |= self._described(task, key)
        return found

    def add(self, task: Task, added: Sequence[Batch], replaced: Mapping[str, str]) -> dict[str, int]:
        """Inject batches; `replaced` names the jobs, with their batches, whose work it is.

        Returns the cluster of each batch, of those too that an earlier call left over.
        """
        files = self.files(task)
        for batch in added:
            files.describe({part.name: part_text(task, batch.key, part, task.outputs) for part in parts(batch)})
        self.memory.add_batches(task.id, added, replaced)
        return self.inject(task)

    def inject(self, task: Task) -> dict[str, int]:
        """Inject what is remembered and not in the queue; returns the cluster of each batch."""
        self._expect(task)
        jobs: dict[str, list[str]] = {}
        for job, batch in self.memory.added(task.id).items():
            jobs.setdefault(batch, []).append(job)
        waiting = [each.key for each in self.memory.batches(task.id) if each.cluster is None and each.key in jobs]
        there = self.pool.clusters(task.id, self.user) if waiting else {}
        found: dict[str, int] = {}
        for key in waiting:
            found[key] = there[key] if key in there else self._submit(task, self._batch(task, key, jobs[key]))
            self.memory.set_cluster(task.id, key, found[key])
        return found

    def _expect(self, task: Task) -> None:
        """Tell merge jobs, which wait, how many parts there will be."""
        if merge_jobs(task.payload):
            parts_expected = sum(each.jobs for each in self.memory.batches(task.id) if each.key != MERGE_BATCH)
            self.files(task).describe({MERGE_BATCH: merge_text(task, parts_expected, task.outputs)})

    def _batch(self, task: Task, key: str, jobs: Sequence[str]) -> Batch:
        told = self._described(task, key)
        if missing := sorted(set(jobs) - set(told)):
            raise RouterError(f"Nothing in {task.directory}/jobs describes job {missing[0]}. Submit the payload again.")
        mine = tuple(told[job] for job in sorted(jobs, key=lambda job: (len(job), job)))
        sites = [piece.located.sites for chunk in mine for piece in chunk.pieces]
        return Batch(key, mine, frozenset.intersection(*sites) if sites else frozenset())

    def _described(self, task: Task, key: str) -> dict[str, Chunk]:
        try:
            return chunks(self.files(task).parts(key))
        except ValueError as error:
            raise RouterError(
                f"What jobs of {task.id} were given cannot be read in {task.directory}/jobs: {error}. "
                "Submit the payload again."
            ) from None

    def _submit(self, task: Task, batch: Batch) -> int:
        injection = jdl.batch_injection(task, batch)
        try:
            return self.pool.submit(injection.text, [dict(item) for item in injection.items])
        except OutcomeUnknown:
            found = self.pool.clusters(task.id, self.user).get(batch.key)
            if found is None:
                raise
            return found
