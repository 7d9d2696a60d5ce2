"""The bench of the catalogue: every query is asked, and finds what it is made to find."""

import json

import pytest

from benchmarks import __main__ as program
from benchmarks import catalogue
from router.model.query_grammar import parse
from router.store.store import Store


def test_the_figures_are_one_json_object(capsys):
    assert program.main(["catalogue", "--files", "2000", "--rounds", "1", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == 2000
    assert {"query_ms", "register_100k_s"} <= set(found)
    assert set(found["queries_ms"]) == set(catalogue.QUERIES)
    assert found["query_ms"] == max(found["queries_ms"].values())


@pytest.fixture(scope="module")
def store():
    made = Store("sqlite://")
    catalogue._fill(made, 5_000)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "count"),
    [("one_run", 100), ("runs_of_a_tier", 1000), ("inherited", 100), ("some_of_several", 300), ("in_a_dataset", 40)],
)
def test_each_query_finds_its_files(store, name, count):
    assert len(store.find(parse(catalogue.QUERIES[name] or ""))) == count
