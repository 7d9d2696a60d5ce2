"""Remedies on their way into the queue: what is asked of the schedd, in which order and how often."""

from typing import Any

import pytest

from router.errors import OutcomeUnknown
from router.model.action import Diagnose, Mend
from router.model.cause import Cure
from router.model.job import Hold
from router.pool import ads, mending
from router.testing.build import a_remedy

HOLD = Hold(3, 71, 1, "SITE_A")
SHOWN = {
    "Hold": 1, "Tries": 1, "Cause": "stage-in-failed", "Cure": "elsewhere", "Site": "SITE_A", "Avoid": "SITE_A",
    "Until": a_remedy().until, "Words": "failed", "Due": a_remedy().due,
}  # fmt: skip


class Script:
    """The part of a JobQueue that mending uses; it answers as the test says and writes down what it is asked."""

    def __init__(self, held: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
        self.held, self.after = held, after
        self.asked: list[tuple[Any, ...]] = []

    def query(self, constraint, attributes, limit=-1):
        self.asked.append(("held", constraint))
        return self.held

    def count(self, constraint, attributes):
        self.asked.append(("look", constraint))
        return self.after

    def edit_jobs(self, edits):
        self.asked += [(edit.attribute, edit.jobs, edit.value) for edit in edits]
        return [True for _ in edits]

    def act(self, action, constraint, reason, code=0):
        self.asked.append((action, constraint))
        return 0

    def edits(self):
        return [call for call in self.asked if len(call) == 3]


def row(cluster, proc, **changes):
    first = {"HoldReasonCode": 3, "HoldReasonSubCode": 71, "NumHolds": 1, "MachineAttrGLIDEIN_Site0": "SITE_A"}
    return {"ClusterId": cluster, "ProcId": proc, **first, **changes}


def after(cluster, status, count, remedy=SHOWN):
    return {"ClusterId": cluster, "JobStatus": status, "JobCount": count, "RouterRemedy": remedy}


def diagnose(cluster, **changes):
    return Diagnose(cluster, "t", "b0", 2, HOLD, None, a_remedy(**changes))


def mend(cluster, **changes):
    return Mend(cluster, "t", "b0", 2, HOLD, a_remedy(**changes))


def test_a_remedy_comes_back_from_the_ad_as_it_was_written():
    made = a_remedy(words='said "no"', memory_mb=2624, walltime_s=780, avoid=("SITE_A", "SITE_B"))
    assert ads.remedy_text(made) == (
        '[ Hold = 1; Tries = 1; Cause = "stage-in-failed"; Cure = "elsewhere"; Site = "SITE_A"; '
        f'Avoid = "SITE_A,SITE_B"; Until = {made.until}; MemoryMb = 2624; WalltimeMins = 13; Due = {made.due}; '
        'Words = "said \\"no\\"" ]'
    )
    shown = {**SHOWN, "Words": 'said "no"', "MemoryMb": 2624, "WalltimeMins": 13, "Avoid": "SITE_A,SITE_B"}
    assert ads.remedy(shown) == made


@pytest.mark.parametrize("value", [None, 3, "x", {}, {**SHOWN, "Cure": "magic"}, {**SHOWN, "Hold": None}])
def test_what_is_no_remedy_of_ours_is_none(value):
    assert ads.remedy(value) is None


def test_equal_remedies_are_one_edit_by_a_list_of_ids():
    queue = Script([row(7, 0), row(7, 1), row(7, 3), row(9, 0)], [after(7, 5, 3), after(9, 5, 1)])
    assert mending.diagnose_all(queue, [diagnose(7), diagnose(9)]) == (3, 1)
    assert queue.edits() == [("RouterRemedy", ((7, 0, 1), (7, 3, 3), (9, 0, 0)), ads.remedy_text(a_remedy()))]
    assert [call[0] for call in queue.asked] == ["held", "RouterRemedy", "look"]


@pytest.mark.parametrize(
    "changes",
    [{"NumHolds": 2}, {"HoldReasonCode": 1}, {"HoldReasonSubCode": 72}, {"RouterRemedy": SHOWN},
     {"MachineAttrGLIDEIN_Site0": "SITE_B"}],
)  # fmt: skip
def test_jobs_that_are_not_held_as_the_decision_saw_them_are_left_alone(changes):
    queue = Script([row(7, 0, **changes)], [])
    assert mending.diagnose_all(queue, [diagnose(7)]) == (0,)
    assert queue.edits() == []


def test_a_long_list_is_cut():
    queue = Script([row(7, proc) for proc in range(25_000)], [])
    mending.diagnose_all(queue, [diagnose(7)])
    assert [jobs for _, jobs, _ in queue.edits()] == [((7, 0, 9_999),), ((7, 10_000, 19_999),), ((7, 20_000, 24_999),)]


def test_what_a_remedy_asks_for_is_edited_before_the_release():
    queue = Script([row(7, 0, RouterRemedy=SHOWN), row(7, 1, RouterRemedy=SHOWN)], [after(7, 1, 2)])
    assert mending.mend_all(queue, [mend(7)]) == (2,)
    assert [call[0] for call in queue.asked] == ["held", "DESIRED_Sites", "Release", "look"]
    assert queue.edits() == [("DESIRED_Sites", ((7, 0, 1),), "undefined")]


def test_time_is_given_to_both_of_its_limits_and_only_where_there_are_two():
    shown = {**SHOWN, "Cure": "more-walltime", "WalltimeMins": 13}
    held = [row(7, 0, RouterRemedy=shown), row(7, 1, RouterRemedy=shown, AllowedExecuteDuration=600)]
    queue = Script(held, [after(7, 1, 2, shown)])
    assert mending.mend_all(queue, [mend(7, cure=Cure.WALLTIME, walltime_s=780)]) == (2,)
    assert queue.edits() == [
        ("MaxWallTimeMins", ((7, 0, 1),), "13"),
        ("AllowedExecuteDuration", ((7, 1, 1),), "780"),
    ]


def test_the_schedd_itself_sees_that_all_is_mended_before_it_releases():
    queue = Script([], [])
    mending.mend_all(queue, [mend(7), mend(9, due=5)])
    [constraint] = [call[1] for call in queue.asked if call[0] == "Release"]
    for condition in (
        "ClusterId >= 7 && ClusterId <= 9",
        "RouterRemedy.Hold =?= NumHolds",
        f"RouterRemedy.Due <= {a_remedy().due}",
        "RouterRemedy.MemoryMb =?= RequestMemory",
        'RouterRemedy.Cure isnt "give-up"',
    ):
        assert condition in constraint


def test_jobs_that_are_still_held_are_not_mended():
    queue = Script([row(7, 0, RouterRemedy=SHOWN)], [after(7, 5, 1)])
    assert mending.mend_all(queue, [mend(7)]) == (0,)


def test_an_edit_whose_outcome_nobody_knows_is_told_and_nothing_is_released():
    queue = Script([row(7, 0, RouterRemedy=SHOWN)], [])

    def overrun(_):
        raise OutcomeUnknown("no answer")

    queue.edit_jobs = overrun
    with pytest.raises(OutcomeUnknown):
        mending.mend_all(queue, [mend(7)])
    assert [call[0] for call in queue.asked] == ["held"]


def test_a_pass_without_failed_jobs_asks_nothing():
    queue = Script([], [])
    assert (mending.diagnose_all(queue, []), mending.mend_all(queue, [])) == ((), ())
    assert queue.asked == []
