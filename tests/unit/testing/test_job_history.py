"""The checker of event logs finds what it is there to find."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from router.model.event import EventKind, JobEvent
from router.testing.build import a_group
from router.testing.clock import NOON

sys.path.insert(0, str(Path(__file__).parents[2] / "faults"))

from job_history import violations

LIKE = a_group(7, count=1, sites=("SITE_A",))
SUBMITTED, STARTED, EVICTED, HELD, RELEASED, FINISHED = (
    JobEvent(kind, NOON, 0, LIKE, site="SITE_A")
    for kind in (
        EventKind.SUBMITTED,
        EventKind.STARTED,
        EventKind.EVICTED,
        EventKind.HELD,
        EventKind.RELEASED,
        EventKind.FINISHED,
    )
)


@pytest.mark.parametrize(
    "events",
    [
        (SUBMITTED, STARTED, FINISHED),
        (STARTED, EVICTED, STARTED, HELD, RELEASED, STARTED, FINISHED),
        (STARTED, replace(STARTED, proc=1)),
        (STARTED, FINISHED, FINISHED),
    ],
)
def test_a_job_that_runs_again_for_a_reason_is_well(events):
    assert violations(events) == []


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((STARTED, STARTED), "7.0 started at SITE_A while it ran"),
        ((STARTED, FINISHED, EVICTED), "7.0 evicted after it was finished"),
        ((STARTED, FINISHED, STARTED, FINISHED), "7.0 started after it was finished"),
        ((replace(STARTED, site="SITE_B"),), "7.0 started at SITE_B, and was at ('SITE_A',)"),
    ],
)
def test_a_job_that_runs_twice_or_where_it_may_not_is_told(events, told):
    assert violations(events) == [told]
