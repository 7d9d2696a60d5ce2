"""Usage: what a run is, whatever tells of it; sums; and what sites gave of what they promised."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.usage import (
    BADLY,
    EPOCH,
    HISTORY,
    OUTCOMES,
    WELL,
    Cell,
    Pledge,
    Run,
    Usage,
    booked,
    changes,
    contributions,
    merged,
    summed,
)
from router.testing.build import a_run

RECORDS = st.builds(
    a_run,
    ended=st.integers(1_700_000_000, 1_700_000_003),
    outcome=st.sampled_from(OUTCOMES),
    cpu_ms=st.integers(0, 2),
    teller=st.sampled_from((HISTORY, EPOCH)),
    job=st.integers(0, 2),
    exit_code=st.integers(-1, 1),
)


def all_merged(records: tuple[Run, ...]) -> Run:
    found = records[0]
    for each in records:
        found = merged(found, each)
    return found


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_records_of_one_run_come_to_the_same_in_any_order_and_however_often(records):
    assert len({all_merged(each) for each in permutations(records)}) == 1
    whole = all_merged(tuple(records))
    assert all_merged((*records, *records, whole)) == whole


def test_the_epoch_history_is_believed_over_the_history_and_both_tell_the_end_of_the_job():
    told = a_run(teller=HISTORY, ended=int(a_run().ended) + 500, job=WELL, outcome="failed")
    assert merged(told, a_run()) == replace(a_run(), job=WELL)


def test_a_run_that_htcondor_tells_twice_as_it_is_held_is_one_that_was_held():
    assert merged(a_run(outcome="failed", exit_code=71), a_run(outcome="held", exit_code=71)).outcome == "held"


@pytest.mark.parametrize(
    ("run", "usage"),
    [
        (a_run(job=WELL), Usage(1, 3600, 1_800_000, 0, 1, 0)),
        (a_run(cores=4, job=BADLY, outcome="failed"), Usage(1, 14_400, 1_800_000, 14_400, 0, 1)),
        (a_run(outcome="evicted"), Usage(1, 3600, 1_800_000, 3600, 0, 0)),
        (a_run(ended=0), Usage(1, 0, 1_800_000, 0, 0, 0)),
    ],
)
def test_a_run_is_booked_by_cores_and_counts_as_wasted_unless_it_ended_well(run, usage):
    assert booked(run).usage == usage


def test_a_run_belongs_to_the_day_on_which_it_ended():
    midnight = 19_676 * 86_400
    assert booked(a_run(ended=midnight - 1)).day == 19_675
    assert booked(a_run(ended=midnight)).day == 19_676


def test_what_is_known_better_moves_the_sums_by_the_difference():
    assert changes([(a_run(), a_run(job=WELL))]) == [Cell("alice", "", "SITE_A", 19_675, Usage(jobs_well=1))]
    assert changes([(a_run(), a_run())]) == []
    moved = changes([(a_run(site=""), a_run())])
    assert [(cell.site, cell.usage.runs) for cell in moved] == [("", -1), ("SITE_A", 1)]


def a_cell(site: str = "SITE_A", user: str = "alice", day: int = 1, hours: int = 1) -> Cell:
    return Cell(user, "higgs", site, day, Usage(1, hours * 3600, hours * 1_800_000, 0, 1, 0))


def test_sums_are_by_what_is_asked_for():
    cells = [a_cell(), a_cell(day=2), a_cell(user="bob"), a_cell("SITE_B", hours=5)]
    assert {key: usage.wall_s // 3600 for key, usage in summed(cells, ("site",)).items()} == {
        ("SITE_A",): 3,
        ("SITE_B",): 5,
    }
    assert list(summed(cells, ("user", "day"))) == [("alice", 1), ("alice", 2), ("bob", 1)]
    assert summed(cells, ("group",))["higgs",].efficiency == pytest.approx(0.5)
    assert summed([], ("user",)) == {}
    assert Usage().efficiency == 0.0


def test_sites_are_compared_by_what_they_promised():
    cells = [a_cell(hours=18), a_cell("SITE_B", hours=6), a_cell("GUEST", hours=6)]
    pledges = {"SITE_A": Pledge(1.0, 12.0), "SITE_B": Pledge(1.0), "LATE": Pledge(2.0)}
    found = {each.site: each for each in contributions(cells, pledges, 24.0)}
    assert {name: each.fulfilment for name, each in found.items()} == {
        "SITE_A": 0.75,
        "SITE_B": 0.25,
        "LATE": 0.0,
        "GUEST": None,
    }
    assert (found["SITE_A"].part, found["SITE_A"].pledged_part, found["SITE_A"].hs23_hours) == (0.6, 0.25, 216.0)
    assert contributions([], {}, 24.0) == ()
