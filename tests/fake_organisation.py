"""A whole router over the fake pool and a store in memory, with two sites."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.api import Router
from router.loops.observe import Declared
from router.loops.route import Route
from router.model.action import Action
from router.model.files import Located
from router.model.job import JobGroup
from router.model.policy import BrokerPolicy
from router.model.record import DecisionRecord, SiteState
from router.model.site import SiteStatus
from router.model.task import MERGE_BATCH, Batch, Task
from router.packages.taskdir import TaskDirectory
from router.ports import EventSource
from router.render import jdl
from router.store.store import Store
from router.testing.build import a_batch, a_file, a_payload, a_storage, a_task, an_entry, an_output
from router.testing.clock import FakeClock
from router.testing.pool import FakeGlidein, FakePool
from router.testing.reports import FakeReports

PAYLOAD = "name: zmumu\nexecutable: analyse.py\noutputs: [{name: hist.root, merge: auto}]\n"


SPLIT_PAYLOAD = """\
name: zmumu
executable: analyse.py
files: [cuts.json]
input: {dataset: /demo/zmumu}
split: {by: events, target: 60}
outputs: [{name: hist.root, merge: auto}]
"""
FILES = (
    a_file("/demo/f1.root", "SITE_A"),
    a_file("/demo/f2.root", "SITE_B"),
    a_file("/demo/f3.root", "SITE_A", "SITE_B"),
)


@dataclass
class Organisation:
    """Everything one router needs; `route` makes the router anew, as after a restart."""

    store: Store
    clock: FakeClock = field(default_factory=FakeClock)
    reports: FakeReports = field(default_factory=FakeReports)
    events: EventSource | None = None
    sites: Sequence[Declared] = (
        Declared("SITE_A", (an_entry("a", site="SITE_A", cpus=8, memory_mb=16_384),)),
        Declared("SITE_B", (an_entry("b", site="SITE_B", cpus=8, memory_mb=16_384),)),
    )

    def __post_init__(self) -> None:
        self.pool = FakePool(self.clock)

    def route(self) -> Route:
        sources = (self.pool, self.store, self.reports, self.sites)
        return Route(*sources, BrokerPolicy(), self.clock, events=self.events, monotonic=self.clock.now)

    def step(self) -> list[Action]:
        return self.route().step()

    def submit(self, *batches: Batch, owner: str = "alice", merge: bool = False, name: str = "zmumu-1") -> Task:
        """Inject a task as its owner, the merge job with it."""
        payload = a_payload(outputs=(an_output(merge=merge),))
        task = a_task(name, owner=owner, payload=payload)
        planned = batches or (a_batch(jobs=10),)
        self.store.open_task(task, PAYLOAD, name, planned, int(merge))
        as_owner = self.pool.as_user(owner)
        injections = [jdl.batch_injection(task, batch) for batch in planned]
        for injection in [*injections, *([jdl.merge_injection(task)] if merge else [])]:
            cluster = as_owner.submit(injection.text, [dict(item) for item in injection.items])
            self.store.set_cluster(task.id, injection.batch, cluster)
        self.store.set_complete(task.id)
        return task

    def glidein(self, site: str, cores: int = 8, **changes: Any) -> None:
        self.pool.add_glidein(FakeGlidein(site, site[-1].lower(), cores, **changes))

    def drain(self, site: str) -> None:
        self.store.set_site_state(SiteState(site, SiteStatus.DRAINING, "cooling", "bob", self.clock.now()))

    def resume(self, site: str) -> None:
        self.store.set_site_state(SiteState(site, SiteStatus.ONLINE, "", "bob", self.clock.now()))

    def groups(self, batch: str = "b0") -> list[JobGroup]:
        return [group for group in self.pool.jobs() if group.batch == batch]

    def merge_group(self) -> JobGroup:
        (only,) = self.groups(MERGE_BATCH)
        return only

    def history(self, cluster: int = 1) -> list[DecisionRecord]:
        return self.store.of_cluster(cluster)


def an_output_of(task: Task, job: str) -> Located:
    """What a job of `task` leaves at SITE_A."""
    return a_file(f"{task.outputs}/hist_{job}.root", "SITE_A")


def a_router(organisation: Organisation, home: Path, user: str = "alice") -> Router:
    return Router(
        pool=organisation.pool.as_user(user),
        memory=organisation.store,
        user=user,
        sites=organisation.sites,
        storage={site: a_storage(site) for site in ("SITE_A", "SITE_B")},
        policy=BrokerPolicy(),
        task_home=home,
        directory=TaskDirectory,
        clock=organisation.clock,
    )
