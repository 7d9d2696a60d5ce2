"""Making again what was lost: finished jobs whose outputs are gone are injected once more, as the user.

It may be cut anywhere: a batch that the ledger knows and that is not injected is injected at the next call.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from router.decide.recover import lost, needed
from router.errors import PermissionRefused, RouterError, TemporaryError
from router.model.files import Replica
from router.model.job import EndedJob
from router.model.merging import is_merge, is_node
from router.model.task import MERGE_BATCH, Batch, Chunk, Inputs, Task, merges
from router.ports import Pool, TaskFiles, UserMemory
from router.render import jdl
from router.render.parts import part_again, parts
from router.services.injecting import inject

Present = Callable[[str, Replica], bool]
"""Whether a copy of a file is where it should be; raises TemporaryError where the storage does not answer."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one user may make again."""

    pool: Pool
    memory: UserMemory
    user: str
    files: Callable[[Path], TaskFiles]

    def lost(self, task: Task, present: Present | None = None) -> tuple[EndedJob, ...]:
        """The finished jobs of a task whose outputs are not there any more.

        Without `present` the catalogue is believed. With it, copies that are gone are forgotten.
        """
        done, joined = self.memory.read(task.id), merges(task.payload)
        if present is None:
            return lost(task, done, frozenset(self.memory.held(task.outputs)))
        self._refuse_strangers(task)
        there = self._there(sorted({name for wanted in needed(task, done).values() for name in wanted}), present)
        gone = lost(task, done, there)
        if any(job.batch == MERGE_BATCH for job in gone):  # then its parts matter again
            parts = {task.output(name, job.job) for job in done if job.batch != MERGE_BATCH for _, name in joined}
            gone = lost(task, done, there | self._there(sorted(parts - there), present))
        return gone

    def _there(self, names: Sequence[str], present: Present) -> set[str]:
        there = set()
        for located in self.memory.files(names):
            for replica in located.replicas:
                if present(located.file.lfn, replica):
                    there.add(located.file.lfn)
                else:
                    self.memory.remove_replica(located.file.lfn, replica.se)
        return there

    def make_again(self, task: Task, jobs: Sequence[EndedJob]) -> dict[str, int]:
        """Inject jobs that ended once more, and what an earlier call left over; returns the cluster of each batch."""
        self._refuse_strangers(task)
        if left := self.memory.retired_of(task.id):
            raise TemporaryError(
                f"{left:,} part(s) of {task.id} that are joined are being removed from storage by the stage-out agent; "
                "jobs that make them anew would lose them. Repeat the command when it is done."
            )
        for batch in sorted({job.batch for job in jobs}):
            self.memory.make_again(task.id, self._key(task, batch), [job for job in jobs if job.batch == batch])
        return dict(self._inject(task))

    def _refuse_strangers(self, task: Task) -> None:
        if task.owner != self.user:
            raise PermissionRefused(
                f"{task.id} is {task.owner}'s; only {task.owner} may run its jobs again, for they run as {task.owner}."
            )

    def _key(self, task: Task, batch: str) -> str:
        """A new batch's key: `b0-r1` for jobs of `b0`. The merge batches keep theirs, by which they are known."""
        if is_merge(batch):
            return batch
        base = _first(batch)
        taken = {each.key for each in self.memory.batches(task.id)}
        return next(key for number in range(1, len(taken) + 2) if (key := f"{base}-r{number}") not in taken)

    def _inject(self, task: Task) -> Iterable[tuple[str, int]]:
        again = self.memory.to_make_again(task.id)
        there: Mapping[str, int] | None = None
        for batch in self.memory.batches(task.id):
            if batch.cluster is None and (jobs := self._jobs_of(task, batch.key, again)):
                there = self.pool.clusters(task.id, self.user) if there is None else there
                known = there.get(batch.key)
                if known is None or known in {job.cluster for job in again}:
                    injection = self._injection(task, batch.key, jobs)
                    known = inject(self.pool, self.user, task, injection, again=is_merge(batch.key))
                self.memory.set_cluster(task.id, batch.key, known)
                yield batch.key, known

    def _jobs_of(self, task: Task, key: str, again: Iterable[EndedJob]) -> list[str]:
        ended = {job.job for job in self.memory.ended(task.id)}
        return sorted({job.job for job in again if job.batch == key} - ended)

    def _injection(self, task: Task, key: str, jobs: Sequence[str]) -> jdl.Injection:
        if key == MERGE_BATCH:
            whole = jdl.merge_injection(task)
            return replace(whole, items=tuple(item for item in whole.items if dict(item)["RouterJob"] in jobs))
        if is_node(key):
            return jdl.node_injection(task, key)
        inputs = self.memory.inputs([(task.id, key)]).get((task.id, key), Inputs())
        holders = frozenset(site for site, size in inputs.at_sites if size >= inputs.size)
        batch = Batch(key, tuple(Chunk(job) for job in jobs), holders)
        self._describe(task, batch)
        return jdl.batch_injection(task, batch)

    def _describe(self, task: Task, batch: Batch) -> None:
        files = self.files(Path(task.directory))
        try:
            for part in parts(batch):
                jobs = [chunk.job for chunk in part.chunks]
                files.describe({part.name: part_again(files.parts(_first(batch.key)), batch.key, jobs)})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RouterError(
                f"Jobs of {task.id} cannot be made again: {error} in {task.directory}/jobs. Submit the payload again."
            ) from None


def _first(batch: str) -> str:
    """The key of the batch that a batch was made from: `b0` of `b0-r2`."""
    return batch.rpartition("-r")[0] or batch
