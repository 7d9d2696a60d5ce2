"""A deterministic simulation of routers over a failing pool: a seed gives the same events every time.

The real route loop, placing, decisions and store run over a simulated schedd. At every call of a router something else
may happen first: jobs start and end, operators close sites, the schedd restarts, the answer is lost although the edit
was made, the router is killed or stops for minutes while another one goes on. After the storm comes a calm, in which
everything must heal.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import invariants
from emptied import empty
from invariants import Witness
from seams import Channel, Killed, ShakyLog, ShakyStore
from simulated_data import SimulatedData
from simulated_log import SimulatedLog
from simulated_schedd import (
    COMPLETED,
    FAILED,
    HELD,
    IDLE,
    LARGE_MB,
    REMOVED,
    RUNNING,
    SUBMITTED_HELD,
    Job,
    Schedd,
    Slot,
    memory_mb,
)

from router.decide import focus
from router.errors import TemporaryError
from router.loops import reads
from router.loops.counts import words_of
from router.loops.lease import Leadership
from router.loops.observe import Declared
from router.loops.route import Route
from router.loops.watch import LOOK_EVERY_S
from router.model.action import Action
from router.model.pilot import Entry
from router.model.policy import BrokerPolicy
from router.model.record import SiteState
from router.model.site import SiteStatus
from router.pool.condor import CondorPool
from router.pool.eventlog import MOST_BYTES, EventLog
from router.pool.queue import Queue
from router.store.store import Store
from router.testing.build import a_batch, a_payload, a_report, a_task, an_entry
from router.testing.clock import FakeClock
from router.testing.reports import FakeReports

SITES = ("SITE_A", "SITE_B", "SITE_C")
SHARES = (None, None, "higgs", "qcd")
POLICY = BrokerPolicy(share_queue=1, share_ratio=1.5, share_wait_s=60.0, patience_s=60.0, min_gain_s=60.0, min_gain=0.1)
"""Few jobs are many here, and all is in a hurry."""
NODES = 3
"""Of each site."""
INTERVAL_S = 30.0
LEASE_S = 120.0
PASSES = 7
CODES = (71, 72, 74, 78, 143)
"""What jobs fail of at a black hole: data, the program, the site, memory, a signal."""
FOLLOWED = 3
"""In one seed of so many the routers follow the schedd's event log."""
READING = 3
"""In one seed of so many most jobs read datasets whose copies come and go."""
FEW_BYTES = 4000
"""Of the log, read at once by some routers; a few events."""
QUIET_AFTER = 6
"""Passes: what one decides changes what the next sees, for jobs that were not placed yet."""
PAYLOAD = "name: zmumu\nexecutable: analyse.py\noutputs: [{name: hist.root, merge: auto}]\n"


@dataclass
class Faults:
    """How likely each fault is at one call of a router, in this seed; many seeds know only few of them."""

    event: float
    killed: float
    lost_answer: float
    unreachable: float
    store: float
    partial_collector: float
    busy: float
    frozen: float

    @classmethod
    def of(cls, chance: random.Random) -> "Faults":
        """Each fault off, rare or frequent."""
        return cls(chance.choice((0.05, 0.2, 0.5)), *(chance.choice((0.0, 0.0, 0.02, 0.1)) for _ in range(7)))


NONE = Faults(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass
class WallClock:
    """The clock of one router's machine: it may be wrong, and be set."""

    true: FakeClock
    wrong_s: float = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as this machine has it."""
        return self.true.now() + self.wrong_s


@dataclass
class Simulation:
    """One seed."""

    seed: int
    store: Store
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        anew(self.store)
        self.chance = random.Random(self.seed)  # noqa: S311 - events, not secrets
        self.clock = FakeClock()
        self.witness = Witness()
        self.schedd = Schedd(self.clock.now, self.witness)
        self.witness.schedd = self.schedd
        self.faults = Faults.of(self.chance)
        self.reports = FakeReports()
        self.parts: list[Job] = []
        self.merge: Job | None = None
        self.data = SimulatedData(self.store, self.chance, SITES) if self.seed % READING == 1 else None
        self.black_hole = self.chance.choice((*SITES, *(f"{site}-0" for site in SITES), "", ""))
        self.walls = {f"router{number}": WallClock(self.clock) for number in range(3)}
        self.log: SimulatedLog | None = None
        if self.seed % FOLLOWED == 0:  # then all are on the schedd's machine
            self.walls = dict.fromkeys(self.walls, self.walls["router0"])
            self.folder = tempfile.TemporaryDirectory(prefix="gr-simulated-")
            self.log = SimulatedLog(Path(self.folder.name), self.walls["router0"].now, self.chance)
            self.schedd.log = self.log
        self.behind = False
        """Whether there was more of the event log than was read last."""
        self.lives: dict[str, int] = {}
        self.inside: list[str] = []
        count = self.chance.choice((1, 1, 1, 2, 2, 3))
        self.running = {f"router{number}": self._start(f"router{number}") for number in range(count)}
        self.events = (
            [self.submit] + [self.match] * 4 + [self.finish] * 3 + [self.evict, self.leave, self.join, self.join]
            + [self.operate, self.operate, self.hold, self.release, self.remove, self.wait, self.set_clock, self.mend]
        )  # fmt: skip
        self.events += [self.copy, self.lose, self.lose] if self.data else []

    # The course of it

    def run(self) -> None:
        """The storm, then the calm. Raises Violation."""
        try:
            self.storm()
            self.calm()
        finally:
            if self.log:
                self.folder.cleanup()

    def storm(self) -> None:
        """Whatever can happen."""
        if self.chance.random() < 0.4:
            self.submit_task()
        for _ in range(3):
            self.submit()
            self.join()
        for _ in range(PASSES):
            for _ in range(self.chance.randrange(4)):
                self.happen()
            for name in self.running:
                self.step(name)
            self.clock.pass_time(INTERVAL_S)

    def calm(self) -> None:
        """No more faults: all heals, and then there is nothing left to do."""
        self.faults = NONE
        self.note("the storm is over, and all clocks are right")
        for wall in self.walls.values():
            wall.wrong_s = 0.0
        if self.log:
            self.log.flush()
            self.clock.pass_time(LOOK_EVERY_S)  # what no event told is seen by now
        self.clock.pass_time(reads.EVERY_S if self.data else 0)  # where inputs lie now is seen by then
        if not any(route.leader.lead() for route in self.running.values()):
            self.clock.pass_time(LEASE_S / 2)  # whoever held the lease is dead, or has lost it
        self.behind = self.log is not None
        while self.behind:  # who reads a few bytes at once has to catch up first
            self.behind = False
            self.heal()
        for turn in range(QUIET_AFTER + (reads.BELIEVED_AFTER if self.data else 0)):
            again = self.heal()
            if self.log and turn == 1:
                self.clock.pass_time(focus.EVERY_S)  # what nothing told of is decided again by now
        invariants.hold("I4", not again, f"passes over what was just decided decide again: {again}")
        log = [record for cluster in self.schedd.clusters for record in self.store.of_cluster(cluster)]
        if self.log:
            invariants.the_followed_queue_is_the_queue(
                self.schedd, [route.world for route in self.running.values() if route.leader.leads]
            )
        invariants.no_job_is_lost(self.schedd)
        invariants.no_job_runs_twice(self.schedd)
        invariants.every_failure_is_answered(self.schedd)
        invariants.every_idle_job_is_placed(self.schedd, self.witness.closed, log)
        invariants.every_idle_job_fits(self.schedd, log)
        invariants.jobs_without_input_have_no_sites(self.schedd, self.data, POLICY, log)
        invariants.the_log_agrees(self.schedd, log)
        invariants.the_merge_job_waits_no_longer(self.schedd, self.parts, self.merge)

    def heal(self) -> list[Action]:
        """One pass of every router without faults."""
        return [action for name in self.running for action in self.step(name)]

    def step(self, name: str) -> list[Action]:
        """One pass of a router, whatever becomes of it."""
        self.witness.begins(name)
        self.note(f"{name} begins a pass")
        self.inside.append(name)
        try:
            done = self.running[name].step()
        except Killed:
            self.note(f"{name} is killed")
            self.running[name] = self._start(name)
        except TemporaryError as error:
            self.note(f"{name} loses its pass: {error}")
        else:
            for action in done:
                self.note(f"{name} did, cluster {action.cluster}: {words_of(action)}")
            return done
        finally:
            self.inside.remove(name)
        return []

    def _start(self, name: str) -> Route:
        self.lives[name] = self.lives.get(name, 0) + 1
        memory: Any = ShakyStore(self, name)
        leader = Leadership(
            memory, "router", self.holder(name), LEASE_S, self.walls[name], self.clock.now, self._gone(name)
        )
        pool = CondorPool(Queue(Channel(self, name), until=leader.until))  # type: ignore[arg-type]
        sites = [Declared(site, (self._entry(site),)) for site in SITES]
        now = self.clock.now
        events = None
        if self.log:
            reader = EventLog(self.log.path, self.chance.choice((MOST_BYTES, FEW_BYTES)))
            events = ShakyLog(self, name, reader)
        return Route(
            pool, memory, self.reports, sites, POLICY, self.walls[name], events, leader=leader, monotonic=now
        )  # fmt: skip

    def _entry(self, site: str) -> Entry:
        return an_entry(site.lower(), site=site, max_glideins=4, memory_mb=memory_mb(site))

    def asked(self, router: str, name: str) -> Callable[..., Any]:
        """A method of the store, which is fenced for each router as its own would be."""
        self.store.write_only_as(self.holder(router), "router")
        return getattr(self.store, name)  # type: ignore[no-any-return]

    def holder(self, name: str) -> str:
        """A router that lives."""
        return f"{name} life {self.lives[name]}"

    def _gone(self, name: str) -> Callable[[str], bool]:
        """A machine knows of its own routers which have ended."""
        return lambda holder: holder.startswith(f"{name} ") and holder != self.holder(name)

    # Faults

    def strikes(self, fault: str) -> bool:
        """Whether a fault happens now."""
        likely: float = getattr(self.faults, fault)
        return bool(likely) and self.chance.random() < likely

    def interrupt(self, router: str, where: str) -> None:
        """What happens before a call of a router."""
        while self.strikes("event"):
            self.happen()
        self.kill(router, where)

    def freeze(self, router: str, share: float = 1.0) -> None:
        """Stop the router for some passes of the others, perhaps."""
        if len(self.inside) > 2 or not self.strikes("frozen") or self.chance.random() > share:
            return
        passes = self.chance.randint(1, 5)
        self.note(f"{router} is frozen")
        for _ in range(passes):
            self.clock.pass_time(INTERVAL_S)
            for name in [each for each in self.running if each not in self.inside]:
                self.step(name)
        self.note(f"{router} goes on after {passes} passes of the others")

    def kill(self, router: str, where: str) -> None:
        """Kill the router, perhaps."""
        if self.strikes("killed"):
            self.note(f"{router} is killed at {where}")
            raise Killed

    def fail_store(self, router: str, name: str) -> None:
        """What happens before and after a call of the store."""
        self.kill(router, name)
        if self.strikes("store"):
            self.note(f"{router} {name}: the database is locked")
            raise TemporaryError("simulated: the database is locked")

    def collected(self, ads: list[Any]) -> list[Any]:
        """What the collector tells: it may have restarted, and know few of its ads."""
        if ads and self.strikes("partial_collector"):
            kept = self.chance.randrange(len(ads))
            self.note(f"the collector knows {kept} of {len(ads)} slots")
            return ads[:kept]
        return ads

    # Events

    def happen(self) -> None:
        """One event."""
        self.witness.tick += 1
        self.chance.choice(self.events)()

    def note(self, told: str) -> None:
        """Write a line into the trace."""
        self.trace.append(f"{self.witness.tick:4d} {self.clock.at - 1.7e9:8.0f}s {told}")

    def submit(self) -> None:
        """A user submits a cluster, with its input at some sites or without."""
        where = self.chance.sample(SITES, self.chance.randrange(3))
        read = self.data.wanted() if self.data and self.chance.random() < 0.7 else None
        wrapped = (
            {"RouterWrapper": 1, "RequestMemory": 2048, "MaxWallTimeMins": 480} if self.chance.random() < 0.7 else {}
        )
        named = {
            "AcctGroup": self.chance.choice(SHARES),
            "RouterInputs": ",".join(sorted(where)),
            "RouterDataset": read,
        }
        made = self.schedd.submit(self.chance.randint(1, 6), **named, **wrapped)
        self.note(f"cluster {made[0].cluster} of {len(made)} jobs with input {read or ''} at {where}")

    def submit_task(self) -> None:
        """A user submits a task whose outputs are merged."""
        count = self.chance.randint(1, 4)
        task, batch = a_task("zmumu-1", payload=a_payload()), a_batch(jobs=count)
        self.store.open_task(task, PAYLOAD, "digest", [batch], 1)
        self.parts = self.schedd.submit(count, RouterTask=task.id, RouterBatch=batch.key)
        [self.merge] = self.schedd.submit(1, hold=True, RouterTask=task.id, RouterBatch="merge")
        self.store.set_cluster(task.id, batch.key, self.parts[0].cluster)
        self.store.set_cluster(task.id, "merge", self.merge.cluster)
        self.store.set_complete(task.id)
        self.note(f"task {task.id} of {count} jobs")

    def jobs(self, status: int) -> list[Job]:
        """The jobs in the queue in a state."""
        return [job for job in self.schedd.jobs.values() if job.status == status]

    def pick(self, status: int) -> Iterator[Job]:
        """One such job, or none."""
        if found := self.jobs(status):
            yield self.chance.choice(found)

    def match(self) -> None:
        """The negotiator gives free slots to idle jobs."""
        for slot in self.schedd.slots:
            fit = [job for job in self.jobs(IDLE) if self.schedd.fits(job, slot)]
            if slot.job is None and fit:
                self.schedd.start(fit[0], slot)
                self.note(f"{fit[0].id} starts at {slot.site}")

    def finish(self) -> None:
        """A running job ends: well, or at a black hole, a site or one node, at once and badly."""
        for job in self.pick(RUNNING):
            if self.black_hole in (job.starts[-1], job.ad["MachineAttrMachine0"]):
                self.schedd.hold(job, FAILED, self.chance.choice(CODES))
                self.note(f"{job.id} fails at {self.black_hole} with {job.ad['HoldReasonSubCode']}")
                continue
            self.schedd.end(job, COMPLETED)
            self.note(f"{job.id} ends well")
            if job in self.parts:
                self.reports.add("zmumu-1", job.ad["RouterJob"], a_report(job.ad["RouterJob"]))

    def evict(self) -> None:
        """A running job is thrown out."""
        for job in self.pick(RUNNING):
            self.schedd.evict(job)
            self.note(f"{job.id} is evicted")

    def join(self) -> None:
        """A glidein joins."""
        site = self.chance.choice(SITES)
        self.schedd.slots.append(Slot(site, node=f"{site}-{self.chance.randrange(NODES)}"))
        self.note(f"a glidein joins at {site}")

    def leave(self) -> None:
        """A glidein goes, and its job waits again."""
        if self.schedd.slots:
            slot = self.chance.choice(self.schedd.slots)
            if slot.job:
                self.schedd.evict(slot.job)
            self.schedd.slots.remove(slot)
            self.note(f"a glidein leaves {slot.site}")

    def operate(self) -> None:
        """An operator closes a site, or opens it again."""
        site = self.chance.choice(SITES)
        status = self.chance.choice((SiteStatus.DRAINING, SiteStatus.OFFLINE, SiteStatus.ONLINE, SiteStatus.ONLINE))
        self.store.database.fence = lambda _: None
        self.store.set_site_state(SiteState(site, status, "simulated", "bob", self.clock.now()))
        if status is SiteStatus.ONLINE:
            self.witness.closed.pop(site, None)
        else:
            self.witness.closed.setdefault(site, self.witness.tick)
        self.note(f"{site} is {status}")

    def hold(self) -> None:
        """A user holds an idle job."""
        for job in self.pick(IDLE):
            self.schedd.hold(job, 1)
            self.note(f"{job.id} is held")

    def release(self) -> None:
        """A user releases a held job; not the merge job."""
        for job in self.pick(HELD):
            if job.ad.get("HoldReasonCode") != SUBMITTED_HELD:
                self.schedd.release(job)
                self.note(f"{job.id} is released")

    def mend(self) -> None:
        """An idle job turns out to need more memory than the others of its cluster: only one site gives it."""
        for job in self.pick(IDLE):
            job.ad["RequestMemory"] = LARGE_MB
            self.note(f"{job.id} asks for {LARGE_MB} MB")

    def copy(self) -> None:
        """Somebody copies a dataset."""
        self.note(self.data.copy() if self.data else "")

    def lose(self) -> None:
        """A site loses its copy of a dataset."""
        self.note(self.data.lose() if self.data else "")

    def remove(self) -> None:
        """A user removes a job; not one of the task's."""
        for job in self.pick(self.chance.choice((IDLE, RUNNING, HELD))):
            if job is not self.merge and job not in self.parts:
                self.schedd.end(job, REMOVED)
                self.note(f"{job.id} is removed")

    def wait(self) -> None:
        """Time passes: a little, or so much that nothing is as it was."""
        self.clock.pass_time(self.chance.choice((1.0, 10.0, 60.0, 600.0, 7200.0)))

    def set_clock(self) -> None:
        """The clock of a router's machine is set: an hour or two days off, or right again."""
        name = self.chance.choice(list(self.running))
        wrong_s = self.chance.choice((-172_800.0, -3600.0, 0.0, 0.0, 3600.0, 172_800.0))
        self.walls[name].wrong_s = wrong_s
        self.note(f"the clock of {name} is {wrong_s:+.0f} s off")


def anew(store: Store) -> None:
    """Forget everything."""
    store.database.fence = lambda _: None
    empty(store)
