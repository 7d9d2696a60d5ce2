"""Documents: plain data only, bounded, every trick refused in words and at once."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import UserError
from router.model import document


def refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        document.read(text, "x.yaml")
    message = str(caught.value)
    assert message.startswith("x.yaml")
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!python/object/apply:os.system [touch CANARY]\n", "line 1: the tag"),
        ("a: 1\nb: !!int '3'\n", "line 2: the tag"),
        ("a: !custom x\n", "the tag '!custom' is not allowed"),
        ("a: &x 1\nb: *x\n", "line 1: anchors and aliases are not allowed"),
        ("a: *x\n", "anchors and aliases are not allowed"),
        ("a: &x [b]\n<<: *x\n", "anchors and aliases are not allowed"),
        ("a: " + "[" * 30 + "]" * 30, "nested deeper than 20 levels"),
        ("a: " + "{b: " * 30 + "}" * 30, "nested deeper than 20 levels"),
        ("\tname: a\n", "is not valid YAML: line 1"),
        ("name: a\n\tb: c\n", "is not valid YAML: line 2"),
        ("a: [\n", "is not valid YAML"),
        ("a: 'x\n", "is not valid YAML"),
        ("a: \x00\n", "is not valid YAML"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("- a\n- b\n", "must be a mapping of keys to values"),
        ("just text", "must be a mapping of keys to values"),
        ("", "must be a mapping of keys to values"),
        ("# nothing\n", "must be a mapping of keys to values"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_in_words(text, words):
    assert words in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * 1_000_001,
        "a: " + "[" * 10_000,
        "a: [" + "{b: " * 10_000,
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",
        "? " * 10_000 + "a",
        "- " * 10_000 + "a",
    ],
)
def test_a_document_that_would_swell_or_overflow_is_refused_at_once(text):
    started = time.monotonic()
    refusal(text)
    assert time.monotonic() - started < 1


def test_a_byte_order_mark_is_no_fault():
    top = document.read("\ufeffname: a\n", "x.yaml")
    assert top.text("name") == "a"


def test_a_key_given_twice_is_told_with_its_second_line():
    top = document.read("name: a\nb: 1\nname: c\n", "x.yaml")
    assert top.text("name") == "a"
    top.integer("b", 0)
    with pytest.raises(UserError, match=r"1 fault\(s\):\n  line 3: name: is given twice"):
        top.finish()


def test_an_unknown_key_deep_inside_is_told_with_its_path_and_line():
    top = document.read("sites:\n  A:\n    storage: {prefxi: x}\n", "x.yaml")
    ((name, site),) = top.named("sites", str)
    section = site.section("storage")
    section.text("prefix", "")
    assert name == "A"
    with pytest.raises(UserError, match=r"line 3: sites.A.storage.prefxi: is not a known key; did you mean 'prefix'"):
        top.finish()


def test_a_flag_is_true_or_false_and_nothing_else():
    top = document.read("a: true\nb: yes\n", "x.yaml")
    assert (top.flag("a", False), top.flag("b", False), top.flag("c", True)) == (True, False, True)
    with pytest.raises(UserError, match="line 2: b: must be one of true, false, not 'yes'"):
        top.finish()


def test_an_ill_named_pair_is_one_fault():
    top = document.read("e: {A: 1, b c: 2}\n", "x.yaml")

    def check(name: str) -> str:
        if " " in name:
            raise ValueError("has a blank")
        return name

    assert top.pairs("e", check, str) == (("A", "1"),)
    with pytest.raises(UserError, match=r"1 fault\(s\):\n  line 1: e: has a blank"):
        top.finish()


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text):
    try:
        document.read(text, "x.yaml")
    except UserError as error:
        assert str(error)
