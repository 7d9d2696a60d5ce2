"""Which storage is tested when, and what a test means for who submits."""

import pytest

from router.decide.write_tests import BELIEVED_S, due, refuses, result, warns
from router.model.policy import StageOutPolicy
from router.model.transfer import Fault, TransferCause, WriteTest
from router.testing.clock import NOON

POLICY = StageOutPolicy(test_s=600.0, probe_s=60.0)
FORBIDDEN = Fault(TransferCause.PERMISSION, "403 Forbidden")


def a_test(se: str = "A", cause: str = "", at: float = NOON) -> WriteTest:
    return WriteTest(se, at, at, 0.1, cause)


def due_at(now: float, *known: WriteTest) -> tuple[str, ...]:
    return due({each.se: each for each in known}, ("B", "A"), now, POLICY)


def test_what_was_never_tested_is_tested_at_once_and_the_rest_in_turn():
    assert due_at(NOON) == ("A", "B")
    assert due_at(NOON + 599, a_test("A")) == ("B",)
    assert due_at(NOON + 600, a_test("A"), a_test("B", at=NOON + 1)) == ("A",)


def test_what_failed_is_tested_again_soon():
    failed = a_test("A", "permission")
    assert due_at(NOON + 59, failed, a_test("B")) == ()
    assert due_at(NOON + 60, failed, a_test("B")) == ("A",)


def test_a_test_of_the_future_keeps_none_from_being_made():
    assert due_at(NOON, a_test("A", at=NOON + 1), a_test("B")) == ("A",)


def test_none_is_made_where_none_is_wanted():
    assert due({}, ("A",), NOON, StageOutPolicy(test_s=0.0)) == ()


def test_it_is_told_since_when_it_has_been_so():
    first = result(None, "A", FORBIDDEN, NOON, 0.1)
    again = result(first, "A", FORBIDDEN, NOON + 60, 0.2)
    assert (again.at, again.since, again.cause, again.words) == (NOON + 60, NOON, "permission", "403 Forbidden")
    well = result(again, "A", None, NOON + 120, 0.3)
    assert (well.since, well.cause, well.words, well.took_s) == (NOON + 120, "", "", 0.3)


@pytest.mark.parametrize(
    ("cause", "refused", "warned"),
    [
        ("", False, False),
        ("permission", True, False),
        ("quota", True, False),
        ("destination-down", False, True),
        ("time-out", False, True),
        ("other", False, True),
    ],
)
def test_what_does_not_pass_by_itself_is_refused_and_what_may_is_told(cause, refused, warned):
    test = a_test(cause=cause)
    assert (refuses(test, NOON + 60), warns(test, NOON + 60)) == (refused, warned)
    for now in (NOON + BELIEVED_S, NOON - BELIEVED_S):
        assert (refuses(test, now), warns(test, now)) == (False, False), "nobody tests any more"
