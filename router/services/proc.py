"""`/proc`: each task and each job as a directory of the catalogue, computed from the store and the task's directory.

Nothing of it is stored. A task's owner and the catalogue's administrators may look at it; nobody writes.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from router.errors import NotFound, PermissionRefused, RouterError, UserError
from router.model import names
from router.model.entry import Entry, Kind
from router.model.job import EndedJob
from router.model.merging import is_merge, output_of
from router.model.provenance import Execution, Maker
from router.model.record import BatchRecord
from router.model.rights import PROC, Need, Person, Rights
from router.model.task import MERGE_BATCH, Task, merges
from router.ports import TaskFiles, UserMemory
from router.services.executions import Jobs, facts

MOST_BYTES = 100_000_000
"""Of a file that is given; larger logs are read where they lie."""
EVERYBODYS = Rights("", "", 0o555)
KEPT = (("stdout", "logs", "out"), ("stderr", "logs", "err"), ("report.json", "reports", "json"))
"""What there may be of a job in the task's directory: what it is called here, its folder, how its name ends."""
QUEUED = "in the queue"
MOST_NUMBER = 2**31 - 1
"""Of a cluster or a process, as HTCondor counts them and databases hold them."""


@dataclass(frozen=True, slots=True)
class Node:
    """One name: a directory, a file or a link."""

    rights: Rights
    created: float = 0.0
    held: Callable[[], Mapping[str, "Node"]] | None = None
    """What a directory holds, by name."""
    content: Callable[[], bytes] | None = None
    size: int = -1
    """Bytes of a file; -1: as many as its content has."""
    target: str = ""

    def entry(self, name: str) -> Entry:
        """It as people see it."""
        if self.target:
            return Entry(name, Kind.LINK, Rights(self.rights.owner, "", 0o777), self.created, target=self.target)
        if self.content is None:
            return Entry(name, Kind.DIRECTORY, self.rights, self.created)
        size = self.size if self.size >= 0 else len(self.content())
        return Entry(name, Kind.FILE, self.rights, self.created, size=size)


@dataclass(frozen=True, slots=True)
class _Job:
    """A job as far as it is known."""

    task: Task
    maker: Maker
    batch: str
    ended: EndedJob | None


@dataclass(frozen=True, slots=True)
class Proc:
    """The view that `/proc` is, of all tasks."""

    memory: UserMemory
    directory: Callable[[Path], TaskFiles]

    def entry(self, name: str, person: Person) -> Entry:
        """What a name stands for; a link at its end is not followed. Raises NotFound, PermissionRefused."""
        return self._node(name, person).entry(name)

    def entries(self, name: str, person: Person) -> Sequence[Entry]:
        """What a directory holds, by name; of anything else it alone. Raises NotFound, PermissionRefused."""
        node = self._node(name, person)
        if node.held is None:
            return [node.entry(name)]
        _require(person, Need.READ, name, node.rights)
        held = self._tasks(person) if name == PROC else node.held()
        return [each.entry(f"{name}/{last}") for last, each in sorted(held.items())]

    def content(self, name: str, person: Person) -> bytes:
        """What a file holds. Raises UserError for what is none or too large, NotFound, PermissionRefused."""
        node = self._node(name, person)
        if node.content is None:
            raise UserError(f"{name} is a directory. `glideroute ls {name}` lists it.")
        _require(person, Need.READ, name, node.rights)
        if node.size > MOST_BYTES:
            raise UserError(f"{name} has {node.size:,} bytes; at most {MOST_BYTES:,} are given. Read it where it lies.")
        return node.content()

    def _node(self, name: str, person: Person) -> Node:
        """What a name stands for; links on the way to it are followed."""
        rest = list(reversed(name.removeprefix(PROC).split("/")[1:]))
        here, node = PROC, Node(EVERYBODYS, held=dict)
        while rest:
            if node.held:
                _require(person, Need.ENTER, here, node.rights)
            last = rest.pop()
            found = self._at_top(last) if here == PROC else (node.held() if node.held else {}).get(last)
            if found is None:
                raise NotFound(f"There is no {name}. `glideroute ls {here}` lists what is there.")
            here, node = f"{here}/{last}", found
            if node.target and rest:
                if not node.target.startswith(f"{PROC}/"):
                    raise NotFound(f"There is no {name}: {here} is a link to the file {node.target}.")
                rest += reversed(node.target.removeprefix(PROC).split("/")[1:])
                here, node = PROC, Node(EVERYBODYS, held=dict)
        return node

    # Which tasks and jobs there are

    def _tasks(self, person: Person) -> dict[str, Node]:
        """The newest tasks of a person; an administrator sees everybody's."""
        return {each.id: self._of_task(each) for each in self.memory.tasks("" if person.admin else person.name)}

    def _at_top(self, name: str) -> Node | None:
        """The directory of a task, by its whole id, or of a job, by HTCondor's."""
        cluster, dot, proc = name.partition(".")
        if dot and cluster.isdecimal() and proc.isdecimal():
            job = self._job(int(cluster), int(proc)) if max(int(cluster), int(proc)) <= MOST_NUMBER else None
            return self._of_job(job) if job else None
        try:
            task = self.memory.task(name)
        except NotFound:
            return None
        return self._of_task(task) if task.id == name else None

    def _job(self, cluster: int, proc: int) -> _Job | None:
        ended, batch = self.memory.job_ended(cluster, proc), self.memory.batch_of(cluster)
        found = (ended.task, ended.batch) if ended else (batch.task, batch.key) if batch else None
        if found is None:
            return None
        try:
            task = self.memory.task(found[0])
        except NotFound:
            return None
        if ended is not None:
            # Anybody's job may claim to be of a task.
            mine = (ended.owner, ended.task) == (task.owner, task.id)
            return _Job(task, Maker(task.id, ended.job, cluster, proc), ended.batch, ended) if mine else None
        job = dict(enumerate(self._jobs_in(task, batch))).get(proc) if batch else None
        return _Job(task, Maker(task.id, job, cluster, proc), found[1], None) if job else None

    def _jobs_in(self, task: Task, batch: BatchRecord) -> Sequence[str]:
        """The names of the jobs of a batch, in the order of their process numbers."""
        if batch.key == MERGE_BATCH:
            return [job for job, _ in merges(task.payload)]
        if is_merge(batch.key):
            return [batch.key]
        return list(self._jobs.given(task.id, batch.key)) or [f"{number:04d}" for number in range(batch.jobs)]

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self.memory, self.directory)

    # A task's directory

    def _of_task(self, task: Task) -> Node:
        return Node(Rights(task.owner, "", 0o500), task.created, partial(self._in_task, task))

    def _in_task(self, task: Task) -> dict[str, Node]:
        rights = Rights(task.owner, "", 0o400)
        closed = Rights(task.owner, "", 0o500)
        document = self.memory.document(task.id).encode()
        return {
            "payload.yaml": Node(rights, task.created, content=lambda: document),
            "task.json": Node(rights, task.created, content=lambda: _json(asdict(facts(self.memory, task)))),
            "code": Node(closed, task.created, partial(self._kept, task, "code")),
            "jobs": Node(closed, task.created, lambda: dict(self._links_to_jobs(task))),
        }

    def _kept(self, task: Task, folder: str) -> dict[str, Node]:
        """The files of a folder of the task's directory."""
        kept = self._sizes(task, folder).items()
        return {name: self._file(task, folder, name, size) for name, size in kept if names.LFN_PART.fullmatch(name)}

    def _sizes(self, task: Task, folder: str, wanted: Sequence[str] = ()) -> Mapping[str, int]:
        try:
            return self.directory(Path(task.directory)).sizes(folder, wanted)
        except RouterError:  # it lies elsewhere, or is not for this account to read
            return {}

    def _file(self, task: Task, folder: str, name: str, size: int) -> Node:
        def content() -> bytes:
            found = self.directory(Path(task.directory)).content(folder, name, MOST_BYTES)
            if found is None:
                raise NotFound(f"{name} of {task.id} is gone.")
            return found

        return Node(Rights(task.owner, "", 0o400), task.created, content=content, size=size)

    def _links_to_jobs(self, task: Task) -> Iterator[tuple[str, Node]]:
        found: dict[str, str] = {}
        for batch in self.memory.batches(task.id):
            if batch.cluster is not None:
                found |= {job: f"{batch.cluster}.{proc}" for proc, job in enumerate(self._jobs_in(task, batch))}
        found |= {each.job: f"{each.cluster}.{each.proc}" for each in self.memory.ended(task.id)}
        for job, id_ in found.items():
            if names.LFN_PART.fullmatch(job):  # the ad of a job may call it anything
                yield job, Node(Rights(task.owner, "", 0o777), task.created, target=f"{PROC}/{id_}")

    # A job's directory

    def _of_job(self, job: _Job) -> Node:
        return Node(Rights(job.task.owner, "", 0o500), job.task.created, partial(self._in_job, job))

    def _in_job(self, job: _Job) -> dict[str, Node]:
        task, name = job.task, job.maker.job
        closed = Rights(task.owner, "", 0o500)
        execution = self._jobs.execution(job.maker, job.ended, job.batch)
        outputs = _outputs(task, name, job.batch)
        told = partial(_told, job, execution, outputs)
        found = {
            "job.json": Node(Rights(task.owner, "", 0o400), task.created, content=lambda: _json(told())),
            "task": Node(closed, task.created, target=f"{PROC}/{task.id}"),
            "inputs": Node(closed, task.created, lambda: self._links([use.lfn for use in execution.uses], task)),
            "outputs": Node(closed, task.created, lambda: self._links(outputs, task)),
        }
        for shown, folder, suffix in KEPT:
            kept = f"{name}.{suffix}"
            if (size := self._sizes(task, folder, [kept]).get(kept)) is not None:
                found[shown] = self._file(task, folder, kept, size)
        return found

    def _links(self, lfns: Sequence[str], task: Task) -> dict[str, Node]:
        """Links to files, numbered where two have one name."""
        found: dict[str, Node] = {}
        for number, lfn in enumerate(dict.fromkeys(lfns)):
            last = lfn.rpartition("/")[2]
            node = Node(Rights(task.owner, "", 0o777), task.created, target=lfn)
            found[last if last not in found else f"{number:04d}_{last}"] = node
        return found


def _require(person: Person, need: Need, name: str, rights: Rights) -> None:
    if not person.may(need, rights):
        raise PermissionRefused(f"{person.name} may not look into {name}: its rights are {rights}. "
                                "A task's owner and the administrators of the catalogue may.")  # fmt: skip


def _outputs(task: Task, job: str, batch: str) -> tuple[str, ...]:
    """The logical names of what a job leaves."""
    if not names.LFN_PART.fullmatch(job):
        return ()
    if not is_merge(batch):
        return tuple(task.output(each.name, job) for each in task.payload.outputs)
    output = output_of(task.payload, job)
    return (task.output(output, "merged" if batch == MERGE_BATCH else job),) if output else ()


def _told(job: _Job, execution: Execution, outputs: Sequence[str]) -> dict[str, Any]:
    """What `job.json` says."""
    ended = job.ended
    told = {"id": job.maker.id, "task": job.task.id, "job": job.maker.job, "owner": job.task.owner}
    state = {"state": str(ended.state) if ended else QUEUED, "reason": ended.reason if ended else ""}
    ran = {name: value for name, value in asdict(execution).items() if name not in ("maker", "uses")}
    uses = [asdict(use) | {"lumis": use.lumis.document()} for use in execution.uses]
    named = {name: dict(ran.pop(name)) for name in ("parameters", "node", "code")}
    return {**told, **state, **ran, **named, "inputs": uses, "outputs": list(outputs)}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
