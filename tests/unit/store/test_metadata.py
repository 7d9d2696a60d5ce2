"""Metadata: what is said of files, whence they inherit, who may say it, and that a query finds what it means."""

import fnmatch
import re
from collections.abc import Mapping

import pytest
from emptied import empty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import examples
from router.errors import NotFound, PermissionRefused, UserError
from router.model.query import All, Condition, Not, Operator, Place, Query, Reach, Search, Some, Value
from router.model.query_grammar import parse
from router.model.rights import Members
from router.store.search import hits
from router.store.store import Store
from router.testing.build import a_file

FILES = ("/a/x/f1", "/a/x/f2", "/a/y/f3", "/a/f4", "/a-b/f5", "/A/f6")
DATASETS = {"/a/x": ("/a/f4", "/a/x/f1"), "/set": ("/a-b/f5", "/a/f4")}
SCOPES = ("/a", "/a/x", "/a-b", "/set", "")


@pytest.fixture
def catalogue(store: Store) -> Store:
    """Six files of alice in directories that look alike, and two datasets."""
    fill(store)
    return store


def fill(store: Store) -> None:
    store.register([a_file(lfn, "SITE_A", events=number) for number, lfn in enumerate(FILES)], "alice", 1.0)
    for name, held in DATASETS.items():
        store.add_dataset(name, held, "alice", 1.0)


def found(store: Store, query: str) -> list[str]:
    return store.find(parse(query))


def test_files_are_found_by_what_is_said_of_them(catalogue):
    catalogue.describe({"/a/x/f1": {"run": 5, "tier": "AOD"}, "/a/y/f3": {"run": 7, "good": True}}, "alice")
    assert found(catalogue, "run >= 5") == ["/a/x/f1", "/a/y/f3"]
    assert found(catalogue, "run > 5 or tier = 'AOD'") == ["/a/x/f1", "/a/y/f3"]
    assert found(catalogue, "good = true and run != 5") == ["/a/y/f3"]
    assert found(catalogue, "/a/x//: run exists") == ["/a/x/f1"]
    assert found(catalogue, "/a//: not run exists") == ["/a/f4", "/a/x/f2"]
    assert catalogue.find(parse("run >= 5"), 1) == ["/a/x/f1"]


def test_a_place_is_a_dataset_a_directory_or_all_below_it(catalogue):
    assert found(catalogue, "/a/x") == ["/a/f4", "/a/x/f1"]
    assert found(catalogue, "/a/") == ["/a/f4"]
    assert found(catalogue, "/a//") == ["/a/f4", "/a/x/f1", "/a/x/f2", "/a/y/f3"]
    assert len(found(catalogue, "//")) == 6
    with pytest.raises(NotFound, match="/a// would be what lies below"):
        found(catalogue, "/a")


def test_the_nearest_word_holds(catalogue):
    said = {"/a": {"tier": "RAW"}, "/a/x": {"tier": "AOD"}, "/a/x/f2": {"tier": "MINI"}}
    catalogue.describe(said, "alice")
    assert found(catalogue, "tier = 'AOD'") == ["/a/f4", "/a/x/f1"]  # /a/x is a dataset, too
    assert found(catalogue, "tier = 'RAW'") == ["/a/y/f3"]
    assert found(catalogue, "tier != 'RAW'") == ["/a/f4", "/a/x/f1", "/a/x/f2"]
    assert catalogue.described("/a/x/f2") == {"tier": ("MINI", "/a/x/f2")}
    assert catalogue.described("/a/f4") == {"tier": ("AOD", "/a/x")}
    assert catalogue.described("/a/y/f3") == {"tier": ("RAW", "/a")}


def test_what_is_taken_back_is_inherited_again(catalogue):
    catalogue.describe({"/a": {"tier": "RAW"}, "/a/x/f2": {"tier": "MINI", "n": 1}}, "alice")
    assert catalogue.forget("/a/x/f2", ["tier", "n"], "alice") == 2
    assert catalogue.described("/a/x/f2") == {"tier": ("RAW", "/a")}
    catalogue.describe({"/a/x/f2": {"n": "now a text"}}, "alice")
    with pytest.raises(UserError, match="The key tier holds a text, and 1"):
        catalogue.describe({"/a/x/f2": {"tier": 1}}, "alice")


def test_values_come_back_as_they_were(catalogue):
    values = {"i": 2**53, "f": -0.5, "t": 'it\'s 5 % of \\ "all"', "yes": True, "no": False, "empty": ""}
    catalogue.describe({"/a/f4": values}, "alice")
    told = {key: value for key, (value, _) in catalogue.described("/a/f4").items()}
    assert told == values
    assert [type(told[key]) for key in values] == [type(value) for value in values.values()]


def test_a_key_holds_one_kind_of_value_and_nothing_is_kept_of_a_faulty_call(catalogue):
    catalogue.describe({"/a/f4": {"run": 5}}, "alice")
    with pytest.raises(UserError, match="The key run holds a number"):
        catalogue.describe({"/a/x/f1": {"good": True}, "/a/x/f2": {"run": "5"}}, "alice")
    assert catalogue.kinds() == {"run": "number"}
    for query in ("run = '5'", "run in (5, true)", "run like '5'", "events = 'many'"):
        with pytest.raises(UserError, match="holds a number"):
            found(catalogue, query)


def test_an_unknown_key_is_told_with_the_one_it_resembles(catalogue):
    catalogue.describe({"/a/f4": {"run": 5}}, "alice")
    with pytest.raises(UserError, match="No file has a key rum; did you mean 'run'"):
        found(catalogue, "rum = 5")
    with pytest.raises(UserError, match="quantity of single events"):
        found(catalogue, "event.run = 5")


@pytest.mark.parametrize("key", ["size", "name", "event.run", "a b", "and", "x'; --"])
def test_a_key_that_cannot_be_set_is_refused(catalogue, key):
    with pytest.raises(UserError, match="key"):
        catalogue.describe({"/a/f4": {key: 1}}, "alice")


def test_only_who_may_write_says_what_holds(catalogue):
    catalogue.register([a_file("/bobs/f", "SITE_A")], "bob", 1.0)
    for name in ("/a/x/f1", "/set", "/a/x", "/a", "", "/a/y"):
        with pytest.raises(PermissionRefused, match="not yours"):
            catalogue.describe({name: {"run": 1}}, "bob")
    for name in ("/bobs/f", "/bobs", ""):
        with pytest.raises(PermissionRefused, match="not yours to describe: its rights are rw"):
            catalogue.describe({name: {"run": 1}}, "alice")
    with pytest.raises(NotFound, match="no file, dataset or directory /nowhere"):
        catalogue.describe({"/nowhere": {"run": 1}}, "alice")
    catalogue.describe({"/a/y": {"run": 1}}, "alice")
    with pytest.raises(PermissionRefused, match="not yours"):
        catalogue.forget("/a/y", ["run"], "bob")


def test_nobody_says_anything_of_anothers_files_by_a_dataset_of_them(catalogue):
    catalogue.add_dataset("/mallorys", ["/a/f4"], "mallory", 1.0)
    with pytest.raises(PermissionRefused, match="files in it that are not yours"):
        catalogue.describe({"/mallorys": {"good": True}}, "mallory")
    catalogue.add_dataset("/empty", [], "mallory", 1.0)
    catalogue.describe({"/empty": {"good": True}}, "mallory")
    with pytest.raises(PermissionRefused, match="files in it that are not yours"):
        catalogue.add_dataset("/empty", ["/a/f4"], "mallory", 1.0)
    assert catalogue.described("/a/f4") == {}


@pytest.mark.parametrize("text", ["x' or '1'='1", "%", "_", "*", "x'; drop table files; --", "\\", "a%b_c"])
def test_signs_that_sql_reads_are_texts(catalogue, text):
    catalogue.describe({"/a/f4": {"note": text}, "/a/x/f1": {"note": "plain"}}, "alice")
    equal = Search(where=Condition("note", Operator.EQUAL, (text,)))
    like = Search(where=Condition("note", Operator.LIKE, (text.replace("*", "?"),)))
    assert catalogue.find(equal) == ["/a/f4"]
    assert catalogue.find(like) == ["/a/f4"]
    assert len(catalogue.listing("/")) == 6


NUMBERS, TEXTS = st.sampled_from([-1, 0, 0.5, 1, 2]), st.sampled_from(["", "a", "A", "ab", "a%", "%", "a\\"])
ORDERED = st.sampled_from([o for o in Operator if o not in (Operator.IN, Operator.LIKE, Operator.EXISTS)])
SAID = st.fixed_dictionaries({}, optional={"n": NUMBERS, "t": TEXTS, "b": st.booleans()})
CATALOGUES = st.dictionaries(st.sampled_from([*FILES, *SCOPES]), SAID, max_size=8)
PATTERNS = st.text("aA?*%\\", max_size=3)


def of(key: str, values: st.SearchStrategy[Value]) -> st.SearchStrategy[Condition]:
    """Conditions on one key."""
    return st.one_of(
        st.builds(lambda sign, value: Condition(key, sign, (value,)), ORDERED, values),
        st.builds(lambda some: Condition(key, Operator.IN, tuple(some)), st.lists(values, min_size=1, max_size=3)),
        st.just(Condition(key, Operator.EXISTS)),
    )


CONDITIONS = st.one_of(
    of("n", NUMBERS),
    of("t", TEXTS),
    of("b", st.booleans()),
    of("events", NUMBERS),
    st.builds(lambda pattern: Condition("t", Operator.LIKE, (pattern,)), PATTERNS),
)
QUERIES = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Some(tuple(parts))),
    ),
    max_leaves=5,
)
PLACES = st.sampled_from(
    [Place(""), Place("", Reach.IN), Place("/a"), Place("/a", Reach.IN), Place("/a/x"), Place("/set", Reach.DATASET)]
)


def holds(said: Mapping[str, Mapping[str, Value]], lfn: str, key: str) -> Value | None:
    """What a file's value is: its own, then its datasets', then its directories'."""
    if key == "events":
        return FILES.index(lfn)
    parts = lfn.split("/")[:-1]
    above = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
    of_it = sorted(name for name, held in DATASETS.items() if lfn in held)
    return next((said[each][key] for each in (lfn, *of_it, *above) if key in said.get(each, {})), None)


def accepted(query: Query, said: Mapping[str, Mapping[str, Value]], lfn: str) -> bool:
    """Whether a query accepts a file, in Python."""
    if isinstance(query, Not):
        return not accepted(query.part, said, lfn)
    if not isinstance(query, Condition):
        parts = [accepted(part, said, lfn) for part in query.parts]
        return all(parts) if isinstance(query, All) else any(parts)
    value = holds(said, lfn, query.key)
    return value is not None and compared(query, value)


def compared(query: Condition, value: Value) -> bool:
    if query.operator is Operator.EXISTS:
        return True
    if query.operator is Operator.IN:
        return value in query.values
    if query.operator is Operator.LIKE:
        pattern = fnmatch.translate(str(query.values[0]).replace("[", "[[]"))
        return re.fullmatch(pattern, str(value)) is not None
    wanted = query.values[0]
    return {
        Operator.EQUAL: value == wanted,
        Operator.DIFFERENT: value != wanted,
        Operator.LESS: value < wanted,
        Operator.AT_MOST: value <= wanted,
        Operator.MORE: value > wanted,
        Operator.AT_LEAST: value >= wanted,
    }[query.operator]


def inside(place: Place, lfn: str) -> bool:
    if place.reach is Reach.DATASET:
        return lfn in DATASETS[place.name]
    below = lfn.startswith(place.name + "/")
    return below and (place.reach is Reach.BELOW or "/" not in lfn[len(place.name) + 1 :])


@pytest.mark.parametrize(
    "steps", [(), (1, 20_000), (20_000,)], ids=["walking through the place", "by few candidates", "by candidates"]
)
@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=CATALOGUES, query=QUERIES, place=PLACES)
def test_a_query_finds_what_it_means(store, monkeypatch, steps, said, query, place):
    monkeypatch.setattr("router.store.search.STEPS", steps)
    empty(store)
    monkeypatch.setattr(store, "members", Members(frozenset({"alice"})))
    fill(store)
    told = {**said, FILES[0]: {"n": 0, "t": "", "b": False, **said.get(FILES[0], {})}}  # each key is known
    store.describe(told, "alice")
    wanted = sorted(lfn for lfn in FILES if inside(place, lfn) and accepted(query, told, lfn))
    assert store.find(Search(place, query)) == wanted


def test_a_range_is_rare_where_each_of_its_ends_is_not(store, monkeypatch):
    monkeypatch.setattr("router.store.search.STEPS", (2,))
    fill(store)
    store.describe({lfn: {"n": number} for number, lfn in enumerate(FILES)}, "alice")
    search = Search(Place(""), All((Condition("n", Operator.AT_LEAST, (2,)), Condition("n", Operator.LESS, (4,)))))
    with store.database.read() as connection:
        asked = str(hits(connection, search).compile(connection))
    assert "LIMIT" in asked, "no candidates were found to be few"
    assert store.find(search) == sorted(FILES[2:4])


def test_a_fraction_among_whole_numbers_stays_a_fraction(catalogue):
    catalogue.describe({FILES[0]: {"n": 0}, FILES[1]: {"n": 0.5}}, "alice")
    assert found(catalogue, "n in (-1, 0.5)") == [FILES[1]]
