"""Held jobs, remedies, releases: what a schedd with our configuration does, the fake does, and the other way round."""

from dataclasses import replace

import pytest
from mine import STRANGER_TEXT

from router.decide.reconcile import decide
from router.model.action import Place
from router.model.cause import Cure
from router.model.job import ASKED_ELSEWHERE, BY_HAND, JobState
from router.model.policy import BrokerPolicy
from router.ports import Asked
from router.testing.build import (
    a_batch,
    a_decision,
    a_remedy,
    a_site,
    a_world,
    inputs_at,
)


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
