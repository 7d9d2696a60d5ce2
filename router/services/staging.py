"""Carrying an automatic splitting on, as the owner of its task: looked at, decided, and added to, step by step.

It may be cut anywhere: what is remembered and not injected is injected by the next look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from router.decide.split import Numbering, cut
from router.decide.split.missing import missing
from router.decide.stages import LAST, Close, Cut, Stage, Standing, Wait, next_step
from router.errors import UserError
from router.model.answer import Proceeded
from router.model.job import JobState
from router.model.measure import measured
from router.model.merging import is_partial
from router.model.payload import Split
from router.model.task import MERGE_BATCH, Batch, Chunk, Piece, Task
from router.render import jdl
from router.render.parts import merge_jobs, part_text, parts
from router.services.adding import Adding
from router.services.past import REPORTS, Past

WORK = "work"
"""How the parts are called that say all there is to read; no job is."""
ENDED = "no more jobs will be added"
PROBES, MAIN, TAILS = "p", "b", "t"
"""How the keys of batches begin."""


@dataclass(frozen=True, slots=True)
class Staging:
    """Automatic splittings of one user."""

    adding: Adding

    def look(self, wanted: str) -> Proceeded:
        """What is next for a task, and whether it is due. Raises UserError for one that is not split automatically."""
        task = self.adding.own(wanted)
        stage = self._stage(task)
        known = [each for each in self.adding.memory.batches(task.id) if not is_partial(each.key)]
        injected = {each.key: each.cluster is not None for each in known}
        merges = stage is Stage.COMPLETE and bool(merge_jobs(task.payload))
        due = stage is not Stage.KILLED and not (all(injected.values()) and injected.get(MERGE_BATCH, not merges))
        if stage in LAST:
            return Proceeded(task.id, stage, ENDED, open=due, due=due)
        step = next_step(_Look(self.adding, task).standing(stage))
        return Proceeded(task.id, stage, step.words, due=due or not isinstance(step, Wait))

    def proceed(self, wanted: str) -> Proceeded:
        """Do what is next for a task, if anything is; safe to repeat.

        Raises UserError for a task that is not split automatically, TemporaryError while another process is at it.
        """
        task = self.adding.own(wanted)
        with self.adding.files(task).exclusively():
            stage = self._stage(task)
            left_over = self.adding.inject(task) if stage is not Stage.KILLED else {}
            if stage in LAST:
                return self._entered(task, stage, ENDED, left_over)
            look = _Look(self.adding, task)
            step = next_step(look.standing(stage))
            match step:
                case Wait():
                    return Proceeded(task.id, stage, step.words, tuple(left_over.items()))
                case Close():
                    self.adding.memory.set_stage(task.id, step.to)
                    return self._entered(task, step.to, step.words, left_over)
                case Cut():
                    return self._entered(task, step.to, step.words, left_over | self._cut(look, step))

    def _stage(self, task: Task) -> Stage:
        if not (found := self.adding.memory.stage(task.id)):
            raise UserError(f"{task.id} is not split automatically: all of its jobs were submitted at once.")
        return Stage(found)

    def _entered(self, task: Task, stage: Stage, words: str, injected: Mapping[str, int]) -> Proceeded:
        merged = self._merge(task) if stage is Stage.COMPLETE else {}
        return Proceeded(task.id, stage, words, (*injected.items(), *merged.items()), stage not in LAST)

    def _cut(self, look: "_Look", step: Cut) -> dict[str, int]:
        """Give what is left to new jobs."""
        kind = MAIN if step.to is Stage.MAIN else TAILS
        numbering = Numbering(kind, sum(key.startswith(kind) for key in look.given), look.next_job)
        by = "lumi-events" if any(piece.lumis for piece in look.left) else "events"
        return self.adding.add(look.task, cut(Split(by, step.events), look.left, numbering), look.failed, step.to)

    def _merge(self, task: Task) -> dict[str, int]:
        """Inject the merge jobs, now that all other jobs are known."""
        memory, jobs = self.adding.memory, merge_jobs(task.payload)
        if not jobs:
            return {}
        memory.add_merge(task.id, len(jobs))
        if any(each.key == MERGE_BATCH and each.cluster is not None for each in memory.batches(task.id)):
            return {}
        self.adding.expect(task)
        there = self.adding.pool.clusters(task.id, self.adding.user)
        cluster = there.get(MERGE_BATCH) or self.adding.submit(task, jdl.merge_injection(task))
        memory.set_cluster(task.id, MERGE_BATCH, cluster)
        return {MERGE_BATCH: cluster}


class _Look:
    """What is known of one task at one instant."""

    def __init__(self, adding: Adding, task: Task) -> None:
        self.adding, self.task = adding, task
        lines = [each for each in adding.pool.task_lines(task.id) if each.owner == task.owner]
        ended = {each.job: each for each in adding.memory.ended(task.id)}
        replaced = adding.memory.replaced(task.id)
        self.given = adding.given_to(task)
        chunks = {job: chunk for found in self.given.values() for job, chunk in found.items()}
        self.failed = {each.job: each.batch for each in lines if each.given_up and each.job in chunks.keys() - replaced}
        """With their batches."""
        self.open = chunks.keys() - replaced - self.failed.keys() - ended.keys()
        taken = (p for job, chunk in chunks.items() if job not in replaced | self.failed.keys() for p in chunk.pieces)
        self.left = missing(self._work(), taken)
        self.next_job = 1 + max((int(job) for job in chunks), default=-1)
        self._done = [job for job, each in ended.items() if each.state is JobState.FINISHED and job in chunks]

    def standing(self, stage: Stage) -> Standing:
        """How the jobs of a stage stand."""
        kind = PROBES if stage is Stage.PROBES else MAIN
        jobs = {job for key, found in self.given.items() if key.startswith(kind) for job in found}
        past = Past(self.adding.memory, self.adding.user, self.adding.directory)
        return Standing(
            stage=stage,
            target_s=self.task.payload.split.target,
            jobs=len(jobs),
            open=len(jobs & self.open),
            failed=len(self.failed),
            left_events=sum(piece.events for piece in self.left),
            measured=measured(past.of_jobs(self.task, self._done[-REPORTS:])),
        )

    def _work(self) -> list[Piece]:
        """All there is to read, where it lies now."""
        pieces = [piece for chunk in self.adding.described(self.task, WORK).values() for piece in chunk.pieces]
        known = {each.file.lfn: each for each in self.adding.memory.files([p.located.file.lfn for p in pieces])}
        return [replace(piece, located=known.get(piece.located.file.lfn, piece.located)) for piece in pieces]


def work_texts(task: Task, work: tuple[Piece, ...]) -> dict[str, str]:
    """All there is to read, as parts of the task's directory."""
    batch = Batch(WORK, tuple(Chunk(f"{number:04d}", (piece,)) for number, piece in enumerate(work)))
    return {part.name: part_text(task, WORK, part, task.outputs) for part in parts(batch)}
