"""What became of decisions that nobody wrote the end of."""

import pytest

from router.decide.settle import settle
from router.model.job import SUBMITTED_HELD, JobState
from router.model.record import OpenDecision
from router.testing.build import a_decision, a_failed_group, a_group, a_remedy

MOVE = OpenDecision(7, 1, "move", 2, ("SITE_B",))
RELEASE = OpenDecision(8, 1, "release", 0, ())
MADE = a_decision("SITE_B", epoch=2)
OTHER = a_decision("SITE_C", epoch=2)


@pytest.mark.parametrize(
    ("groups", "outcome"),
    [
        ([], "superseded"),
        ([a_group(sites=("SITE_B",), decision=MADE)], "applied"),
        ([a_group(sites=("SITE_B",), decision=MADE), a_group(sites=("SITE_A",))], "applied"),
        ([a_group(sites=("SITE_A",), decision=MADE)], "superseded"),
        ([a_group(sites=("SITE_A",))], "superseded"),
        ([a_group(sites=("SITE_C",), decision=OTHER)], "superseded"),
        ([a_group(sites=("SITE_B",), decision=OTHER)], "superseded"),
        ([a_group(2, sites=("SITE_B",), decision=MADE)], "superseded"),
    ],
    ids=[
        "no job is left", "committed", "committed for some", "explained only", "never got there",
        "another one of its epoch is in force", "another one of its epoch is explained", "another cluster has it",
    ],
)  # fmt: skip
def test_only_a_decision_that_jobs_carry_with_its_sites_was_applied(groups, outcome):
    assert list(settle([MOVE], groups)) == [(7, outcome)]


@pytest.mark.parametrize(
    ("group", "outcome"),
    [
        (a_group(decision=a_decision(epoch=2)), "applied"),
        (a_group(sites=("SITE_B",), decision=a_decision("SITE_B", epoch=3)), "applied"),
        (a_group(state=JobState.RUNNING, site="SITE_A", decision=a_decision(epoch=2)), "superseded"),
        (a_group(sites=("SITE_A",), decision=a_decision("SITE_A")), "superseded"),
    ],
    ids=["waits", "is placed again", "runs on", "carries another"],
)
def test_a_run_was_stopped_where_its_job_carries_the_decision_and_does_not_run(group, outcome):
    assert list(settle([OpenDecision(9, 1, "vacate", 2, ())], [group])) == [(9, outcome)]


def test_a_release_stays_open_until_the_job_is_not_held_as_it_was_submitted():
    held = a_group(state=JobState.HELD, hold_code=SUBMITTED_HELD)
    assert list(settle([RELEASE], [held])) == []
    assert list(settle([RELEASE], [a_group()])) == [(8, "applied")]
    assert list(settle([RELEASE], [a_group(state=JobState.HELD, hold_code=3)])) == [(8, "applied")]


@pytest.mark.parametrize(
    ("kind", "groups", "outcome"),
    [
        ("retry", [a_failed_group(remedy=a_remedy())], "applied"),
        ("give-up", [a_failed_group()], "superseded"),
        ("mend", [a_failed_group(remedy=a_remedy())], "superseded"),
        ("mend", [a_group(holds=1, remedy=a_remedy())], "applied"),
        ("mend", [a_failed_group(holds=2, remedy=a_remedy())], "applied"),
        ("mend", [a_failed_group(), a_group(holds=1, remedy=a_remedy())], "applied"),
        ("mend", [a_failed_group(remedy=a_remedy(hold=2), holds=2)], "superseded"),
        ("mend", [], "superseded"),
    ],
)
def test_what_was_done_about_failed_jobs_is_seen_in_what_they_carry(kind, groups, outcome):
    assert list(settle([OpenDecision(9, 1, kind, 1, ())], groups)) == [(9, outcome)]
