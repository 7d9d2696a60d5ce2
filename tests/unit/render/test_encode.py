"""The one encoder: what goes in comes out of HTCondor's own parser, or is refused; and nothing is ever executed."""

from pathlib import Path

import classad2
import htcondor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.errors import UserError
from router.render.encode import classad_string, file_list, quoted, submit_value

TRICKS = [
    "1\nqueue 1000",
    "x\r\nqueue 2",
    "x\ninclude : touch CANARY |",
    "x\ninclude command : touch CANARY |",
    "x\ninclude :/etc/passwd",
    "x\nuse template : Glideroute",
    "x\nY @=end\ntouch CANARY\n@end",
    "x\nif true\nexecutable = /bin/false\nendif",
    "x\nqueue y from touch CANARY |",
    "x\nqueue y from /etc/shadow",
    "x\nexecutable = /bin/false",
    "x\u2028queue 2",
    "x\x00",
    "x\x0bqueue 2",
    "x\x0cqueue 2",
    "x\\",
]
LITERALS = [
    "$ENV(SEEDED_SECRET)",
    "$(DOLLAR)",
    "$(dollar)ENV(SEEDED_SECRET)",
    "$(DOLLAR)(DOLLAR)ENV(SEEDED_SECRET)",
    "$RANDOM_CHOICE(a,b)",
    "$RANDOM_INTEGER(1,9)",
    "$F(executable)",
    "$Fqpnx(executable)",
    "$INT(X)",
    "$(X)",
    "$(X:y)",
    "$$(X)",
    "$$([ 1 + 1 ])",
    "$",
    "$$",
    "${HOME}",
    "{{7*7}}",
    "{% include '/etc/passwd' %}",
    "{{ job.task }}",
    "include : touch CANARY |",
    "@=end",
    "queue 1000",
    "# no comment",
    "+Owner = root",
    'x" || true || "',
    'it\'s "quoted"',
    "",
    "ärger ≥ 3 µm",
]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a value that is executed would leave a file CANARY; and a secret that a value could ask for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEEDED_SECRET", "canary")
    yield
    assert list(tmp_path.iterdir()) == []


def parsed(command: str, value: str) -> htcondor2.Submit:
    """A description with one encoded value among others, as HTCondor reads it."""
    description = htcondor2.Submit(f"executable = /bin/true\n{command} = {value}\nlast = untouched\n")
    assert sorted(description.keys(), key=str.lower) == sorted(["executable", command, "last"], key=str.lower)
    assert description.getQArgs() in ("", None)
    assert (description.expand("executable"), description.expand("last")) == ("/bin/true", "untouched")
    return description


@pytest.mark.parametrize("encode", [submit_value, classad_string, lambda value: file_list([value])])
@pytest.mark.parametrize("value", TRICKS)
def test_a_value_that_would_begin_another_line_is_refused_in_words(encode, value):
    with pytest.raises(UserError, match="A value of the job description"):
        encode(value)


@pytest.mark.parametrize("value", LITERALS)
def test_what_a_user_writes_is_taken_literally_or_refused(value):
    try:
        encoded = classad_string(value)
    except UserError:
        assert "$" in value or "\\" in value
        return
    text = parsed("My.Told", encoded).expand("My.Told")
    assert classad2.parseOne(f"Told = {text}\n")["Told"] == value
    assert "canary" not in text


@pytest.mark.parametrize("value", [value for value in LITERALS if value])
def test_a_submit_value_is_taken_literally_or_refused(value):
    try:
        encoded = submit_value(value)
    except UserError:
        assert "$" in value
        return
    assert parsed("batch_name", encoded).expand("batch_name") == value


texts = st.text(
    st.sampled_from("$()[]{}\"'\\ abAB:,;#|@=+%<>&*?!ENVDOLLAR/.-_0é≥") | st.characters(codec="utf-8"), max_size=30
)


@given(texts)
@example('"')
@example("a\\")
@example("$(DOLLAR)")
def test_a_string_comes_back_from_htcondors_parser_as_it_went_in(value):
    try:
        encoded = classad_string(value)
    except UserError:
        return
    text = parsed("My.Told", encoded).expand("My.Told")
    assert classad2.parseOne(f"Told = {text}\n")["Told"] == value


@given(texts)
def test_a_submit_value_comes_back_but_for_the_blanks_round_it(value):
    try:
        encoded = submit_value(value)
    except UserError:
        return
    if value.strip():
        assert parsed("batch_name", encoded).expand("batch_name").strip() == value.strip()


@given(texts)
def test_a_constraint_holds_for_the_value_and_for_nothing_else(value):
    try:
        constraint = classad2.ExprTree(f"RouterTask =?= {quoted(value)}")
    except UserError:
        return
    same, other = classad2.ClassAd(), classad2.ClassAd()
    same["RouterTask"], other["RouterTask"] = value, f"{value}x"
    assert (constraint.eval(same), constraint.eval(other)) == (True, False)


@pytest.mark.parametrize("value", [True, False, None, 1.5, ["a"], {"a": 1}, b"x"])
def test_only_texts_and_whole_numbers_have_a_form_in_a_description(value):
    with pytest.raises(TypeError):
        submit_value(value)


def test_what_is_encoded_is_not_encoded_again():
    assert submit_value(classad_string('a"b')) == classad_string('a"b') == '"a\\"b"'
    assert submit_value(7) == "7"


def test_paths_are_joined_by_commas_and_have_none_themselves():
    assert file_list(["code/a.py", "code/b.txt"]) == "code/a.py, code/b.txt"
    for path in ("a,b", " a", "a ", 'a"b', "a\nb"):
        with pytest.raises(UserError):
            file_list(["x", path])


def test_a_value_of_a_megabyte_is_refused_at_once():
    with pytest.raises(UserError, match="at most 16,384 are allowed"):
        submit_value("x" * 1_000_000)
