"""An analysis as its document: whatever is said comes back as it was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import UserError
from router.model import names, payload, spec


def is_plain(text: str) -> bool:
    try:
        names.plain(text)
    except ValueError:
        return False
    return True


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40).filter(is_plain)
TRICKY = st.sampled_from(
    ["", " ", "null", "~", "60", "1e3", "yes", "- a", "a: b", "#", "!!x", "&a", "*a", "'", '"', "{", "%"]
)
WORD = TEXT | TRICKY


@given(st.lists(WORD, max_size=6), st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), WORD, max_size=4))
def test_texts_come_back_as_they_were_given(arguments, environment):
    made = spec.named("zmumu").but(executable="a.py", arguments=arguments, environment=environment)
    assert spec.parse(made.text, "my.yaml") == made
    found = made.payload()
    assert found.arguments == tuple(arguments)
    assert dict(found.environment) == environment


@given(
    st.sampled_from([None, {"dataset": "/demo/zmumu"}, {"dataset": "/demo/z", "where": "run >= 5 and tier = 'AOD'"}]),
    st.sampled_from([None, {"by": "events", "target": 500}, {"by": "size", "target": "2 GB", "total": 0.5}]),
    st.lists(st.sampled_from(["a.root", "b.csv"]), unique=True),
    st.booleans(),
)
def test_a_document_and_the_value_read_from_it_ask_for_the_same(source, split, outputs, move):
    promised = [{"name": name, "merge": "auto"} for name in outputs]
    made = spec.named("zmumu").but(
        executable="a.py", input=source, split=split if source else None, outputs=promised, move=move
    )
    again = spec.parse(made.text, "my.yaml")
    assert (again, again.payload()) == (made, payload.parse(made.text))


def test_how_a_document_is_written_makes_no_difference():
    flow = "name: a\nexecutable: run.sh\nsplit: {by: events, target: 60}   # sixty\ninput: {dataset: /demo/z}\n"
    block = "name: 'a'\nexecutable: \"run.sh\"\nsplit:\n  by: events\n  target: '60'\ninput:\n  dataset: /demo/z\n"
    assert spec.parse(flow, "a") == spec.parse(block, "b")


def test_a_fault_is_told_at_the_step_that_makes_it():
    with pytest.raises(UserError, match=r"split.by: must be one of .*not 'evnts'; did you mean 'events'"):
        spec.named("zmumu").but(split={"by": "evnts"})
    with pytest.raises(UserError, match="argments: is not a known key; did you mean 'arguments'"):
        spec.named("zmumu").but(argments=["--x"])
    with pytest.raises(UserError, match=r"arguments\[0\]|control character"):
        spec.named("zmumu").but(arguments=["a\nb"])


def test_an_analysis_without_a_program_says_what_it_lacks():
    with pytest.raises(UserError, match="executable: is missing"):
        spec.named("zmumu").payload()


def test_none_takes_a_key_out():
    assert spec.named("zmumu").but(priority=5).but(priority=None) == spec.named("zmumu")
