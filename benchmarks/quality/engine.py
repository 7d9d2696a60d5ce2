"""A stretch of time: jobs come, the router places them, the negotiator starts them, they read and compute."""

import random
import time
from collections.abc import Callable, Iterable
from functools import partial

from benchmarks.quality.agenda import Agenda
from benchmarks.quality.copies import Copies
from benchmarks.quality.farm import Farm
from benchmarks.quality.grid import BatchSpec, Outage, Setting
from benchmarks.quality.jobs import Ledger, Run
from benchmarks.quality.prestage import Prestage
from benchmarks.quality.queue import Bunch, Queue
from benchmarks.quality.shares import share_error
from benchmarks.quality.transfers import Transfers
from benchmarks.quality.view import Running, View, grid_names
from router.errors import RouterError
from router.model.action import Action, Place, Wait
from router.model.world import World

Decider = Callable[[World], Iterable[Action]]
"""What is compared: a world in, placements out."""

FAILS_AFTER_S = 60.0
"""How long a job lasts at a black hole."""
TRIES = 3
"""Failures after which a job waits for its user."""
USER_RETRY_S = 12 * 3600.0
"""How long the user takes to look and try again."""
SHARE_SAMPLE_S = 600.0
"""Time between two looks at how the pool is shared."""


class Endless(RouterError):
    """Jobs are left that no event will ever start; the policy leaves them without a site that can run them."""


class Simulation:
    """A grid, its jobs and a router, from the first submission until the last job has ended."""

    def __init__(self, setting: Setting, decider: Decider) -> None:
        self.setting = setting
        self.agenda = Agenda()
        self.ledger = Ledger.of(setting.workload)
        chance = random.Random(setting.seed)  # noqa: S311 - a simulation, not a secret
        self.farm = Farm(self.agenda, setting.grid, chance)
        self.transfers = Transfers(self.agenda, setting.grid)
        self.queue = Queue(setting.workload.batches, grid_names(setting.grid), dict(setting.grid.quotas))
        self.running: Running = {}
        self._view = View(setting, self.farm, self.queue, self.running)
        self._decider = decider
        self._chance = chance
        self._runs: list[dict[int, Run]] = [{} for _ in setting.grid.sites]
        self._batch = setting.workload.batch.tolist()
        self._runtime = setting.workload.runtime.tolist()
        self._bytes = setting.workload.bytes.tolist()
        self._submit = setting.workload.submit.tolist()
        self._down_storage: set[int] = set()
        self._sampled = 0.0
        self._had_idle = True
        self._prestage: Prestage | None = None
        if getattr(decider, "prestages", False):
            self._prestage = Prestage(self.queue, self.transfers, self._bytes, self._sources)
        self._copies: Copies | None = None
        if broker := getattr(decider, "places", None):
            self._copies = Copies(setting, self.transfers, broker, self._view.has_come)

    def run(self, most_days: float = 400.0) -> Ledger:
        """Simulate until every job has ended. Raises Endless when that takes more than `most_days`."""
        last = max((outage.end for outage in self.setting.grid.outages), default=0.0)
        limit = max(last, self._submit[-1] if self._submit else 0.0) + most_days * 86_400
        self.run_until(limit)
        if self.ledger.left:
            raise Endless(f"{self.ledger.left} jobs never ended within {most_days:.0f} days: the policy starves them")
        return self.ledger

    def run_until(self, end: float) -> None:
        """Simulate up to `end`, in seconds, or until every job has ended."""
        for outage in self.setting.grid.outages:
            self.agenda.at(outage.start, self._outage_begins, outage)
        if self._submit:
            self.agenda.at(self._submit[0], self._submitted, 0)
        self.agenda.at(0.0, self._pass)
        self.agenda.at(self.setting.cycle_s / 2, self._cycle)
        self.agenda.run(lambda: self.ledger.left == 0 or self.agenda.now > end)

    def _submitted(self, job: int) -> None:
        """Take in all jobs submitted at this instant."""
        now, count = self.agenda.now, len(self._submit)
        while job < count and self._submit[job] <= now:
            self.queue.add(job, self._batch[job], None, now)
            job += 1
        if job < count:
            self.agenda.at(self._submit[job], self._submitted, job)

    def _pass(self) -> None:
        """The router looks, decides and edits."""
        self.agenda.at(self.agenda.now + self.setting.pass_s, self._pass)
        idle, self._had_idle = self._had_idle, bool(self.queue.waiting)
        if not idle and not self._had_idle and not self.setting.lag_s:
            return  # nothing to decide, now as at the last pass
        world = self._view.world(self.agenda.now)
        begun = time.process_time()
        actions = list(self._decider(world))
        self.ledger.cpu_s += time.process_time() - begun
        self.ledger.passes += 1
        for action in actions:
            if isinstance(action, Place):
                self._place(action)
            elif isinstance(action, Wait):
                self.ledger.waits += 1
        if self._copies:
            self._copies.look(world)

    def _place(self, action: Place) -> None:
        left = action.count
        for bunch in self.queue.of(action.cluster):
            count = min(left, bunch.count)
            if not count or bunch.sites != action.old or bunch.decision == action.decision:
                continue
            left -= count
            if self._prestage:
                self._prestage.give_back(bunch, count - len(bunch.jobs))
            target = self.queue.move(bunch, count, action.decision, self.agenda.now)
            if self._prestage:
                self._prestage.hold_back(target)
            if action.old is None:
                self.ledger.placed += count
            elif action.old != action.decision.sites:
                self.ledger.edited += count
        self.ledger.calls += left < action.count

    def _cycle(self) -> None:
        """One negotiation."""
        now = self.agenda.now
        self.agenda.at(now + self.setting.cycle_s, self._cycle)
        self.farm.adjust(self.queue.asking())
        if self.queue.idle:
            self.queue.negotiate(self.farm.free(), self._start, self._chance)
        self.queue.age(self.setting.cycle_s)
        if now - self._sampled >= SHARE_SAMPLE_S:
            self._sampled = now
            error = share_error(self.queue.users.values(), dict(self.setting.grid.quotas))
            if error is not None:
                self.ledger.share_errors.append(error)

    def _start(self, job: int, site: int, bunch: Bunch) -> None:
        run = Run(job, site, bunch, self.agenda.now)
        self._runs[site][job] = run
        slots = self.farm.sites[site]
        slots.used += bunch.spec.cores
        at = self.running.setdefault(bunch.cluster, {})
        at[site, bunch.decision] = at.get((site, bunch.decision), 0) + 1
        if self.agenda.now < slots.hole_until:
            self.agenda.at(self.agenda.now + FAILS_AFTER_S, self._failed, run)
        elif self._reads_far(run):
            run.transfer = self.transfers.start(
                self._bytes[job], self._sources(bunch), site, partial(self._has_input, run)
            )
        else:
            wait = max(slots.stalled_until - self.agenda.now, 0.0)
            near = self._bytes[job] / self.setting.grid.network.lan
            self.agenda.at(self.agenda.now + wait + near, self._has_input, run)

    def _reads_far(self, run: Run) -> bool:
        replicas = self._replicas(run.bunch.spec)
        if not replicas or not self._bytes[run.job] or run.site in replicas:
            return False
        return not (self._prestage and self._prestage.has(run.job, run.site))

    def _sources(self, bunch: Bunch) -> tuple[int, ...]:
        """The replicas that can be read; all of them when none can: then the job waits for the first to be back."""
        replicas = self._replicas(bunch.spec)
        return tuple(site for site in replicas if site not in self._down_storage) or replicas

    def _replicas(self, spec: BatchSpec) -> tuple[int, ...]:
        return self._copies.replicas(spec) if self._copies else spec.replicas

    def _has_input(self, run: Run) -> None:
        """It computes from now on, or as soon as its site no longer hangs."""
        if self._runs[run.site].get(run.job) is not run:
            return
        run.transfer = None
        now = self.agenda.now
        run.computing = max(now, self.farm.sites[run.site].stalled_until)
        run.ends = run.computing + self._runtime[run.job]
        self.agenda.at(run.ends, self._succeeded, run, run.version)

    def _succeeded(self, run: Run, version: int) -> None:
        if self._runs[run.site].get(run.job) is not run or version != run.version:
            return
        self._leave(run)
        ledger, job = self.ledger, run.job
        ledger.computed[job], ledger.ended[job], ledger.site[job] = run.computing, self.agenda.now, run.site
        ledger.staging_core_s += (run.computing - run.started) * run.bunch.spec.cores
        ledger.left -= 1
        self.farm.sites[run.site].ended(self.agenda.now, run.started, run.bunch.spec.cores, well=True)

    def _failed(self, run: Run) -> None:
        """A black hole's job: back to the queue, after some tries only when its user has seen it."""
        if self._runs[run.site].get(run.job) is not run:
            return
        self._leave(run)
        self.ledger.lost_core_s += (self.agenda.now - run.started) * run.bunch.spec.cores
        self.farm.sites[run.site].ended(
            self.agenda.now, run.started, run.bunch.spec.cores, well=False, task=run.bunch.spec.task
        )
        self.ledger.attempts[run.job] += 1
        if self.ledger.attempts[run.job] % TRIES:
            self._requeue(run)
        else:
            self.agenda.at(self.agenda.now + USER_RETRY_S, self._requeue, run)

    def _requeue(self, run: Run) -> None:
        self.queue.add(run.job, run.bunch.cluster, run.bunch.decision, self.agenda.now, first=True)

    def _leave(self, run: Run) -> None:
        """The slot is free again."""
        del self._runs[run.site][run.job]
        cores = run.bunch.spec.cores
        self.farm.sites[run.site].used -= cores
        self.queue.users[run.bunch.spec.user].running -= cores
        at, where = self.running[run.bunch.cluster], (run.site, run.bunch.decision)
        at[where] -= 1
        if not at[where]:
            del at[where]
            if not at:
                del self.running[run.bunch.cluster]

    def _outage_begins(self, outage: Outage) -> None:
        self.agenda.at(outage.end, self._outage_ends, outage)
        if outage.kind == "kill":
            self._lose(outage.site)
            self.farm.fail(outage.site)
            return
        if outage.kind == "hole":
            self.farm.sites[outage.site].hole_until = outage.end
            return
        self._down_storage.add(outage.site)
        self.transfers.switch(outage.site, up=False)
        self.farm.sites[outage.site].stalled_until = outage.end
        for run in self._runs[outage.site].values():
            if run.computing >= 0:
                self._freeze(run, outage.end - self.agenda.now)

    def _freeze(self, run: Run, seconds: float) -> None:
        run.version += 1
        run.ends += seconds
        self.agenda.at(run.ends, self._succeeded, run, run.version)

    def _lose(self, site: int) -> None:
        for run in list(self._runs[site].values()):
            if run.transfer:
                self.transfers.cancel(run.transfer)
            self._leave(run)
            self.ledger.lost_core_s += (self.agenda.now - run.started) * run.bunch.spec.cores
            self._requeue(run)

    def _outage_ends(self, outage: Outage) -> None:
        if outage.kind == "kill":
            self.farm.mend(outage.site)
        elif outage.kind == "stall":
            self._down_storage.discard(outage.site)
            self.transfers.switch(outage.site, up=True)
