"""The catalogue: every code has one cause, and what is done about a cause fits whose fault it is."""

import pytest

from router.decide.causes import ASKED, BY_TAG, EXIT_CODES, HOLD_CODES, VACATE_CODES, cause_of, tagged
from router.model.cause import Cure, Fault
from router.model.event import SITES_OWN, is_users
from router.model.job import FAILED
from router.worker.wrapper.exit_codes import CAUSES

HTCONDOR = {*range(50)} - {2, 3, *range(37, 43)}
"""condor_holdcodes.h of 25.14.1, without what no vanilla job is held with, and without the job's own policy."""


def test_every_code_of_htcondor_has_a_cause():
    assert set(HOLD_CODES) == HTCONDOR
    assert set(VACATE_CODES) == set(range(1000, 1038))


@pytest.mark.parametrize(
    ("code", "subcode", "wrapped", "tag"),
    [
        (3, 71, True, "stage-in-failed"),
        (3, 71, False, "own-policy"),
        (3, 128 + 11, True, "crashed"),
        (3, 128 + 9, True, "killed"),
        (3, 5, True, "unknown-code"),
        (13, 2, True, "no-such-input"),
        (13, 110, True, "transfer-input"),
        (13, 256, False, "transfer-input"),
        (34, 102, False, "out-of-memory"),
        (47, 0, True, "walltime-exceeded"),
        (4711, 0, True, "unknown-code"),
    ],
)
def test_a_hold_has_its_cause(code, subcode, wrapped, tag):
    assert cause_of(code, subcode, wrapped).tag == tag


def test_tags_are_unique_and_words_are_sentences_without_a_point():
    causes = {id(cause): cause for cause in (*EXIT_CODES.values(), *HOLD_CODES.values(), *BY_TAG.values())}
    assert {cause.tag for cause in causes.values()} == set(BY_TAG)
    for cause in BY_TAG.values():
        assert cause.words[0].isupper() and cause.words[-1] not in ".:"
        assert cause.advice.endswith("."), cause
        assert cause.tries > 0


def test_what_is_the_users_fault_is_retried_only_where_asking_for_more_may_help():
    cures = {cause.cure for cause in BY_TAG.values() if cause.fault is Fault.USER and cause is not ASKED}
    assert cures == {Cure.NONE, Cure.LEAVE, Cure.MEMORY, Cure.WALLTIME}


def test_a_tag_that_another_version_wrote_is_an_unknown_cause():
    assert tagged("stage-in-failed") is EXIT_CODES[71]
    assert tagged("whatever") is cause_of(4711, 0, False)


def test_the_wrapper_has_no_code_without_a_cause():
    assert all(cause_of(3, code, True).tag != "unknown-code" for code, _ in CAUSES.values() if code != 128)


def test_what_sites_are_held_to_account_for_agrees_with_the_catalogue():
    assert {code for code in range(256) if is_users(f"hold-3.{code}")} == {
        code for code in range(256) if cause_of(FAILED, code, True).fault is Fault.USER
    }
    assert is_users("hold-3")
    assert all(cause_of(code, 0, True).fault is not Fault.USER for code in SITES_OWN - {FAILED})
    assert not any(is_users(f"hold-{code}") for code in HTCONDOR)
