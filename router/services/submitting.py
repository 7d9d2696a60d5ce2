"""Injecting a plan's batches as the user, once, however often it is cut short."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from router.decide.stages import Stage
from router.errors import UserError
from router.model.answer import Plan, Submitted
from router.model.merging import MergeNode, MergeTree, files_of, is_merge, merge_tree
from router.model.task import MERGE_BATCH, STEWARD_BATCH, Batch, Task
from router.packages.bundle import BUNDLES, packed
from router.ports import Clock, Pool, TaskFiles, UserMemory
from router.render import jdl
from router.render.parts import MERGER, merge_jobs, merge_text, node_text, part_text, parts
from router.services.injecting import inject
from router.services.past import program_digest
from router.services.staging import work_texts


@dataclass(frozen=True, slots=True)
class Submitting:
    """What turns plans of one user into tasks."""

    pool: Pool
    memory: UserMemory
    user: str
    task_home: Path
    directory: Callable[[Path], TaskFiles]
    clock: Clock
    steward: Callable[[Task], jdl.Injection] | None

    def submit(self, plan: Plan, folder: Path, told: Callable[[str], None], alone: bool) -> Submitted:
        """Inject a plan's batches as the user; `folder` holds the payload's files.

        `alone`: the caller carries an automatic splitting on; else a job of the user's on the access point does.
        Safe to repeat after it was cut short: what is in the queue already is found there and not injected again.
        """
        code = {name: folder / name for name in plan.payload.beside}
        if plan.payload.folder:
            code[plan.payload.bundle] = packed(folder, plan.payload, self.task_home / self.user / BUNDLES)
        digest = _digest(plan, code)
        task = self.memory.incomplete_task(self.user, digest)
        resumed = task is not None
        if task is None:
            task = self._open(plan, digest, program_digest(folder / plan.payload.executable))
        tree = _tree(plan)
        self.memory.add_merge_nodes(task.id, {node.job: files_of(task, node) for node in tree.nodes})
        self._refuse_other_cut(task, plan)
        files = self._lay_out(task, plan, code)
        if plan.work:
            files.describe(work_texts(task, plan.work))
            if not self.memory.stage(task.id):
                self.memory.set_stage(task.id, Stage.PROBES)
        there = dict(self.pool.clusters(task.id, self.user)) if resumed else {}  # a search of queue and history
        clusters = self._inject(task, plan, files, there, told)
        if plan.work and self.steward and not alone:
            steward = there.get(STEWARD_BATCH) or inject(self.pool, self.user, task, self.steward(task))
            clusters = (*clusters, (STEWARD_BATCH, steward))
        self.memory.set_complete(task.id)
        return Submitted(task, clusters, resumed)

    def _refuse_other_cut(self, task: Task, plan: Plan) -> None:
        """Raise UserError where the data has moved since the task was planned, so that it would be cut otherwise."""
        planned = {each.key: each.jobs for each in self.memory.batches(task.id) if not is_merge(each.key)}
        if planned != {each.batch.key: len(each.batch.chunks) for each in plan.batches}:
            raise UserError(
                f"An earlier submission of this payload, {task.id}, stopped half-way, and its data has moved since. "
                f"Remove what is there with `glideroute kill {task.id}`, then change the payload's name and submit it."
            )

    def _open(self, plan: Plan, digest: str, program: str) -> Task:
        name = task_id(str(plan.payload.name))
        task = Task(name, self.user, plan.payload, str(self.task_home / self.user / name), self.clock.now())
        merges = 0 if plan.work else len(merge_jobs(plan.payload))
        self.memory.open_task(task, plan.text, digest, [planned.batch for planned in plan.batches], merges)
        self.memory.note_program(task.id, program)
        return task

    def _lay_out(self, task: Task, plan: Plan, code: Mapping[str, Path]) -> TaskFiles:
        files = self.directory(Path(task.directory))
        files.make(plan.text, code, (jdl.WRAPPER, MERGER))
        return files

    def _inject(
        self, task: Task, plan: Plan, files: TaskFiles, there: dict[str, int], told: Callable[[str], None]
    ) -> tuple[tuple[str, int], ...]:
        """Submit the batches that are not `there` already; returns the cluster of each."""
        with ThreadPoolExecutor(max_workers=1) as writer:

            def described(batch: str, texts: Callable[[], Mapping[str, str]]) -> Future[None] | None:
                # What is in the queue is not described again: its jobs may be reading it.
                return None if batch in there else writer.submit(lambda: files.describe(texts()))

            # The descriptions of a batch are written while the one before is submitted.
            wanted = [
                (jdl.batch_injection(task, batch), described(batch.key, partial(_texts, task, batch)))
                for batch in (planned.batch for planned in plan.batches)
            ]
            if merge_jobs(task.payload) and not plan.work:  # of an automatic split they come last
                tree = _tree(plan)
                for node in tree.nodes:
                    texts = partial(_node_texts, task, node)
                    wanted.append((jdl.node_injection(task, node.job), described(node.job, texts)))
                merges = {MERGE_BATCH: merge_text(task, plan.jobs, task.outputs, tree)}
                wanted.append((jdl.merge_injection(task), described(MERGE_BATCH, lambda: merges)))
            for number, (injection, written) in enumerate(wanted, 1):
                if written is not None:
                    written.result()
                    there[injection.batch] = inject(self.pool, self.user, task, injection)
                    told(f"{number} of {len(wanted)} batches are in the queue")
                self.memory.set_cluster(task.id, injection.batch, there[injection.batch])
        return tuple((injection.batch, there[injection.batch]) for injection, _ in wanted)


def task_id(name: str) -> str:
    """An id that no other task of this name has."""
    return f"{name}-{secrets.token_hex(3)}"


def _texts(task: Task, batch: Batch) -> dict[str, str]:
    return {part.name: part_text(task, batch.key, part, task.outputs) for part in parts(batch)}


def _tree(plan: Plan) -> MergeTree:
    """The merge jobs of a plan whose parts are named beforehand."""
    jobs = [chunk.job for planned in plan.batches for chunk in planned.batch.chunks]
    return merge_tree(plan.payload, jobs)


def _node_texts(task: Task, node: MergeNode) -> Mapping[str, str]:
    return {node.job: node_text(task, node)}


def _digest(plan: Plan, code: Mapping[str, Path]) -> str:
    """What makes two submissions the same: the payload, its files, and its input."""
    digest = hashlib.sha256(plan.text.encode())
    for name, path in sorted(code.items()):
        try:
            digest.update(name.encode() + path.read_bytes())
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}. "
                            "Files are looked for beside the payload document.") from None  # fmt: skip
    for located in plan.dataset.files if plan.dataset else ():
        digest.update(f"{located.file.lfn} {located.file.adler32}\n".encode())
    return digest.hexdigest()
