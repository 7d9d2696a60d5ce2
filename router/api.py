"""What a user may ask. Command line, web and Python use only this."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from router.decide.advise import advise
from router.decide.appraise import appraise
from router.decide.bars import Bars
from router.decide.causes import VACATE_CODES
from router.decide.policies import Choices
from router.decide.reconcile import shape_of
from router.decide.retry import failures
from router.decide.stages import LAST, Stage
from router.errors import NotFound, PermissionRefused, RouterError, UserError
from router.loops.observe import Declared, observe, tape_of
from router.loops.observe import inputs as read_inputs
from router.model import payload as payloads
from router.model import report as reports
from router.model.action import Choice
from router.model.answer import (
    BatchWhy,
    Estimate,
    Plan,
    Proceeded,
    Submitted,
    TaskStatus,
    alike,
    state_of,
    task_status,
    with_stage_out,
)
from router.model.downtime import Downtime
from router.model.files import Dataset, Located, StorageElement
from router.model.job import EndedJob, JobGroup, JobState, Source
from router.model.lumis import Lumis
from router.model.merging import MergeNode, MergeTree, files_of, is_merge, merge_tree
from router.model.policy import BrokerPolicy
from router.model.record import SiteState
from router.model.site import SiteStatus
from router.model.task import MERGE_BATCH, STEWARD_BATCH, Batch, Inputs, Shape, Task
from router.model.world import World
from router.packages.bundle import BUNDLES, packed
from router.ports import Asked, Clock, JobLine, Pool, TaskFiles, UserCatalogue, UserMemory
from router.render import jdl
from router.render.parts import MERGER, merge_jobs, merge_text, node_text, part_text, parts
from router.services.adding import Adding
from router.services.auditing import (
    Request,
    as_task,
    audited,
    named,
    nothing_more,
    of_job,
    of_jobs,
    of_known,
    of_site,
    of_task,
)
from router.services.closures import Closures
from router.services.collecting import Outputs, outputs_of
from router.services.injecting import inject
from router.services.past import Past, program_digest
from router.services.planning import Planning
from router.services.planning import shape_of as planning_shape
from router.services.queries import searched
from router.services.recovery import Present, Recovery
from router.services.resplit import Resplit
from router.services.staging import Staging, work_texts


@dataclass
class Router:
    """glideroute, as one user sees it."""

    pool: Pool
    memory: UserMemory
    user: str
    sites: Sequence[Declared]
    storage: Mapping[str, StorageElement]
    policy: BrokerPolicy
    task_home: Path
    directory: Callable[[Path], TaskFiles]
    clock: Clock
    account: str = ""
    """The account of the operating system that asks, for the audit."""
    identity: Callable[[], str] = lambda: ""
    """As whom the schedd authenticates the user, for the audit too."""
    steward: Callable[[Task], jdl.Injection] | None = None
    """The user's job on the access point that carries an automatic splitting on; None: the user does."""
    _nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(3))

    # Submitting

    def plan(self, text: str, source: str, folder: Path = Path()) -> Plan:
        """What submitting the payload document `text` would do; `folder` holds the payload's files.

        Raises UserError, or NothingFits with the reasons.
        """
        return self._planning.plan(text, source, folder)

    @property
    def _planning(self) -> Planning:
        return Planning(self.memory, self.catalogue, self.user, self.sites, self.storage, self.policy, self.world)

    def estimate(self, plan: Plan, folder: Path) -> Estimate:
        """What a plan will take, from what its program, in `folder`, took before."""
        digest = program_digest(folder / plan.payload.executable)
        past = Past(self.memory, self.user, self.directory).of_program(digest)
        return appraise([planned.batch for planned in plan.batches], plan.payload.requests, past)

    @audited("submit", named("payload", lambda plan: str(plan.payload.name)), as_task)
    def submit(
        self, plan: Plan, folder: Path, told: Callable[[str], None] = lambda _: None, alone: bool = False
    ) -> Submitted:
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
        name = f"{plan.payload.name}-{self._nonce()}"
        task = Task(name, self.user, plan.payload, str(self.task_home / self.user / name), self.clock.now())
        merges = 0 if plan.work else len(merge_jobs(plan.payload))
        self.memory.open_task(task, plan.text, digest, [planned.batch for planned in plan.batches], merges)
        self.memory.note_program(task.id, program)
        return task

    def _lay_out(self, task: Task, plan: Plan, code: Mapping[str, Path]) -> TaskFiles:
        files = self.directory(Path(task.directory))
        files.make(plan.text, code, (jdl.WRAPPER, *((MERGER,) if merge_jobs(plan.payload) else ())))
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

    @audited("submit file", named("payload"), as_task, at_pool=False)
    def open_file_task(self, name: str, folder: Path) -> Task:
        """Remember a task whose jobs come from a submit file in `folder`."""
        text = f"name: {name}\nexecutable: {name}\n"
        task = Task(f"{name}-{self._nonce()}", self.user, payloads.parse(text), str(folder), self.clock.now())
        self.memory.open_task(task, text, task.id, (Batch("b0", ()),), 0)
        return task

    @audited("submitted file", of_known, nothing_more)
    def close_file_task(self, task: Task, cluster: int, jobs: int) -> None:
        """Remember the cluster that a submit file became, and its number of jobs."""
        self.memory.set_cluster(task.id, "b0", cluster, jobs)
        self.memory.set_complete(task.id)

    def choices_for_dry_run(self, text: str) -> list[tuple[int, tuple[str, ...], Choice]]:
        """Where the jobs that `condor_submit -dry-run` prints could run: how many, their set, and the verdicts."""
        world = self.world()
        groups = self.pool.described(text)
        known = dict(read_inputs(groups, self.memory, tape_of(self.sites)))
        choices = Choices(world, self.policy)
        shapes = [shape_of(group, known) for group in groups]
        return [
            (group.count, choices.sites_for(shape, group.count), choices.choose(shape))
            for group, shape in zip(groups, shapes, strict=True)
        ]

    # Looking

    def world(self) -> World:
        """The world as brokerage sees it now."""
        return observe(self.pool, self.memory, self.sites, self.policy, self.clock.now())

    def tasks(self, everyone: bool = False) -> list[Task]:
        """The newest tasks, the user's own or everyone's."""
        return self.memory.tasks("" if everyone else self.user)

    def status(self, wanted: str) -> TaskStatus:
        """Where the jobs of a task are."""
        task = self.memory.task(wanted)
        groups = [each for each in self.pool.jobs() if (each.task, each.owner) == (task.id, task.owner)]
        failed = any(state_of(group) == JobState.HELD for group in groups)
        jobs = sum(batch.jobs for batch in self.memory.batches(task.id))
        found = task_status(task, jobs, groups, self.memory.ended(task.id), self.memory.of_task(task.id))
        problems, lost = self._problems(task) if failed else (), len(self._recovery.lost(task))
        stage = self.memory.stage(task.id)
        waits = stage if stage and stage not in LAST else ""
        found = replace(found, problems=problems, failures=failures(groups), lost=lost, stage=waits)
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

    def lines(self, wanted: str) -> tuple[list[JobLine], list[EndedJob]]:
        """The jobs of a task one by one: those in the queue, and those that ended."""
        task = self.memory.task(wanted)
        lines = [
            replace(line, reason=self._held_reason(task, line) if line.state == JobState.HELD else _with_vacates(line))
            for line in self.pool.task_lines(task.id)
            if line.owner == task.owner and line.batch != STEWARD_BATCH
        ]
        return sorted(lines, key=lambda line: line.job), self.memory.ended(task.id)

    def why(self, wanted: str) -> list[BatchWhy]:
        """Why the jobs of a task, of a cluster or of one job (`12` or `12.0`) are where they are."""
        world = self.world()
        inputs = dict(world.inputs)
        choices = Choices(world, self.policy)
        bars = Bars.of(world, choices.brokerage)
        found = []
        for batch, cluster in self._clusters(wanted):
            history = tuple(self.memory.of_cluster(cluster))
            for groups in alike(group for group in world.jobs if group.cluster == cluster) or [()]:
                shape = self._shape(wanted, groups, inputs, bars)
                idle = sum(group.count for group in groups if group.state is JobState.IDLE)
                advice = tuple(advise(choices.brokerage, shape, idle)) if idle and choices.estimates else ()
                choice = choices.choose(shape, max(idle, 1), groups[0].owner if groups else self.user)
                told = failures(groups)
                found.append(BatchWhy(batch, cluster, shape, groups, choice, history, told, advice, self.policy.name))
        return found

    def _clusters(self, wanted: str) -> list[tuple[str, int]]:
        cluster = wanted.partition(".")[0]
        if cluster.isdecimal():
            return [("", int(cluster))]
        task = self.memory.task(wanted)
        return [(each.key, each.cluster) for each in self.memory.batches(task.id) if each.cluster is not None]

    def _shape(self, wanted: str, groups: Sequence[JobGroup], inputs: dict[Source, Inputs], bars: Bars) -> Shape:
        if groups:
            return shape_of(groups[0], inputs, bars)
        try:
            payload = self.memory.task(wanted).payload
        except NotFound:
            return Shape()
        return planning_shape(payload, Inputs())

    def log(self, wanted: str, job: str, stream: str) -> str:
        """What a job of a task wrote to `out` or `err`. Raises NotFound while there is nothing."""
        task = self.memory.task(wanted)
        text = self.directory(Path(task.directory)).log(job, stream)
        if text is None:
            raise NotFound(f"Job {job} of {task.id} has written nothing to {stream} yet. `glideroute status {wanted} "
                           "--jobs` names its jobs; outputs come back when a job ends.")  # fmt: skip
        return text

    def outputs(self, wanted: str, partial: bool = False) -> Outputs:
        """What a task has left: of each output the merged file, else every job's; `partial`: the jobs' own so far.

        Raises TemporaryError while files are missing, unless the caller wants what there is.
        """
        task = self.memory.task(wanted)
        files = self.catalogue.files(self.catalogue.below(task.outputs))
        return outputs_of(self.memory, files, task, partial)

    # Changing

    @audited("kill", of_task)
    def kill(self, wanted: str) -> int:
        """Remove a task's jobs. Returns how many there were."""
        task = self.memory.task(wanted)
        if task.owner == self.user and self.memory.stage(task.id):
            self.memory.set_stage(task.id, Stage.KILLED)
        return self.pool.remove(task.id, f"removed by {self.user} with glideroute kill")

    @audited("retry", of_task)
    def retry(self, wanted: str) -> int:
        """Let a task's failed jobs run again. Returns how many."""
        return self.pool.retry(self.memory.task(wanted).id, f"released by {self.user} with glideroute retry")

    @audited("retry stage-out", of_task, at_pool=False)
    def retry_stageout(self, wanted: str) -> int:
        """Try again to bring a task's outputs to their destination. Returns how many. Raises PermissionRefused."""
        task = self.memory.task(wanted)
        if task.owner != self.user:
            raise PermissionRefused(f"{task.id} is {task.owner}'s; only {task.owner} may have its outputs tried again.")
        return self.memory.retry_transfers(task.id, self.clock.now())

    def next_stage(self, wanted: str) -> Proceeded:
        """What is next in the automatic splitting of a task of the user's, and whether it is due."""
        return Staging(self._adding).look(wanted)

    @audited("proceed", of_task, lambda found: Request(words=f"{found.stage}: {found.words}"))
    def proceed(self, wanted: str) -> Proceeded:
        """Carry the automatic splitting of a task of the user's on, if it is time. Safe to repeat."""
        return Staging(self._adding).proceed(wanted)

    @audited("split again", of_job)
    def split_again(self, wanted: str, job: str, into: int) -> dict[str, int]:
        """Replace a failed job of the user's by about `into` smaller ones; returns the cluster of each new batch."""
        return Resplit(self._adding).split(wanted, job, into)

    @property
    def _adding(self) -> Adding:
        return Adding(self.pool, self.memory, self.user, self.directory)

    @audited("send elsewhere", of_jobs)
    def send_elsewhere(self, wanted: str) -> int:
        """Ask the router to send waiting and failed jobs of a task, a cluster or one job (`12.0`) to other sites.

        Returns how many. Raises NotFound for a task that nobody knows.
        """
        cluster, dot, proc = wanted.partition(".")
        reason = f"wanted elsewhere by {self.user} with glideroute retry --elsewhere"
        if cluster.isdecimal() and (proc.isdecimal() or not dot):
            asked = Asked(cluster=int(cluster), proc=int(proc) if proc else None)
        else:
            asked = Asked(task=self.memory.task(wanted).id)
        return self.pool.ask_elsewhere(asked, reason)

    def lost(self, wanted: str, present: Present | None = None) -> tuple[EndedJob, ...]:
        """A task's finished jobs whose outputs are not there any more; without `present` the catalogue is believed."""
        return self._recovery.lost(self.memory.task(wanted), present)

    @audited("make again", of_task)
    def make_again(self, wanted: str, jobs: Sequence[EndedJob]) -> dict[str, int]:
        """Inject jobs of a task that ended once more, as the user; returns the cluster of each new batch.

        Safe to repeat after it was cut short. Raises PermissionRefused for a task of somebody else's.
        """
        return self._recovery.make_again(self.memory.task(wanted), jobs)

    @property
    def _recovery(self) -> Recovery:
        return Recovery(self.pool, self.memory, self.user, self.directory)

    @audited("announce", of_site, nothing_more, at_pool=False)
    def announce(self, site: str, begins: float, ends: float, status: SiteStatus, reason: str) -> Downtime:
        """Announce that a site will be closed between two times, in seconds since the epoch.

        Raises UserError for times that are over or not in their order, NotFound for a site that nobody knows.
        """
        return self._closures.announce(site, begins, ends, status, reason)

    @audited("set site", of_site, nothing_more, at_pool=False)
    def set_site(self, site: str, status: SiteStatus, reason: str) -> SiteState:
        """Drain, close or open a site; opening it cancels its downtimes. Raises NotFound for one that nobody knows."""
        return self._closures.set(site, status, reason)

    @property
    def _closures(self) -> Closures:
        return Closures(self.memory, self.user, self.clock, {each.name for each in self.sites}, self.world)

    # The catalogue

    @property
    def catalogue(self) -> UserCatalogue:
        """The catalogue, within the user's rights."""
        return self.memory.as_user(self.user, self.clock)

    def find(self, query: str, limit: int | None = None) -> Sequence[str]:
        """The names of the files that `query` asks for, sorted; the first `limit` of them. Raises UserError."""
        return self.catalogue.find(searched(query), limit)

    @audited("add dataset", named("dataset"), nothing_more, at_pool=False)
    def add_dataset(self, name: str, found: Sequence[Located], lumis: Mapping[str, Lumis] | None = None) -> Dataset:
        """Register files with their copies and luminosity sections, and put them into a dataset of the user's."""
        self.catalogue.register(found)
        self.memory.set_lumis(lumis or {}, self.user)
        self.catalogue.add_dataset(name, [located.file.lfn for located in found])
        return self.catalogue.dataset(name)


def _with_vacates(line: JobLine) -> str:
    """What the router last said of a job, and whether it has been stopped before."""
    if not line.vacates:
        return line.reason
    last = VACATE_CODES.get(line.vacate_code)
    why = f", the last time: {last.words} (by the {last.fault})" if last else ""
    return f"{line.reason}; ran {line.vacates} time(s) before and was stopped{why}"


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
