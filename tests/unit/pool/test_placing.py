"""Decisions of a pass on their way into the queue: what is asked of the schedd, in which order and how often."""

from collections.abc import Sequence
from typing import Any

import pytest

from router.errors import OutcomeUnknown
from router.pool import ads, placing
from router.testing.build import a_decision, a_place


class Script:
    """The part of a JobQueue that placing uses; it answers as the test says and writes down what it is asked."""

    def __init__(self, *looks: Sequence[dict[str, Any]], idle: Sequence[Any] = ()) -> None:
        self.looks, self.idle = list(looks), list(idle)
        self.gone: set[int] = set()
        """Clusters of which a job has left the queue."""
        self.asked: list[tuple[Any, ...]] = []

    def count(self, constraint, attributes):
        self.asked.append(("look", constraint))
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def idle_jobs(self, clusters, attributes):
        self.asked.append(("idle", *clusters))
        return [({"DESIRED_Sites": sites, **dict.fromkeys(attributes[1:], 1)}, run) for sites, run in self.idle]

    def edit_jobs(self, edits):
        self.asked += [(edit.attribute, edit.jobs, edit.value) for edit in edits]
        return [not self.gone & {run[0] for run in edit.jobs} for edit in edits]

    def edits(self, attribute):
        return [call[1] for call in self.asked if call[0] == attribute]


MADE = a_decision("SITE_A", words="because")
SHOWN = {"Epoch": 1, "Moves": 0, "Sites": "SITE_A", "CameFrom": "", "Tag": "placed", "Words": "because", "At": MADE.at}


def row(cluster, count=10, submitted=10, status=1, **changes):
    return {"ClusterId": cluster, "JobStatus": status, "JobCount": count, "TotalSubmitProcs": submitted, **changes}


def placed(cluster, count=10, **changes):
    return row(cluster, count, DESIRED_Sites="SITE_A", RouterDecision=SHOWN, **changes)


def places(*clusters, **changes):
    return [a_place(cluster, decision=MADE, **changes) for cluster in clusters]


def test_a_whole_cluster_is_explained_once_and_its_jobs_are_then_given_their_sites():
    queue = Script([row(7)], [placed(7)])
    assert placing.place_all(queue, places(7)) == (10,)
    assert [call[:2] for call in queue.asked] == [
        ("look", "ClusterId >= 7 && ClusterId <= 7"),
        ("RouterDecision", ((7, -1, -1),)),
        ("DESIRED_Sites", ((7, 0, 9),)),
        ("look", "ClusterId >= 7 && ClusterId <= 7"),
    ]
    assert queue.asked[2][2] == '"SITE_A"'


def test_what_is_left_of_a_cluster_is_explained_job_by_job():
    left = [(None, (7, 2, 4)), (None, (7, 8, 8)), ("SITE_C", (7, 9, 9))]
    queue = Script([row(7, 4), row(7, 6, status=2, DESIRED_Sites="SITE_C")], [placed(7, 4)], idle=left)
    assert placing.place_all(queue, places(7)) == (4,)
    assert queue.edits("RouterDecision") == queue.edits("DESIRED_Sites") == [((7, 2, 4), (7, 8, 8))]
    assert queue.asked[2][2].endswith("; Own = true ]")


def test_a_part_of_a_cluster_is_its_first_jobs_and_the_next_part_those_behind_them():
    idle = [(None, (7, 0, 2)), (None, (7, 5, 9))]
    queue = Script([row(7, 8), row(7, 2, status=2)], [placed(7, 4), row(7, 4, DESIRED_Sites="SITE_B")], idle=idle)
    other = a_decision("SITE_B")
    assert placing.place_all(queue, [a_place(7, count=4, decision=MADE), a_place(7, count=9, decision=other)])[0] == 4
    assert queue.edits("DESIRED_Sites") == [((7, 0, 2), (7, 5, 5)), ((7, 6, 9),)]


def test_the_last_of_a_cluster_are_placed_though_others_carry_the_same_decision():
    queue = Script([row(7, 1), placed(7, 4)], idle=[(None, (7, 4, 4)), ("SITE_A", (7, 0, 3))])
    placing.place_all(queue, places(7, count=1))
    assert queue.edits("DESIRED_Sites") == [((7, 4, 4),)]


def test_a_part_is_of_the_jobs_that_are_left_though_others_carry_the_same_decision():
    queue = Script([row(7, 6), placed(7, 4)], idle=[(None, (7, 4, 9)), ("SITE_A", (7, 0, 3))])
    placing.place_all(queue, places(7, count=2))
    assert queue.edits("DESIRED_Sites") == [((7, 4, 5),)]


def test_jobs_of_a_cluster_that_ask_for_more_are_placed_apart():
    rows = [row(7, 3, 4), row(7, 1, 4, RequestMemory=8192)]
    runs = [({}, (7, 0, 1)), ({"RequestMemory": 8192}, (7, 2, 2)), ({}, (7, 3, 3))]
    little, much = (ads.kind({"RequestMemory": memory}) for memory in (None, 8192))
    for kind, jobs in ((little, ((7, 0, 1), (7, 3, 3))), (much, ((7, 2, 2),))):
        queue = Script(rows)
        queue.idle_jobs = lambda clusters, attributes: runs
        placing.place_all(queue, places(7, kind=kind))
        assert queue.edits("DESIRED_Sites") == [jobs]


def test_equal_decisions_for_jobs_of_two_kinds_are_told_apart():
    rows = [placed(7, 3, submitted=4), row(7, 1, 4, RequestMemory=8192)]
    queue = Script(rows)
    queue.idle_jobs = lambda clusters, attributes: [({"RequestMemory": 8192}, (7, 2, 2))]
    kinds = [ads.kind({}), ads.kind({"RequestMemory": 8192})]
    assert placing.place_all(queue, [place for kind in kinds for place in places(7, kind=kind)]) == (3, 0)
    assert queue.edits("DESIRED_Sites") == [((7, 2, 2),)]


def test_what_tells_jobs_apart_is_asked_only_where_it_differs():
    queue = Script([row(7), row(8)], [placed(7), placed(8)])
    queue.count = lambda constraint, attributes: queue.asked.append((constraint, attributes)) or [row(7), row(8)]
    placing.place_all(queue, [*places(7), *places(8, kind=ads.kind({}))])
    looks = [attributes for constraint, attributes in queue.asked[:2] if "ClusterId" in constraint]
    assert [set(ads.KIND) <= set(attributes) for attributes in looks] == [False, True]


def test_jobs_with_an_explanation_of_their_own_get_the_next_one_too():
    own = {**SHOWN, "Own": True}
    queue = Script([row(7, DESIRED_Sites="SITE_B", RouterDecision=own)], [placed(7)])
    placing.place_all(queue, places(7, old=("SITE_B",)))
    assert queue.edits("RouterDecision") == [((7, 0, 9),)]


@pytest.mark.parametrize("changes", [{"status": 2}, {"status": 5}, {"DESIRED_Sites": "SITE_B"}])
def test_jobs_that_are_not_as_the_decision_saw_them_are_left_alone(changes):
    queue = Script([row(7, **changes)])
    assert placing.place_all(queue, places(7)) == (0,)
    assert [call[0] for call in queue.asked] == ["look"]


def test_jobs_of_which_some_carry_a_later_decision_are_left_to_the_next_pass():
    later = row(7, 5, DESIRED_Sites="SITE_B", RouterDecision={**SHOWN, "Epoch": MADE.epoch + 1})
    queue = Script([row(7, 5, DESIRED_Sites="SITE_B"), later])
    assert placing.place_all(queue, places(7, old=("SITE_B",), count=5)) == (0,)
    assert [call[0] for call in queue.asked] == ["look"]


def test_equal_decisions_are_one_call_however_many_clusters_they_are_for():
    queue = Script([row(cluster) for cluster in range(50)])
    placing.place_all(queue, places(*range(50)))
    assert len(queue.edits("RouterDecision")) == len(queue.edits("DESIRED_Sites")) == 1


def test_calls_grow_with_the_values_and_not_with_the_jobs():
    queue = Script([row(cluster, 1_000, 1_000) for cluster in (1, 2)])
    made = [a_place(cluster, count=1_000, decision=a_decision(f"SITE_{cluster}")) for cluster in (1, 2)]
    placing.place_all(queue, made)
    assert len(queue.asked) == 2 + 2 * 2


def test_a_long_list_is_cut_so_that_the_schedd_is_never_blocked_for_long():
    queue = Script([row(7, 25_000, 25_000)])
    placing.place_all(queue, places(7, count=25_000))
    assert queue.edits("DESIRED_Sites") == [((7, 0, 9_999),), ((7, 10_000, 19_999),), ((7, 20_000, 24_999),)]


def test_a_job_that_left_the_queue_does_not_hold_up_other_clusters():
    queue = Script([row(7), row(8)], [placed(7), row(8)])
    queue.gone = {8}
    assert placing.place_all(queue, places(7, 8)) == (10, 0)
    assert queue.edits("RouterDecision") == [((7, -1, -1), (8, -1, -1)), ((7, -1, -1),), ((8, -1, -1),)]
    assert queue.edits("DESIRED_Sites") == [((7, 0, 9),)], "nothing is committed without its explanation"


@pytest.mark.parametrize(
    "changes",
    [
        {"DESIRED_Sites": "SITE_B"},
        {"DESIRED_Sites": None},
        {"RouterDecision": None},
        {"RouterDecision": {**SHOWN, "Epoch": 2}},
        {"RouterDecision": {**SHOWN, "Words": "other words"}},
    ],
)
def test_a_success_that_cannot_be_read_back_is_none(changes):
    queue = Script([row(7)], [{**placed(7), **changes}])
    assert placing.place_all(queue, places(7)) == (0,)


def test_an_edit_whose_outcome_nobody_knows_is_told():
    queue = Script([row(7)])

    def overrun(_):
        raise OutcomeUnknown("no answer")

    queue.edit_jobs = overrun
    with pytest.raises(OutcomeUnknown):
        placing.place_all(queue, places(7))


def test_a_pass_without_a_decision_asks_nothing():
    queue = Script([])
    assert placing.place_all(queue, []) == ()
    assert queue.asked == []
