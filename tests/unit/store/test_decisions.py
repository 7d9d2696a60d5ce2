"""The decision log: written before the edit, one row a decision, told back as it was."""

from dataclasses import replace

import pytest

from router.model.action import Refusal, Release, Verdict, Wait
from router.model.record import OpenDecision
from router.testing.build import a_decision, a_place

VERDICTS = (
    Verdict("SITE_A", None, 0.75, (("locality", 1.0), ("free", 0.5))),
    Verdict("SITE_B", Refusal("memory", 'asks for "much"')),
)
MOVE = a_place(decision=a_decision("SITE_B", epoch=2, moves=1, came_from=("SITE_A",)), old=("SITE_A",))


def test_a_placement_is_told_back_with_its_verdicts_and_its_outcome(store):
    number = store.note(a_place(7, verdicts=VERDICTS), 5.0)
    (record,) = store.of_cluster(7)
    assert (record.kind, record.epoch, record.jobs, record.sites, record.came_from) == ("place", 1, 10, ("SITE_A",), ())
    assert (record.at, record.outcome, record.verdicts) == (5.0, "pending", VERDICTS)
    store.settle(number, "applied")
    assert store.of_task("zmumu-1")[0].outcome == "applied"


@pytest.mark.parametrize(
    ("action", "kind", "tag"),
    [
        (MOVE, "move", "placed"),
        (Wait(1, "zmumu-1", "b0", 10, "no site can run it", VERDICTS), "wait", "nothing-fits"),
        (Release(1, "zmumu-1", "all 4 parts are there"), "release", "parts-ready"),
    ],
)
def test_every_action_has_its_kind_and_tag(store, action, kind, tag):
    store.note(action, 1.0)
    (record,) = store.of_cluster(1)
    assert (record.kind, record.tag) == (kind, tag)
    assert record.words


def test_decisions_are_told_oldest_first_and_the_newest_of_each_cluster(store):
    for cluster, action in ((1, a_place(1)), (1, replace(MOVE, cluster=1)), (2, a_place(2))):
        store.settle(store.note(replace(action, cluster=cluster), 1.0), "applied")
    assert [record.epoch for record in store.of_cluster(1)] == [1, 2]
    newest = store.newest([1, 2, 3])
    assert {cluster: record.epoch for cluster, record in newest.items()} == {1: 2, 2: 1}


def test_a_decision_that_is_taken_again_keeps_its_row(store):
    first = store.note(MOVE, 1.0)
    store.settle(first, "unknown")
    assert store.note(MOVE, 2.0) == first
    store.settle(first, "applied")
    assert len(store.of_cluster(1)) == 1


def test_two_parts_of_a_cluster_that_are_given_the_same_have_a_row_each(store):
    store.settle(store.note(MOVE, 1.0), "unknown")
    first, second = store.note_all([MOVE, MOVE], 2.0)
    assert first != second
    store.settle_all([(first, "applied"), (second, "superseded")])
    assert [record.outcome for record in store.of_cluster(1)] == ["applied", "superseded"]


def test_a_decision_that_is_taken_again_is_open_again(store):
    store.settle(store.note(MOVE, 1.0), "superseded")
    number = store.note(MOVE, 2.0)
    assert [found.number for found in store.open()] == [number]


def test_a_decision_that_was_applied_is_not_overwritten_by_a_later_one(store):
    store.settle(store.note(MOVE, 1.0), "applied")
    other = replace(MOVE, decision=replace(MOVE.decision, epoch=3, sites=("SITE_C",)))
    assert store.note(other, 2.0) != store.note(replace(other, cluster=2), 2.0)
    assert [record.sites for record in store.of_cluster(1)] == [("SITE_B",), ("SITE_C",)]


def test_decisions_without_an_outcome_are_open(store):
    first, second, third = (store.note(a_place(cluster), 1.0) for cluster in (1, 2, 3))
    store.settle(second, "applied")
    store.settle(third, "unknown")
    assert store.open() == [
        OpenDecision(first, 1, "place", 1, ("SITE_A",)),
        OpenDecision(third, 3, "place", 1, ("SITE_A",)),
    ]
