"""The query language: what it reads, what it refuses and at which column, and what jobs are told of it."""

import pytest

from router.model.query import (
    EVERYWHERE,
    All,
    Condition,
    Not,
    Operator,
    Place,
    Reach,
    Search,
    Some,
    apart,
    cut,
)
from router.model.query_grammar import parse, where
from router.model.query_text import key, literal

RUN = Condition("run", Operator.AT_LEAST, (148029,))
TIER = Condition("tier", Operator.EQUAL, ("AOD",))
GOOD = Condition("good", Operator.EQUAL, (True,))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/cms//: run >= 148029 and tier = 'AOD'", Search(Place("/cms"), All((RUN, TIER)))),
        ("/cms/: run >= 148029", Search(Place("/cms", Reach.IN), RUN)),
        ("/cms:run>=148029", Search(Place("/cms", Reach.DATASET), RUN)),
        ("//: run >= 148029", Search(EVERYWHERE, RUN)),
        ("/: run >= 148029", Search(Place("", Reach.IN), RUN)),
        ("/cms/a-b//", Search(Place("/cms/a-b"))),
        ('tier = "AOD"', Search(EVERYWHERE, TIER)),
        ("NOT (good = TRUE)", Search(EVERYWHERE, Not(GOOD))),
        ("not not good = true", Search(EVERYWHERE, GOOD)),
        ("run >= 148029 or tier='AOD' and good=true", Search(EVERYWHERE, Some((RUN, All((TIER, GOOD)))))),
        ("run in (1, -2.5, 1e3)", Search(EVERYWHERE, Condition("run", Operator.IN, (1, -2.5, 1000)))),
        ("inside exists", Search(EVERYWHERE, Condition("inside", Operator.EXISTS))),
        ("name like '*.root'", Search(EVERYWHERE, Condition("name", Operator.LIKE, ("*.root",)))),
        ("(" * 500 + "good = true" + ")" * 500, Search(EVERYWHERE, GOOD)),
    ],
)
def test_a_query_is_read_as_what_it_means(text, wanted):
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run == 5", "column 6: '=' cannot stand here; equality is a single ="),
        ("tier = AOD", "column 8: 'AOD' cannot stand here; texts are in quotes: 'AOD'"),
        ("a = 1 && b = 2", "column 7: '&&' cannot stand here; write `and`"),
        ("a = 1 adn b = 2", "column 7: 'adn' cannot stand here; did you mean 'and'?"),
        ("a <> 1", "column 4: '>' cannot stand here; write !="),
        ("tier = 'AOD", 'column 8: "\'" cannot stand here; a text ends with the quote it began with'),
        ("run >=", "column 7: the query ends too early"),
        ("", "column 1: the query ends too early"),
        ("(a = 1", "column 7: the query ends too early"),
        ("a = 1; drop table files", "column 6: ';' cannot stand here"),
        ("a = 5abc", "column 5: '5abc' cannot stand here"),
        ("/a/../b: x = 1", "'/a/../b' is not a logical name"),
        ("/a///: x = 1", "too many slashes"),
        ("in = 1", "'in' is not a key"),
        ("a = 99999999999999999999", "is too large"),
        ("a = 1e999", "is too large"),
        ("a = 'x\ny'", "control character"),
        ("a = " + "1" * 5000, "at most 4,096"),
        (" or ".join(["a = 1"] * 101), "compares more than 100 times"),
        ("not (a = 1 and " * 30 + "a = 1" + ")" * 30, "more than 20 levels"),
    ],
)
def test_what_is_no_query_is_told_with_its_place_and_a_hint(text, words):
    with pytest.raises(ValueError) as refused:
        parse(text)
    assert words in str(refused.value)


def test_where_is_a_query_without_a_place():
    assert where("run >= 148029") == RUN
    with pytest.raises(ValueError, match="without a place"):
        where("/cms//: run >= 148029")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("5.0", 5), ("-0.5", -0.5), ("true", True), ("'5'", "5"), ("AOD", "AOD"), ("5x", "5x"), ("", "")],
)
def test_a_value_is_a_number_a_flag_or_a_text(text, value):
    found = literal(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["", "5a", "a b", "and", "Not", "a.", ".a", "a'b", "ключ", "a" * 65])
def test_a_key_is_a_word(text):
    with pytest.raises(ValueError, match="is not a key"):
        key(text)


def test_a_query_of_files_and_events_comes_apart():
    asked = where("tier = 'AOD' and event.run >= 148029 and (event.n = 2 or not event.q in (1, 2))")
    files, events = apart(asked)
    assert files == TIER
    assert events is not None
    assert cut(events) == "(run >= 148029) & ((n == 2) | (~((q == 1) | (q == 2))))"
    assert apart(TIER) == (TIER, None)
    assert apart(where("event.run = 1"))[0] is None


def test_files_and_events_in_one_or_have_no_parts():
    with pytest.raises(ValueError, match="join the two with `and` only"):
        apart(where("tier = 'AOD' or event.run >= 148029"))


@pytest.mark.parametrize("text", ["event.a = 'x'", "event.a like '*'", "event.a exists", "event.a.b = 1"])
def test_what_arrays_of_numbers_are_not_asked_is_refused(text):
    with pytest.raises(ValueError, match=r"event\.a"):
        cut(where(text))
