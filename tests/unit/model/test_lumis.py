"""Luminosity sections as sets, and masks as strangers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.lumis import Lumis, parse, read

RANGES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(0, 4)).map(lambda r: (r[0], r[1], r[1] + r[2]))
)
SETS = RANGES.map(Lumis.of)


@given(RANGES, st.randoms(use_true_random=False))
def test_the_order_of_ranges_and_their_overlaps_do_not_matter(ranges, shuffle):
    sections = {(run, number) for run, first, last in ranges for number in range(first, last + 1)}
    found = Lumis.of(shuffle.sample(ranges, len(ranges)))
    assert found == Lumis.of(ranges) == Lumis.sections(sections)
    assert list(found) == sorted(sections)
    assert len(found) == len(sections)


@given(SETS, SETS)
def test_what_two_sets_share_and_what_one_has_alone_are_those_of_their_sections(a, b):
    assert set(a & b) == set(a) & set(b)
    assert set(a - b) == set(a) - set(b)
    assert Lumis.of((a & b).ranges) == a & b
    assert Lumis.of((a - b).ranges) == a - b


@given(SETS)
def test_a_set_is_read_as_it_was_written(lumis):
    assert read(lumis.document()) == lumis


def test_runs_are_told_as_ranges():
    assert Lumis.of([(5, 1, 2), (6, 1, 1), (9, 3, 3)]).runs == "5-6, 9"
    assert Lumis().runs == "none"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", 'is not of the form {"148029": [[1, 50], [60, 71]]}'),
        ('{"one": [[1, 2]]}', "has 'one' where the number of a run should be"),
        ('{"1": [1, 2]}', "a range that is not [first, last]"),
        ('{"1": [[2, 1]]}', "has for run 1 a range from 2 to 1"),
        ('{"1": [[0, 1]]}', "has '0' where a number from 1 to 2,147,483,647 should be"),
        ('{"1": [[1, 1e3]]}', "has '1000.0' where a number"),
        ('{"1": [[true, 3]]}', "has 'True' where a number"),
        ('{"99999999999": [[1, 1]]}', "has '99999999999' where the number of a run"),
        ('{"1": {"2": 3}}', "has for run 1 no list of ranges"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_mask_is_refused_in_words(text, words):
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert words in str(caught.value)
