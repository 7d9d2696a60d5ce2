"""One task of alice's in a pool, the fake or a real one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from router.model.action import Diagnose, Mend, Place
from router.model.job import Decision, JobGroup, JobState, Remedy
from router.model.task import Batch, Task
from router.ports import Pool
from router.render import jdl
from router.testing.build import (
    a_place,
    a_remedy,
)
from router.testing.pool import FakePool

T = TypeVar("T")
STRANGER_TEXT = "executable = /bin/true\n"


class Identities(Protocol):
    """A pool that anyone can be in."""

    def as_user(self, name: str) -> Pool: ...


@dataclass(frozen=True)
class Mine:
    """One task of alice's in a pool that other tests use as well."""

    pools: Identities
    task: Task

    @property
    def alice(self) -> Pool:
        return self.pools.as_user("alice")

    @property
    def bob(self) -> Pool:
        return self.pools.as_user("bob")

    @property
    def router(self) -> Pool:
        return self.pools.as_user("router")

    def submit(self, batch: Batch) -> int:
        injection = jdl.batch_injection(self.task, batch)
        return self.alice.submit(injection.text, [dict(item) for item in injection.items])

    def submit_merge(self) -> int:
        injection = jdl.merge_injection(self.task)
        return self.alice.submit(injection.text, [dict(item) for item in injection.items])

    def submit_text(self, *lines: str) -> int:
        marks = (f'My.RouterTask = "{self.task.id}"', 'My.RouterBatch = "b0"')
        return self.alice.submit("\n".join((STRANGER_TEXT.strip(), *marks, *lines)), ())

    def groups(self) -> tuple[JobGroup, ...]:
        return tuple(group for group in self.router.jobs() if group.task == self.task.id)

    def group(self) -> JobGroup:
        (only,) = self.groups()
        return only

    def hold(self, cluster: int) -> None:
        """Alice holds the jobs of a cluster."""
        if isinstance(self.alice, FakePool):
            self.alice.hold(cluster, "stop")
        else:
            self.pools.queue("alice").act("Hold", f"ClusterId == {cluster}", "stop")

    def diagnose(self, cluster: int, **changes: Any) -> Diagnose:
        """A remedy for the first hold of a cluster."""
        (group,) = (group for group in self.groups() if group.state is JobState.HELD)
        remedy = a_remedy(site="", hold=group.holds, **changes)
        return Diagnose(cluster, self.task.id, "b0", group.count, group.hold, group.remedy, remedy)

    def mend(self, cluster: int, remedy: Remedy) -> Mend:
        (group,) = (group for group in self.groups() if group.remedy == remedy)
        return Mend(cluster, self.task.id, "b0", group.count, group.hold, remedy)

    def place(self, cluster: int, decision: Decision, old: tuple[str, ...] | None = None) -> Place:
        return a_place(cluster, task=self.task.id, old=old, decision=decision)


def eventually(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What `look` sees once it is as wanted; the schedd writes history a moment after it answers."""
    end = time.monotonic() + 20
    while not wanted(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found
