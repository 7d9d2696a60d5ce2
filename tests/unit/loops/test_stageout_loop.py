"""The stage-out loop: outputs arrive once, failures are named, and users are told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fake_organisation import Organisation, a_router, an_output_of

from router.errors import LeaseLost
from router.loops.stageout import StageOut
from router.model.files import Replica
from router.model.policy import StageOutPolicy
from router.model.transfer import Copy, Fault, Transfer, TransferCause, TransferError, TransferState
from router.testing.build import a_batch, a_payload, a_report, a_storage, a_task, an_ended_job, an_output

FULL = Fault(TransferCause.QUOTA, "Disk quota exceeded")
TASK = a_task(payload=a_payload(destination="SITE_B_DISK", outputs=(an_output(),)))
TEXT = "name: zmumu\nexecutable: a.py\noutputs: [{name: hist.root}]\ndestination: SITE_B_DISK\n"


@dataclass
class FakeMover:
    """Copies that end as they are told to."""

    faults: list[Fault | None] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    stuck: bool = False

    def move(self, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None]]:
        for each in wanted:
            self.copied.append(each.file.lfn)
            yield each, self.faults.pop(0) if self.faults else None

    def clear(self, transfer: Transfer) -> None:
        if self.stuck:
            raise TransferError(TransferCause.DOWN, "no route to host")
        self.cleared.append(transfer.file.lfn)

    def replica(self, transfer: Transfer) -> Replica:
        return Replica("SITE_B_DISK", "SITE_B", a_storage("SITE_B").pfn(transfer.file.lfn))


@dataclass
class Site:
    """A task of which some jobs have ended at SITE_A and whose outputs are to go to SITE_B."""

    organisation: Organisation
    mover: FakeMover = field(default_factory=FakeMover)

    def end(self, jobs: int = 1) -> None:
        """Let the jobs of the task end, and the router read their reports."""
        store = self.organisation.store
        store.open_task(TASK, TEXT, "digest", [a_batch(jobs=jobs)], 0)
        names = [f"{number:04d}" for number in range(jobs)]
        store.record_ended([an_ended_job(proc=number, job=name) for number, name in enumerate(names)])
        for name in names:
            self.organisation.reports.add(TASK.id, name, a_report(name, outputs=[an_output_of(TASK, name)]))
        self.organisation.step()

    def loop(self, **changes: Any) -> StageOut:
        elements = frozenset({"SITE_A_DISK", "SITE_B_DISK"})
        policy = replace(StageOutPolicy(), **changes)
        return StageOut(self.organisation.store, self.mover, elements, policy, self.organisation.clock)

    def where(self) -> set[str]:
        """The storage elements at which the catalogue has the outputs."""
        store = self.organisation.store
        return {replica.se for each in store.files(store.listing(TASK.outputs)) for replica in each.replicas}


@pytest.fixture
def site(organisation: Organisation) -> Site:
    return Site(organisation)


def test_outputs_are_copied_registered_and_cleared_once(site):
    site.end(jobs=5)
    assert site.where() == {"SITE_A_DISK"}
    loop = site.loop()
    assert sum(isinstance(action, Copy) for action in loop.step()) == 5
    assert loop.step() == []
    assert (len(site.mover.copied), len(site.mover.cleared)) == (5, 5)
    assert site.where() == {"SITE_B_DISK"}
    assert (loop.outcomes, loop.bytes) == ({("SITE_B_DISK", ""): 5}, {"SITE_B_DISK": 5000})


def test_a_report_that_is_read_again_by_a_router_that_was_killed_moves_nothing_twice(site):
    site.end()
    site.loop().step()
    site.organisation.store.record_ended([an_ended_job(cluster=2, job="0000")])  # as if it had not been read
    site.organisation.step()
    assert site.where() == {"SITE_B_DISK"}
    assert site.loop().step() == []


def test_a_failed_copy_is_tried_again_when_it_is_due(site):
    site.end()
    site.mover.faults = [FULL]
    site.loop().step()
    assert site.where() == {"SITE_A_DISK"}
    assert site.loop().step() == []
    site.organisation.clock.pass_time(75)
    site.loop().step()
    assert site.where() == {"SITE_B_DISK"}


def test_a_source_that_cannot_be_cleared_is_cleared_later(site):
    site.end()
    site.mover.stuck = True
    site.loop().step()
    assert site.where() == {"SITE_B_DISK"}
    site.mover.stuck = False
    site.loop().step()
    assert len(site.mover.cleared) == 1
    assert site.loop().step() == []


def test_a_pass_ends_although_a_source_cannot_be_cleared(site):
    site.end()
    site.mover.stuck = True
    site.loop().step()
    assert len(site.loop().step()) == 1


def test_status_says_transferring_and_then_finished(site, tmp_path):
    site.end(jobs=2)
    router = a_router(site.organisation, tmp_path)
    assert dict(router.status(TASK.id).counts) == {"transferring": 2, "finished": 0}
    assert not router.status(TASK.id).done
    site.loop().step()
    assert dict(router.status(TASK.id).counts) == {"finished": 2}
    assert router.status(TASK.id).succeeded


def test_a_task_is_not_done_before_it_is_known_which_outputs_are_to_move(site, tmp_path):
    site.organisation.store.open_task(TASK, TEXT, "digest", [a_batch(jobs=1)], 0)
    site.organisation.store.record_ended([an_ended_job(proc=0, job="0000")])
    status = a_router(site.organisation, tmp_path).status(TASK.id)
    assert (status.counts["finished"], status.unread, status.done) == (1, 1, False)


def test_status_says_why_an_output_did_not_arrive_and_that_the_task_is_no_success(site, tmp_path):
    site.end()
    site.mover.faults = [FULL]
    site.loop(tries=0).step()
    router = a_router(site.organisation, tmp_path)
    status = router.status(TASK.id)
    [told] = status.stage_out
    assert (told.state, told.cause, told.words) == (TransferState.FAILED, "quota", "Disk quota exceeded")
    assert status.done
    assert not status.succeeded
    assert site.where() == {"SITE_A_DISK"}
    assert router.retry_stageout(TASK.id) == 1
    site.loop().step()
    assert router.status(TASK.id).succeeded


def test_a_bad_destination_is_probed_and_not_hammered(site):
    site.end(jobs=30)
    site.mover.faults = [FULL] * 100
    loop = site.loop(bad_streak=10, per_pass=10, delay_s=0.0)
    loop.step()
    assert len(site.mover.copied) == 10
    site.organisation.clock.pass_time(60)
    loop.step()
    assert len(site.mover.copied) == 12
    site.organisation.clock.pass_time(60)
    site.mover.faults = []
    loop.step()
    assert site.where() == {"SITE_B_DISK"}


class Beats:
    """A lease that counts how often it is renewed, and is lost in the end."""

    leads, term = True, 1

    def __init__(self, most: int) -> None:
        self.most = most

    def lead(self) -> bool:
        self.most -= 1
        return self.most >= 0

    def saw(self, _: int) -> None:
        """Nothing."""

    def resign(self) -> None:
        """Nothing."""


def test_the_lease_is_renewed_while_a_long_copy_is_under_way_and_a_lost_one_ends_the_pass(site):
    site.end()
    times = iter(range(0, 10_000, 3))
    loop = site.loop()
    loop.leader, loop.monotonic = Beats(3), lambda: float(next(times))
    loop.mover.move = lambda _: iter([None] * 100)
    with pytest.raises(LeaseLost):
        loop.step()
    assert loop.leader.most == -1
    assert site.where() == {"SITE_A_DISK"}
