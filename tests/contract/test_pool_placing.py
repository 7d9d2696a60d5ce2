"""Placing and moving jobs: what a schedd with our configuration does, the fake does, and the other way round."""

from dataclasses import replace

import pytest

from router.testing.build import (
    a_batch,
    a_decision,
)


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
    found = mine.groups()
    assert sum(group.count for group in found) == 12
    assert {(group.sites, group.decision) for group in found} == {(("SITE_A",), made)}


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
