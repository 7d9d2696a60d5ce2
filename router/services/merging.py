"""Merging what is there of a task's outputs, when its owner asks: by jobs, near the files.

The task's own merge job waits for all parts as before, and takes nothing from these. Each merge is described and
remembered before it is injected; a call that was cut short is taken up by the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.errors import TemporaryError, UserError
from router.model.answer import PartialMerge
from router.model.files import Located
from router.model.job import JobState
from router.model.merging import MergeNode, files_of, is_merge, is_partial, partial_job, partial_number
from router.model.payload import Output
from router.model.task import Task
from router.ports import UserCatalogue
from router.render import jdl
from router.render.parts import node_text
from router.services.adding import Adding
from router.services.collecting import grows, of_jobs

MB = 1 << 20
MERGED = "merged"
COPIES = 2
"""Of each part: the one that is read, and what is written."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """A merge of what is there, and the batch it is."""

    node: MergeNode
    answer: PartialMerge
    disk_mb: int


@dataclass(frozen=True, slots=True)
class Merging:
    """What one user may have merged."""

    adding: Adding
    catalogue: UserCatalogue

    def look(self, wanted: str, outputs: Sequence[str] = ()) -> tuple[PartialMerge, ...]:
        """What merging would join; without `outputs` each that the payload says to merge.

        Raises UserError where nothing can be merged, TemporaryError where nothing is there yet.
        """
        return tuple(each.answer for each in self._planned(self.adding.own(wanted), outputs))

    def merge(self, wanted: str, outputs: Sequence[str] = ()) -> tuple[PartialMerge, ...]:
        """Inject a merge job for each output, unless one of the same files is there; safe to repeat."""
        task = self.adding.own(wanted)
        with self.adding.files(task).exclusively():
            self._settle(task)
            return tuple(self._merge(task, each) for each in self._planned(task, outputs))

    def _settle(self, task: Task) -> None:
        """Look for what a call that was cut short may have injected: what is in the queue is not described again."""
        memory = self.adding.memory
        if unknown := [each.key for each in memory.batches(task.id) if is_partial(each.key) and not each.cluster]:
            there = self.adding.pool.clusters(task.id, self.adding.user)
            for key in unknown:
                if key in there:
                    memory.set_cluster(task.id, key, there[key])

    def _merge(self, task: Task, planned: _Planned) -> PartialMerge:
        memory, node = self.adding.memory, planned.node
        if planned.answer.cluster:
            return planned.answer
        self.adding.files(task).describe({node.job: node_text(task, node)})
        memory.plan_merge(task.id, node.job, files_of(task, node))
        cluster = self.adding.submit(task, jdl.node_injection(task, node.job, planned.disk_mb))
        memory.set_cluster(task.id, node.job, cluster)
        return planned.answer.injected(cluster)

    def _planned(self, task: Task, outputs: Sequence[str]) -> tuple[_Planned, ...]:
        files = {each.file.lfn: each for each in self.catalogue.files(self.catalogue.below(task.outputs))}
        found = [self._of_output(task, each, files) for each in _chosen(task, outputs)]
        planned = tuple(each for each in found if each)
        if not planned:
            raise TemporaryError(
                f"{task.id} has nothing to merge yet. `glideroute status {task.id}` tells how far it is."
            )
        return planned

    def _of_output(self, task: Task, output: Output, files: Mapping[str, Located]) -> _Planned | None:
        parts = of_jobs(task, output.name, files)
        batches = [each for each in self.adding.memory.batches(task.id) if not is_merge(each.key)]
        missing = max(0, sum(each.jobs for each in batches) - len(parts))
        _refuse_whole(task, output, files, missing == 0 and not grows(self.adding.memory, task))
        if not parts:
            return None
        job, cluster = self._job(task, output.name, {each.file.lfn for each in parts.values()}, files)
        answer = PartialMerge(task.id, output.name, task.output(output.name, job), len(parts), missing, cluster)
        size = sum(each.file.size for each in parts.values())
        return _Planned(MergeNode(job, output.name, tuple(parts)), answer, -(-COPIES * size // MB))

    def _job(self, task: Task, output: str, parts: set[str], files: Mapping[str, Located]) -> tuple[str, int]:
        """The name of the merge job of these files, and its cluster where it is injected and of use; else 0."""
        payload, memory = task.payload, self.adding.memory
        known = {partial_number(payload, output, each.key): each for each in memory.batches(task.id)}
        newest = max(known)
        if not newest:
            return partial_job(payload, output, 1), 0
        record = known[newest]
        if record.cluster is None:
            return record.key, 0  # an earlier call was cut short
        made = task.output(output, record.key) in files
        if memory.joins(task.id, record.key) == parts and not self._over(task, record.key, made):
            return record.key, record.cluster
        return partial_job(payload, output, newest + 1), 0

    def _over(self, task: Task, job: str, there: bool) -> bool:
        """Whether a merge job ended and its file is not there, nor will be."""
        ended = {each.job: each.state for each in self.adding.memory.read(task.id)}
        removed = any((each.job, each.state) == (job, JobState.REMOVED) for each in self.adding.memory.ended(task.id))
        return removed or (job in ended and not there)


def _chosen(task: Task, outputs: Sequence[str]) -> list[Output]:
    """The outputs of these names, or those that the payload says to merge. Raises UserError where there are none."""
    known = {each.name: each for each in task.payload.outputs}
    for name in outputs:
        if name not in known:
            raise UserError(f"{task.id} has no output {name}. Its outputs are: {', '.join(known) or 'none'}.")
    chosen = [known[name] for name in dict.fromkeys(outputs)] or [each for each in known.values() if each.merge]
    if not chosen:
        raise UserError(
            f"No output of {task.id} has `merge: auto`. Name one with --output: {', '.join(known) or 'there are none'}."
        )
    return chosen


def _refuse_whole(task: Task, output: Output, files: Mapping[str, Located], complete: bool) -> None:
    if task.output(output.name, MERGED) in files:
        raise UserError(f"{output.name} of {task.id} is merged already. `glideroute results {task.id}` gets it.")
    if complete and output.merge:
        raise UserError(
            f"All jobs of {task.id} have left {output.name}, and its own merge job joins them all. "
            f"`glideroute status {task.id}` tells how far that is."
        )
