"""One suite for every Pool: what a schedd with our configuration does, the fake does, and the other way round."""

import itertools
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from router.decide.reconcile import decide
from router.errors import RouterError
from router.model.action import Diagnose, Mend, Place
from router.model.cause import Cure
from router.model.job import ASKED_ELSEWHERE, BY_HAND, Decision, JobGroup, JobState, Remedy
from router.model.node import Gpus, Platform, image_kind
from router.model.policy import BrokerPolicy
from router.model.task import Batch, Task
from router.ports import Asked, Pool
from router.render import jdl
from router.testing.build import (
    a_batch,
    a_decision,
    a_payload,
    a_place,
    a_remedy,
    a_site,
    a_task,
    a_world,
    an_output,
    inputs_at,
)
from router.testing.pool import FakePool

T = TypeVar("T")
NUMBERS = itertools.count(1)
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


@pytest.fixture(params=["fake", pytest.param("condor", marks=pytest.mark.pool)])
def mine(request: pytest.FixtureRequest, tmp_path: Path) -> Mine:
    pools = FakePool() if request.param == "fake" else request.getfixturevalue("contract_pool")
    for part in ("code", "jobs", "logs", "reports"):
        (tmp_path / part).mkdir()
    payload = a_payload(
        dataset="/demo/zmumu",
        cpus=2,
        memory_mb=300,
        disk_mb=70,
        walltime_s=601,
        gpus=Gpus(2, 16_000, 7.5),
        platform=Platform("x86_64-v2", "el9", ("/cvmfs/a.b.ch", "root-6.30")),
        allow=("SITE_A", "SITE_B"),
        block=("SITE_C",),
        group="higgs.zz",
        outputs=(an_output(merge=True),),
    )
    task = a_task(f"zmumu-{os.getpid()}-{next(NUMBERS)}", payload=payload, directory=str(tmp_path))
    return Mine(pools, task)


def eventually(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What `look` sees once it is as wanted; the schedd writes history a moment after it answers."""
    end = time.monotonic() + 20
    while not wanted(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_a_batch_is_in_the_queue_as_it_was_described(mine):
    cluster = mine.submit(a_batch(jobs=3, sites=frozenset({"SITE_B", "SITE_A"})))
    group = mine.group()
    assert group.oldest > 0
    assert replace(group, oldest=0) == JobGroup(
        cluster=cluster,
        owner="alice",
        state=JobState.IDLE,
        count=3,
        task=mine.task.id,
        batch="b0",
        requests=replace(mine.task.payload.requests, walltime_s=660),
        dataset="/demo/zmumu",
        held_by=("SITE_A", "SITE_B"),
        allow=("SITE_A", "SITE_B"),
        block=("SITE_C",),
        group="higgs.zz",
        writes=True,
        wrapped=True,
    )


@pytest.mark.parametrize("image", ["docker://debian:12", "/cvmfs/a/b.sif", "/cvmfs/a/b/"])
def test_the_image_of_a_container_is_in_the_queue(mine, image):
    kind = (image_kind(image),)
    payload = a_payload(container=image, platform=Platform("x86_64", images=kind))
    mine = replace(mine, task=replace(mine.task, payload=payload))
    mine.submit(a_batch())
    assert mine.group().requests.platform == payload.requests.platform


def test_a_batch_that_asks_for_no_architecture_gets_that_of_the_access_point(mine):
    mine = replace(mine, task=replace(mine.task, payload=a_payload()))
    mine.submit(a_batch())
    assert mine.group().requests.platform == Platform(platform.machine())


def test_each_job_of_a_batch_has_its_name(mine):
    cluster = mine.submit(a_batch(jobs=2))
    lines = sorted(mine.alice.task_lines(mine.task.id), key=lambda line: line.proc)
    assert [(line.id, line.job, line.batch, line.state, line.sites) for line in lines] == [
        (f"{cluster}.0", "0000", "b0", "idle", ()),
        (f"{cluster}.1", "0001", "b0", "idle", ()),
    ]


def test_two_batches_are_two_clusters_and_found_again_by_their_keys(mine):
    first, second = mine.submit(a_batch("b0")), mine.submit(a_batch("b1"))
    assert first != second
    assert mine.alice.clusters(mine.task.id, "alice") == {"b0": first, "b1": second}


def test_some_clusters_are_looked_at_as_all_are(mine):
    first, _, third = (mine.submit(a_batch(key, jobs=2)) for key in ("b0", "b1", "b2"))
    found = mine.router.jobs_in([third, first, 999_999])
    assert {(group.cluster, group.batch, group.count) for group in found} == {(first, "b0", 2), (third, "b2", 2)}
    assert set(found) == {group for group in mine.groups() if group.batch != "b1"}


def test_a_description_that_htcondor_cannot_read_is_an_error_and_leaves_no_job(mine):
    with pytest.raises(RouterError):
        mine.submit_text("universe = nonsense")
    assert mine.groups() == ()


def test_a_placement_gives_the_jobs_their_sites_and_the_reason(mine):
    cluster = mine.submit(a_batch(jobs=2))
    made = a_decision("SITE_A", "SITE_B", words="placed at SITE_A: it holds the input")
    assert mine.router.place(mine.place(cluster, made)) == 2
    assert (mine.group().sites, mine.group().decision) == (("SITE_A", "SITE_B"), made)
    assert {line.reason for line in mine.alice.task_lines(mine.task.id)} == {"placed at SITE_A: it holds the input"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('a "quoted" one', 'a "quoted" one'),
        ("$(DOLLAR) $ENV(HOME) $$(X)", "$(DOLLAR) $ENV(HOME) $$(X)"),
        ("ärger ≥ 3; 'x'", "ärger ≥ 3; 'x'"),
        ("ends in a backslash\\", "ends in a backslash/"),
        ('escapes the \\" quote', 'escapes the /" quote'),
        ("two\nlines\x00", "two lines "),
        ("long" * 1000, "long" * 250),
    ],
)
def test_the_words_of_a_decision_come_back_as_an_ad_can_hold_them(mine, words, told):
    cluster = mine.submit(a_batch())
    assert mine.router.place(mine.place(cluster, a_decision("SITE_A", words=words))) == 1
    assert mine.group().decision == a_decision("SITE_A", words=told)


def test_placing_twice_is_placing_once(mine):
    cluster = mine.submit(a_batch(jobs=2))
    place = mine.place(cluster, a_decision("SITE_A"))
    assert [mine.router.place(place), mine.router.place(place)] == [2, 2]
    assert mine.group().decision == place.decision


def test_a_move_replaces_the_sites_and_the_decision(mine):
    cluster = mine.submit(a_batch(jobs=2))
    mine.router.place(mine.place(cluster, a_decision("SITE_A")))
    moved = a_decision("SITE_B", epoch=2, moves=1, came_from=("SITE_A",), tag="site-draining")
    assert mine.router.place(mine.place(cluster, moved, old=("SITE_A",))) == 2
    assert (mine.group().sites, mine.group().decision) == (("SITE_B",), moved)


def test_jobs_may_lose_all_their_sites_and_get_some_again(mine):
    cluster = mine.submit(a_batch(jobs=2))
    mine.router.place_all([mine.place(cluster, a_decision("SITE_A"))])
    gone = replace(a_decision(epoch=2), came_from=("SITE_A",), words="taken from SITE_A")
    assert mine.router.place_all([mine.place(cluster, gone, old=("SITE_A",))]) == (2,)
    assert (mine.group().sites, mine.group().decision, mine.group().under_way) == ((), gone, False)
    back = a_decision("SITE_B", epoch=3)
    assert mine.router.place_all([mine.place(cluster, back, old=())]) == (2,)
    assert mine.group().sites == ("SITE_B",)


@pytest.mark.parametrize("old", [None, ("SITE_B",), ("SITE_A", "SITE_B"), ()])
def test_a_decision_taken_on_other_sites_than_the_jobs_have_changes_nothing(mine, old):
    cluster = mine.submit(a_batch(jobs=2))
    first = a_decision("SITE_A")
    mine.router.place(mine.place(cluster, first))
    assert mine.router.place(mine.place(cluster, a_decision("SITE_C", epoch=2), old=old)) == 0
    assert (mine.group().sites, mine.group().decision) == (("SITE_A",), first)


def test_a_cluster_that_is_gone_takes_no_decision(mine):
    assert mine.router.place(mine.place(999_999, a_decision("SITE_A"))) == 0


def test_a_held_job_takes_no_decision(mine):
    cluster = mine.submit_merge()
    assert mine.router.place(mine.place(cluster, a_decision("SITE_A"))) == 0
    assert (mine.group().sites, mine.group().decision) == (None, None)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_nobody_but_the_router_places_jobs_not_even_their_owner(mine, who):
    cluster = mine.submit(a_batch(jobs=2))
    assert mine.pools.as_user(who).place(mine.place(cluster, a_decision("SITE_A"))) == 0
    assert (mine.group().sites, mine.group().decision) == (None, None)


def test_all_decisions_of_a_pass_are_applied_each_by_its_own_comparison(mine):
    first, second, third = (mine.submit(a_batch(key, jobs=2)) for key in ("b0", "b1", "b2"))
    mine.router.place(mine.place(third, a_decision("SITE_B")))
    places = [
        mine.place(first, a_decision("SITE_A")),
        mine.place(third, a_decision("SITE_A", epoch=2)),
        mine.place(999_999, a_decision("SITE_A")),
        mine.place(second, a_decision("SITE_A", "SITE_B")),
    ]
    assert mine.router.place_all(places) == (2, 0, 0, 2)
    assert {group.batch: group.sites for group in mine.groups()} == {
        "b0": ("SITE_A",),
        "b1": ("SITE_A", "SITE_B"),
        "b2": ("SITE_B",),
    }
    assert mine.router.place_all([]) == ()


def test_many_clusters_that_get_the_same_sites_all_get_them(mine):
    clusters = [mine.submit(a_batch(f"b{number}", jobs=3)) for number in range(4)]
    made = a_decision("SITE_A")
    assert mine.router.place_all([mine.place(cluster, made) for cluster in clusters]) == (3, 3, 3, 3)
    assert {(group.count, group.sites, group.decision) for group in mine.groups()} == {(3, ("SITE_A",), made)}


def test_a_decision_for_a_part_of_a_cluster_leaves_the_other_jobs_as_they_are(mine):
    cluster = mine.submit(a_batch(jobs=5))
    near, far = a_decision("SITE_A"), a_decision("SITE_B", words="placed at SITE_B")
    part = replace(mine.place(cluster, far), count=2)
    assert mine.router.place_all([part, replace(mine.place(cluster, near), count=1)]) == (2, 1)
    assert {(group.count, group.sites, group.decision) for group in mine.groups()} == {
        (2, ("SITE_B",), far),
        (1, ("SITE_A",), near),
        (2, None, None),
    }


@pytest.mark.parametrize("mine", [pytest.param("condor", marks=pytest.mark.pool)], indirect=True)
def test_what_is_left_of_a_cluster_is_placed_and_moved_apart_from_what_comes_late(mine):
    cluster = mine.submit(a_batch(jobs=4))
    alice = mine.pools.queue("alice")
    alice.act("Remove", f"ClusterId == {cluster} && ProcId == 1", "one of them")
    alice.act("Hold", f"ClusterId == {cluster} && ProcId == 3", "another")
    first, moved = a_decision("SITE_A"), a_decision("SITE_B", epoch=2, moves=1, came_from=("SITE_A",))
    assert mine.router.place(mine.place(cluster, first)) == 2
    assert mine.alice.retry(mine.task.id, "back") == 1
    assert mine.router.place(mine.place(cluster, moved, old=("SITE_A",))) == 2
    late = a_decision("SITE_A", words="placed later")
    assert mine.router.place(mine.place(cluster, late)) == 1
    assert {(group.count, group.sites, group.decision) for group in mine.groups()} == {
        (2, ("SITE_B",), moved),
        (1, ("SITE_A",), late),
    }


def test_sites_that_a_user_asks_for_become_a_wish(mine):
    mine.submit_text('My.DESIRED_Sites = "SITE_B, SITE_A"', 'My.UNDESIRED_Sites = "SITE_C"')
    group = mine.group()
    assert (group.sites, group.allow, group.block) == (None, ("SITE_A", "SITE_B"), ("SITE_C",))


def test_a_forged_decision_is_dropped_at_submit(mine):
    mine.submit_text(
        'My.RouterDecision = [ Epoch = 7; Moves = 0; Sites = "SITE_A" ]', "My.RouterEpoch = 7", 'My.RouterState = "x"',
        'My.RouterRemedy = [ Hold = 1; Tries = 0; Cause = "x"; Cure = "again"; Due = 0 ]',
    )  # fmt: skip
    assert mine.group().decision is None
    assert mine.group().remedy is None
    assert mine.group().sites is None


def test_a_user_may_ask_that_a_job_never_moves(mine):
    mine.submit_text("My.RouterFixed = true")
    assert mine.group().fixed


def test_a_merge_job_waits_on_hold_until_the_router_releases_it(mine):
    cluster = mine.submit_merge()
    assert (mine.group().state, mine.group().hold_code) == (JobState.HELD, 15)
    assert mine.router.release(cluster, "all parts are there") == 1
    assert (mine.group().state, mine.group().hold_code) == (JobState.IDLE, 0)
    assert mine.router.release(cluster, "all parts are there") == 0


def test_a_merge_job_that_its_owner_holds_stays_held(mine):
    cluster = mine.submit_merge()
    mine.router.release(cluster, "all parts are there")
    mine.hold(cluster)
    assert mine.router.release(cluster, "all parts are there") == 0
    assert mine.group().state is JobState.HELD


def test_a_remedy_is_written_into_held_jobs_and_its_words_are_their_reason(mine):
    cluster = mine.submit(a_batch(jobs=2))
    mine.hold(cluster)
    action = mine.diagnose(cluster, words='an input "x" is\nmissing')
    assert mine.router.diagnose_all([action]) == (2,)
    assert mine.group().remedy == replace(action.remedy, words='an input "x" is missing')
    assert (mine.group().state, mine.group().holds) == (JobState.HELD, 1)
    assert mine.router.diagnose_all([action]) == (2,), "twice is once"


def test_a_remedy_is_carried_out_and_the_jobs_are_released(mine):
    cluster = mine.submit(a_batch(jobs=3))
    mine.router.place(mine.place(cluster, a_decision("SITE_A")))
    mine.hold(cluster)
    remedy = a_remedy(site="", memory_mb=448, walltime_s=1200)
    mine.router.diagnose_all([mine.diagnose(cluster, memory_mb=448, walltime_s=1200)])
    mend = mine.mend(cluster, remedy)
    assert mine.router.mend_all([mend]) == (3,)
    group = mine.group()
    assert (group.state, group.sites, group.count, group.remedy) == (JobState.IDLE, None, 3, remedy)
    assert (group.requests.memory_mb, group.requests.walltime_s, group.requests.cpus) == (448, 1200, 2)
    assert mine.router.mend_all([mend]) == (3,), "twice is once"
    assert mine.group() == group


def test_a_retry_at_the_same_sites_changes_nothing_but_the_state(mine):
    cluster = mine.submit(a_batch(jobs=2))
    mine.router.place(mine.place(cluster, a_decision("SITE_A")))
    before = mine.group()
    mine.hold(cluster)
    action = mine.diagnose(cluster, cure=Cure.AGAIN)
    mine.router.diagnose_all([action])
    assert mine.router.mend_all([mine.mend(cluster, action.remedy)]) == (2,)
    assert mine.group() == replace(before, holds=1, remedy=action.remedy)


def test_what_was_given_up_is_not_released(mine):
    cluster = mine.submit(a_batch())
    mine.hold(cluster)
    action = mine.diagnose(cluster, cure=Cure.NONE)
    mine.router.diagnose_all([action])
    assert mine.router.mend_all([mine.mend(cluster, action.remedy)]) == (0,)
    assert mine.group().state is JobState.HELD


def test_a_job_that_its_owner_held_again_is_neither_mended_nor_released(mine):
    cluster = mine.submit(a_batch())
    mine.hold(cluster)
    action = mine.diagnose(cluster)
    mine.router.diagnose_all([action])
    mend = mine.mend(cluster, action.remedy)
    mine.alice.retry(mine.task.id, "no")
    mine.hold(cluster)
    assert mine.router.mend_all([mend]) == (0,)
    assert (mine.group().state, mine.group().holds) == (JobState.HELD, 2)
    assert mine.router.diagnose_all([action]) == (1,), "it carries it, of an earlier hold"


def test_jobs_of_one_cluster_that_name_different_datasets_go_where_theirs_lies(mine):
    marks = (f'My.RouterTask = "{mine.task.id}"', 'My.RouterDataset = "/demo/$(which)"')
    items = [{"which": which} for which in ("a", "b", "a")]
    cluster = mine.alice.submit("\n".join((STRANGER_TEXT.strip(), *marks)), items)
    inputs = (((cluster, "/demo/a", ()), inputs_at("SITE_A")), ((cluster, "/demo/b", ()), inputs_at("SITE_B")))
    world = a_world(a_site("SITE_A"), a_site("SITE_B"), jobs=mine.groups(), inputs=inputs)
    places = [action for action in decide(world, BrokerPolicy()) if isinstance(action, Place)]
    assert sorted(mine.router.place_all(places)) == [1, 2]
    assert sorted((group.dataset, group.sites, group.count) for group in mine.groups()) == [
        ("/demo/a", ("SITE_A",), 2),
        ("/demo/b", ("SITE_B",), 1),
    ]
    world = replace(world, jobs=mine.groups())
    assert list(decide(world, BrokerPolicy())) == []


def test_jobs_of_a_cluster_that_carry_different_remedies_are_placed_apart(mine):
    cluster = mine.submit(a_batch(jobs=3))
    mine.hold(cluster)
    action = mine.diagnose(cluster)
    mine.router.diagnose_all([action])
    mine.router.mend_all([mine.mend(cluster, action.remedy)])
    kind = mine.group().kind
    other = replace(mine.place(cluster, a_decision("SITE_A")), kind=replace(kind, remedy=None))
    place = replace(mine.place(cluster, a_decision("SITE_B")), count=3, kind=kind)
    assert mine.router.place_all([other, place]) == (0, 3)
    assert mine.group().sites == ("SITE_B",)
    moved = a_decision("SITE_A", epoch=2, moves=1, came_from=("SITE_B",))
    moved = replace(mine.place(cluster, moved, old=("SITE_B",)), kind=replace(kind, remedy=None))
    assert mine.router.place(moved) == 0


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_nobody_but_the_router_writes_a_remedy_not_even_their_owner(mine, who):
    cluster = mine.submit(a_batch())
    mine.hold(cluster)
    assert mine.pools.as_user(who).diagnose_all([mine.diagnose(cluster)]) == (0,)
    assert mine.group().remedy is None


def test_a_retry_leaves_a_merge_job_on_hold(mine):
    mine.submit_merge()
    assert mine.alice.retry(mine.task.id, "again") == 0
    assert mine.group().state is JobState.HELD


def test_jobs_that_their_owner_wants_elsewhere_are_held_with_a_subcode_of_ours(mine):
    cluster = mine.submit(a_batch(jobs=3))
    mine.router.place(replace(mine.place(cluster, a_decision("SITE_A")), count=2))
    assert mine.pools.as_user("bob").ask_elsewhere(Asked(mine.task.id), "away") == 0
    assert mine.alice.ask_elsewhere(Asked(cluster=cluster, proc=0), "away") == 1
    assert mine.alice.ask_elsewhere(Asked(mine.task.id), "away") == 2
    assert {(each.count, each.sites, each.hold_code, each.hold_subcode) for each in mine.groups()} == {
        (1, None, 0, 0),
        (1, ("SITE_A",), BY_HAND, ASKED_ELSEWHERE),
    }
    assert {each.holds for each in mine.groups()} == {0, 1, 2}


def test_jobs_that_wait_to_be_placed_are_not_held_for_being_wanted_elsewhere(mine):
    cluster = mine.submit(a_batch())
    assert mine.alice.ask_elsewhere(Asked(cluster=cluster), "away") == 0
    assert mine.group().state is JobState.IDLE


def test_a_stranger_releases_and_removes_nothing(mine):
    cluster = mine.submit_merge()
    assert mine.bob.release(cluster, "mine now") == 0
    assert mine.bob.remove(mine.task.id, "mine now") == 0
    assert mine.group().state is JobState.HELD


def test_a_task_that_is_removed_leaves_the_queue_and_enters_the_history(mine):
    before = time.time()
    cluster = mine.submit(a_batch(jobs=2))
    assert mine.alice.remove(mine.task.id, 'said "no"') == 2
    eventually(mine.groups, lambda found: found == ())

    def ended():
        return [job for job in mine.router.ended(0) if job.task == mine.task.id]

    jobs = sorted(eventually(ended, lambda found: len(found) == 2), key=lambda job: job.proc)
    assert [(job.cluster, job.proc, job.batch, job.job) for job in jobs] == [
        (cluster, 0, "b0", "0000"),
        (cluster, 1, "b0", "0001"),
    ]
    assert {(job.owner, job.state, job.exit_code, job.reason) for job in jobs} == {
        ("alice", JobState.REMOVED, None, 'said "no" (by user alice)')
    }
    if not isinstance(mine.pools, FakePool):
        assert all(before - 2 <= job.ended <= time.time() + 2 for job in jobs)
    assert mine.alice.remove(mine.task.id, "again") == 0


def test_jobs_are_withdrawn_by_name_as_far_as_they_are_held_and_by_nobody_else(mine):
    cluster = mine.submit(a_batch(jobs=3))
    mine.hold(cluster)
    assert mine.bob.withdraw(mine.task.id, ["0000", "0002"], "mine now") == 0
    assert mine.alice.withdraw(mine.task.id, ["0000", "0002"], "smaller ones") == 2
    left = eventually(lambda: mine.alice.task_lines(mine.task.id), lambda found: len(found) == 1)
    assert [line.job for line in left] == ["0001"]
    mine.alice.retry(mine.task.id, "on")
    assert mine.alice.withdraw(mine.task.id, ["0001"], "smaller ones") == 0


def test_the_router_may_remove_what_is_not_its_own(mine):
    mine.submit_merge()
    assert mine.router.remove(mine.task.id, "the owner left") == 1


def test_a_cluster_whose_jobs_are_gone_is_still_known(mine):
    cluster = mine.submit(a_batch())
    mine.alice.remove(mine.task.id, "away")
    found = eventually(lambda: mine.alice.clusters(mine.task.id, "alice"), lambda found: bool(found))
    assert found == {"b0": cluster}


def test_history_is_read_from_a_moment_on(mine):
    mine.submit(a_batch())
    mine.alice.remove(mine.task.id, "away")

    def ended(since: float):
        return [job for job in mine.router.ended(since) if job.task == mine.task.id]

    (job,) = eventually(lambda: ended(0), lambda found: bool(found))
    assert ended(job.ended) == [job], "told again within the overlap"
    assert ended(job.ended + 3600) == []


def test_a_task_name_that_is_an_expression_matches_nothing(mine):
    mine.submit(a_batch())
    trick = 'x" || true || "'
    assert mine.router.remove(trick, "all of it") == 0
    assert mine.router.retry(trick, "all of it") == 0
    assert mine.router.task_lines(trick) == ()
    assert mine.router.clusters(trick, "alice") == {}
    assert mine.group().count == 1


def test_a_task_name_in_other_letters_is_another_task(mine):
    mine.submit(a_batch())
    assert mine.router.task_lines(mine.task.id.upper()) == ()
    assert mine.router.clusters(mine.task.id.upper(), "alice") == {}


DRY_RUN = """\
Dry-run job(s)
ClusterId=1
ProcId=0
RouterDataset="/demo/zmumu"
RequestMemory=700
DESIRED_Sites="SITE_B,SITE_A"
.
ProcId=1
.
ProcId=2
RequestMemory=800
.
"""


def test_jobs_of_a_dry_run_are_described_as_they_would_be_in_the_queue(mine):
    two, one = mine.alice.described(DRY_RUN)
    assert (two.count, two.dataset, two.requests.memory_mb) == (2, "/demo/zmumu", 700)
    assert (two.sites, two.allow) == (None, ("SITE_A", "SITE_B"))
    assert one == replace(two, cluster=one.cluster, count=1, requests=replace(two.requests, memory_mb=800))


def test_a_pool_without_glideins_has_no_slots_and_no_refusals(mine):
    assert (mine.router.slots(), mine.router.failures()) == ((), ())
