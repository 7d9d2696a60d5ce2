"""How values look: as JSON for programs, in short for people."""

from enum import StrEnum
from pathlib import Path

import pytest

from router.cli.show import plain, when
from router.model.query import Place, Reach, Search
from router.render.quantities import size
from router.testing.build import a_decision, a_payload, a_site

DATASET = {"place": {"name": "/demo/zmumu", "reach": "dataset"}, "where": None}


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ((1, "a"), [1, "a"]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({1: (2,)}, {"1": [2]}),
        (Path("/x"), "/x"),
        (Colour.RED, "red"),
        (a_payload(search=Search(Place("/demo/zmumu", Reach.DATASET))).search, DATASET),
    ],
)
def test_values_become_what_json_has(value, shown):
    assert plain(value) == shown


def test_a_dataclass_is_a_mapping_of_its_fields():
    assert plain(a_decision("SITE_A"))["sites"] == ["SITE_A"]
    assert plain(a_site())["limits"]["cpus"] == 8


def test_what_has_no_json_form_is_our_mistake():
    with pytest.raises(TypeError, match="a object has no JSON form"):
        plain(object())


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2 * 10**15, "2000.0 TB")]
)
def test_sizes_are_told_in_the_unit_people_use(count, words):
    assert size(count) == words


def test_a_time_that_never_was_is_told_as_nothing():
    assert when(0) == ""
    assert when(1_700_000_000).startswith("2023-11-1")
