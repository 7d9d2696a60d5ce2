"""When a data service is asked again, and which of its answers are doubted."""

from dataclasses import replace

import pytest

from router.decide.mirror import doubt, is_due
from router.model.data_service import Answered, ServiceAnswer, ServiceSettings
from router.testing.build import a_file
from router.testing.clock import NOON

SERVICE = ServiceSettings("books", "gamma", "/gamma")
KNOWN = Answered("/gamma/d", "books", NOON, NOON, "", files=10, copies=20, bytes=1000)


def an_answer(*sites: str, files: int = 1) -> ServiceAnswer:
    told = tuple(a_file(f"/gamma/{number}", *sites) for number in range(files))
    return ServiceAnswer("books", "/gamma/d", told)


@pytest.mark.parametrize(
    ("answer", "why"), [(an_answer(files=0), "empty"), (an_answer(), "no site has"), (an_answer("SITE_A"), "")]
)
def test_an_answer_that_takes_all_away_is_doubted_and_one_that_takes_some_is_not(answer, why):
    assert why in doubt(KNOWN, answer, NOON + 700)
    assert bool(why) == bool(doubt(KNOWN, answer, NOON + 700))


def test_what_a_service_says_for_a_day_is_believed():
    assert doubt(KNOWN, an_answer(files=0), NOON + 86_400) == ""


def test_a_first_answer_is_believed():
    assert doubt(None, an_answer(files=0), NOON) == ""
    assert doubt(replace(KNOWN, answered=0.0), an_answer(files=0), NOON) == ""


@pytest.mark.parametrize(
    ("known", "after", "due"),
    [
        (None, 0, True), (KNOWN, 599, False), (KNOWN, 600, True), (KNOWN, -1, True),
        (replace(KNOWN, words="down"), 59, False), (replace(KNOWN, words="down"), 60, True),
    ],
)  # fmt: skip
def test_a_service_is_asked_again_when_its_answer_is_old_or_it_gave_none_a_minute_ago(known, after, due):
    assert is_due(known, SERVICE, NOON + after) is due
