"""The bench compares the product's own policies, with what a grid says of neighbours."""

import pytest

from benchmarks.quality.deciders import decider, neighbours
from benchmarks.quality.grid import Grid, GridSite
from router.errors import UserError


def test_the_largest_first_tier_sites_have_the_largest_second_tier_sites_of_their_region_as_neighbours() -> None:
    near = [GridSite(f"T2_{n}", n, region="x") for n in range(1, 7)]
    grid = Grid((GridSite("T1", 1000, region="x", tier=1), GridSite("FAR", 10), *near))
    assert neighbours(grid) == (("T1", ("T2_6", "T2_5", "T2_4", "T2_3")),)


@pytest.mark.parametrize("name", ["ours[max_sites=1]", "glideroute", "panda[panda_rebroker_s=43200]"])
def test_thresholds_of_a_policy_can_be_tried_by_name(name: str) -> None:
    assert decider(name, Grid(()))


def test_only_panda_has_its_input_copied_ahead() -> None:
    assert decider("panda", Grid(())).prestages
    assert not decider("ours", Grid(())).prestages


def test_further_copies_are_made_where_the_name_says_so() -> None:
    assert decider("ours+copies", Grid(())).places
    assert not decider("ours", Grid(())).places


@pytest.mark.parametrize("name", ["nobody", "any[no_such=1]", "ours[overflow=1]", "ours+more"])
def test_an_unknown_policy_or_threshold_is_told_with_the_known_ones(name: str) -> None:
    with pytest.raises(UserError, match=r"there are|it has"):
        decider(name, Grid(()))
