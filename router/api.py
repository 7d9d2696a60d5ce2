"""What a user may ask. Command line, web and Python use only this."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.decide.appraise import appraise
from router.decide.policies import Choices
from router.decide.reconcile import shape_of
from router.decide.stages import Stage
from router.errors import NotFound, PermissionRefused, UserError
from router.loops.observe import Declared, observe, tape_of
from router.loops.observe import inputs as read_inputs
from router.model import payload as payloads
from router.model.action import Choice
from router.model.answer import BatchWhy, Estimate, PartialMerge, Plan, Proceeded, Submitted, TaskStatus
from router.model.downtime import Downtime
from router.model.files import Dataset, Located, StorageElement
from router.model.job import EndedJob
from router.model.lumis import Lumis
from router.model.policy import BrokerPolicy
from router.model.record import SiteState
from router.model.site import SiteStatus
from router.model.task import Batch, Task
from router.model.world import World
from router.ports import Asked, Clock, JobLine, Pool, TaskFiles, UserCatalogue, UserMemory
from router.render import jdl
from router.resources import version
from router.services.adding import Adding
from router.services.auditing import (
    Request,
    as_task,
    audited,
    merged,
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
from router.services.discovery import Discovery
from router.services.executions import Jobs
from router.services.explaining import Explaining
from router.services.merging import Merging
from router.services.past import Past, program_digest
from router.services.planning import Planning
from router.services.proc import Proc
from router.services.provenance import Provenance, Tracing
from router.services.queries import searched
from router.services.recovery import Present, Recovery
from router.services.resplit import Resplit
from router.services.staging import Staging
from router.services.standing import Standing
from router.services.submitting import Submitting, task_id


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
    services: Discovery | None = None
    """The data services of experiments; None: there are none."""

    # Submitting

    def plan(self, text: str, source: str, folder: Path = Path()) -> Plan:
        """What submitting the payload document `text` would do; `folder` holds the payload's files.

        Raises UserError, or NothingFits with the reasons.
        """
        return self._planning.plan(text, source, folder)

    @property
    def _planning(self) -> Planning:
        sources = (self.memory, self.catalogue, self.user, self.sites, self.storage, self.policy)
        return Planning(*sources, self.world, self.look)

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
        return self._submitting.submit(plan, folder, told, alone)

    @property
    def _submitting(self) -> Submitting:
        return Submitting(self.pool, self.memory, self.user, self.task_home, self.directory, self.clock, self.steward)

    @audited("submit file", named("payload"), as_task, at_pool=False)
    def open_file_task(self, name: str, folder: Path) -> Task:
        """Remember a task whose jobs come from a submit file in `folder`."""
        text = f"name: {name}\nexecutable: {name}\n"
        task = Task(task_id(name), self.user, payloads.parse(text), str(folder), self.clock.now())
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
        return self._standing.status(self.memory.task(wanted))

    def lines(self, wanted: str) -> tuple[list[JobLine], list[EndedJob]]:
        """The jobs of a task one by one: those in the queue, and those that ended."""
        return self._standing.lines(self.memory.task(wanted))

    def why(self, wanted: str) -> list[BatchWhy]:
        """Why the jobs of a task, of a cluster or of one job (`12` or `12.0`) are where they are."""
        return Explaining(self.memory, self.user, self.policy).why(wanted, self.world())

    @property
    def _standing(self) -> Standing:
        return Standing(self.pool, self.memory, self.directory, self._recovery)

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

    def merge_plan(self, wanted: str, outputs: Sequence[str] = ()) -> tuple[PartialMerge, ...]:
        """What `merge_now` would join, injecting nothing."""
        return self._merging.look(wanted, outputs)

    @audited("merge", of_task, merged)
    def merge_now(self, wanted: str, outputs: Sequence[str] = ()) -> tuple[PartialMerge, ...]:
        """Have jobs merge what is there of a task of the user's; by default of each output that is to be merged.

        Safe to repeat: files that a merge job joins already are not joined again. Raises UserError, TemporaryError.
        """
        return self._merging.merge(wanted, outputs)

    @property
    def _merging(self) -> Merging:
        return Merging(self._adding, self.catalogue)

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
        return self.memory.as_user(self.user, self.clock, Proc(self.memory, self.directory))

    def look(self, name: str) -> str:
        """Ask the data service of a name, if one answers for it; returns words where its last answer has to do."""
        return self.services.look(name) if self.services else ""

    def find(self, query: str, limit: int | None = None) -> Sequence[str]:
        """The names of the files that `query` asks for, sorted; the first `limit` of them. Raises UserError."""
        return self.catalogue.find(searched(query), limit)

    @audited("publish", of_task, at_pool=False)
    def publish(self, wanted: str, dataset: str, partial: bool = False) -> int:
        """Hand the outputs of a task of the user's to the data service of a dataset; returns how many files.

        Raises TemporaryError while jobs are missing, unless the user wants what there is, and PermissionRefused.
        """
        task = self.memory.task(wanted)
        if task.owner != self.user:
            raise PermissionRefused(f"{task.id} is {task.owner}'s; only {task.owner} publishes its outputs.")
        if self.services is None:
            raise UserError("No data service is declared in the settings (data_services).")
        return self.services.publish(dataset, self.outputs(wanted, partial).files)

    def provenance(self, *lfns: str, depth: int = 0) -> Provenance:
        """Where files come from: all that made them, back through `depth` generations of jobs; 0: as far as it goes.

        Raises NotFound for a file that is not there, and PermissionRefused.
        """
        found = Tracing(self.memory, self.catalogue, Jobs(self.memory, self.directory)).trace(lfns, depth)
        return Provenance(found, self.clock.now(), version())

    @audited("add dataset", named("dataset"), nothing_more, at_pool=False)
    def add_dataset(self, name: str, found: Sequence[Located], lumis: Mapping[str, Lumis] | None = None) -> Dataset:
        """Register files with their copies and luminosity sections, and put them into a dataset of the user's."""
        self.catalogue.register(found)
        self.memory.set_lumis(lumis or {}, self.user)
        self.catalogue.add_dataset(name, [located.file.lfn for located in found])
        return self.catalogue.dataset(name)
