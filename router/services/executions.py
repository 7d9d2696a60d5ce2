"""Jobs as they ran: what the ledger, their descriptions and their reports tell of them together."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from router.decide.provenance import reads
from router.errors import RouterError
from router.model import names, spec
from router.model.job import EndedJob
from router.model.merging import is_merge, merge_tree, output_of
from router.model.provenance import Execution, Maker, TaskFacts
from router.model.run_details import RunDetails, parse
from router.model.sweep import filled
from router.model.task import MERGE_BATCH, Chunk, Task
from router.ports import TaskFiles, UserMemory
from router.render.described import chunks
from router.render.parts import MERGER


@dataclass
class _Told:
    """What is known of one task."""

    task: Task
    facts: TaskFacts
    files: TaskFiles
    given: dict[str, Mapping[str, Chunk]] = field(default_factory=dict)
    """What its jobs were given, by batch, as far as it was asked for."""


@dataclass
class Jobs:
    """Looks up jobs; what a task's directory tells is kept meanwhile."""

    memory: UserMemory
    directory: Callable[[Path], TaskFiles]
    _tasks: dict[str, _Told | None] = field(default_factory=dict)

    def tasks(self) -> dict[str, TaskFacts]:
        """What is known of the tasks whose jobs were looked up, by id."""
        return {task: told.facts for task, told in self._tasks.items() if told}

    def given(self, task: str, batch: str) -> Mapping[str, Chunk]:
        """What the jobs of a batch were given, in the order of their process numbers, as far as that is told."""
        told = self._told(task)
        return self._given(told, batch) if told else {}

    def execution(self, maker: Maker, ended: EndedJob | None, batch: str = "") -> Execution:
        """A job as far as anybody tells; its batch is that in which it ended, or the one given."""
        told = self._told(maker.task)
        if told is None:
            return Execution(maker, site=ended.site if ended else "")
        batch = ended.batch if ended else batch
        details = _details(told.files, maker.job)
        merge = is_merge(batch)
        given = None if merge else self._given(told, batch).get(maker.job)
        ledger = () if given or details.fetched else self._ledger(told, maker, batch)
        uses, told_by = reads(given, details.fetched, ledger)
        payload = told.task.payload
        return Execution(
            maker=maker,
            batch=batch,
            merge=merge,
            program=MERGER if merge else payload.executable,
            arguments=_merged(told.task, maker.job) if merge else _filled(told.task, given),
            parameters=given.point if given else (),
            uses=uses,
            told_by=told_by,
            site=ended.site if ended else "",
            host=details.host,
            node=details.node,
            code=details.code,
            started=details.started,
            ended=details.ended or (ended.ended if ended else 0.0),
            exit_code=ended.exit_code if ended else None,
        )

    def _told(self, task: str) -> _Told | None:
        """What is known of a task; None where it is not known any more, or not understood."""
        if task not in self._tasks:
            try:
                self._tasks[task] = self._look_up(task)
            except RouterError:
                self._tasks[task] = None
        return self._tasks[task]

    def _look_up(self, wanted: str) -> _Told | None:
        task = self.memory.task(wanted)
        if task.id != wanted:
            return None
        return _Told(task, facts(self.memory, task), self.directory(Path(task.directory)))

    def _given(self, told: _Told, batch: str) -> Mapping[str, Chunk]:
        """What the jobs of a batch were given, as far as the task's directory still tells."""
        if batch not in told.given:
            try:
                told.given[batch] = chunks(told.files.parts(names.name(batch)), batch)
            except (RouterError, ValueError):
                told.given[batch] = {}
        return told.given[batch]

    def _ledger(self, told: _Told, maker: Maker, batch: str) -> Sequence[str]:
        """What the ledger tells of what a job read, where nobody else does."""
        if batch != MERGE_BATCH:
            return self.memory.batch_reads(maker.task, batch)
        made, task = self.memory.made_in(maker.task), told.task
        output = output_of(task.payload, maker.job)
        jobs = sorted({each.job for each in made.values() if each.job.isdecimal()}, key=lambda job: (len(job), job))
        joined = dict(merge_tree(task.payload, jobs).last).get(maker.job) or jobs
        return [lfn for job in joined if (lfn := task.output(output, job)) in made]


def facts(memory: UserMemory, task: Task) -> TaskFacts:
    """What a lineage says of a task."""
    document = memory.document(task.id)
    submitted, program = memory.digests(task.id)
    said = spec.parse(document, task.id)
    payload = task.payload
    return TaskFacts(
        id=task.id,
        owner=task.owner,
        created=task.created,
        document=document,
        document_digest=hashlib.sha256(document.encode()).hexdigest(),
        submission_digest=submitted if len(submitted) == 64 else "",
        program=payload.executable,
        program_digest=program,
        reads=_words(said.get("input")),
        split=_words(said.get("split")),
        container=payload.container,
        software=payload.requests.platform.software,
    )


def _words(section: object) -> str:
    """A section of a document in one line."""
    return ", ".join(f"{key} {value}" for key, value in section.items()) if isinstance(section, Mapping) else ""


def _details(files: TaskFiles, job: str) -> RunDetails:
    """What a job's report tells, as far as there is one that can be read."""
    try:
        return parse(files.report(job) or "")
    except (RouterError, ValueError):
        return RunDetails()


def _filled(task: Task, given: Chunk | None) -> tuple[str, ...]:
    point = given.point if given else ()
    return tuple(filled(each, point) for each in task.payload.arguments)


def _merged(task: Task, job: str) -> tuple[str, ...]:
    """The argument of a merge job: which output it joins."""
    output = output_of(task.payload, job)
    return (output,) if output else ()
