"""YAML, JSON and submit files of anyone: plain data, bounded, and refused in words."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router import settings
from router.errors import UserError
from router.model import payload, report, share_document, share_load, snapshot
from router.pool import ads
from router.trusted import refuse_exposed


def read_settings(text: str) -> object:
    return settings.parse(text, settings.Settings(Path("/home")))


READERS: dict[str, Callable[[str], object]] = {
    "payload": payload.parse,
    "settings": read_settings,
    "policy": lambda text: share_document.read(text, "p.yaml"),
    "load": lambda text: share_load.read_load(text, "l.yaml"),
}


@pytest.mark.attack("A21")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "value",
    [
        '!!python/object/apply:os.system ["touch CANARY"]',
        "!!python/object/new:subprocess.Popen [[touch, CANARY]]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!binary aGk=",
        "!!set {a, b}",
        "!include /etc/passwd",
        "! x",
    ],
)
def test_a_tag_makes_no_object_anywhere_in_a_document(reader: str, value: str, trap: str) -> None:
    for text in (f"name: {value}\n", f"groups: {{a: {value}}}\n", f"sites: {{A: {{storage: {value}}}}}\n", value):
        with pytest.raises(UserError):
            READERS[reader](text)


BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n",
    "merge keys": "a: &a {x: 1}\nb:\n  <<: *a\n",
    "lists in lists": "a: " + "[" * 10_000 + "]" * 10_000,
    "mappings in mappings": "a: " + "{b: " * 10_000,
    "keys in keys": "? " * 10_000 + "a",
    "a hundred megabytes": "a: " + "x" * 100_000_000,
    "half a million words": "a: [" + "x," * 490_000 + "]",
    "a hundred thousand variables": "name: a\nexecutable: b\nenvironment:\n"
    + "".join(f" A{n}: x\n" for n in range(10**5)),
    "unknown keys": "name: a\nexecutable: b\n" + "".join(f"k{n}: x\n" for n in range(40_000)),
    "one long key": "a" * 900_000 + ": x",
    "a long number": "name: a\nexecutable: b\njobs: " + "9" * 900_000,
    "quotes": "a: " + "'" * 900_000,
}


@pytest.mark.attack("A15", "A22")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_document_that_swells_is_refused_in_few_words_at_once(bomb: str) -> None:
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        payload.parse(BOMBS[bomb])
    assert time.process_time() - started < 2
    assert len(str(caught.value)) < 20_000


@pytest.mark.attack("A22")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a\nname: b\nexecutable: x\n", r"line 2: name: is given twice"),
        ("name: a\nexecutabel: x\n", r"line 2: executabel: is not a known key; did you mean 'executable'"),
        ("name: a\nexecutable: x\njobs: 0o10\n", r"line 3: jobs: must be a whole number"),
        ("name: a\nexecutable: x\njobs: 1e3\n", r"line 3: jobs: must be a whole number"),
        ("name: a\nexecutable: x\nmove: no\n", r"line 3: move: must be one of true, false"),
        ("name: a\nexecutable: x\nrequests: {gpus: 1, gpu_capability: .nan}\n", r"line 3: requests.gpu_capability"),
        ("name: a\n\texecutable: x\n", r"is not valid YAML: line 2"),
        ("name: a\n--- \nname: b\n", r"is not valid YAML"),
        ("\ufeffname: a\nexecutable: x\nzzz: 1\n", r"line 3: zzz"),
    ],
)
def test_what_yaml_would_take_for_something_else_is_told_with_its_line(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        payload.parse(text)


WORDS = (
    "name executable : - \n { } [ ] , | > &a *a !!x ' \" # ? sites groups quota users 1e9 ~ \t % @ ` --- ... \\ \x00 é"
)
YAML_PIECES = st.sampled_from([*WORDS.split(" "), ": ", "- ", "  ", "50 %"])


@pytest.mark.attack("A21", "A22")
@pytest.mark.parametrize("reader", READERS)
@given(st.lists(YAML_PIECES, max_size=25).map("".join) | st.text(max_size=80))
@example("")
@example("\ud800".encode("utf-8", "replace").decode())
def test_any_text_is_read_or_refused_in_words(reader: str, text: str) -> None:
    try:
        READERS[reader](text)
    except UserError as error:
        assert str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.attack("A22")
@given(JSON.map(json.dumps) | st.text(max_size=60))
def test_any_json_is_a_report_a_world_or_refused(text: str) -> None:
    for parse, refusal in ((report.parse, ValueError), (snapshot.load, UserError)):
        try:
            parse(text)
        except refusal as error:
            assert str(error)


SUBMIT_PIECES = st.sampled_from(
    [
        "ClusterId=1",
        "ProcId=0",
        "\n",
        ".",
        "\n.\n",
        "=",
        '"',
        "[",
        "]",
        "\\",
        "RequestCpus=",
        "{",
        "1",
        "error",
        "(",
        "Owner",
    ]
)


@pytest.mark.attack("A17")
@given(st.lists(SUBMIT_PIECES, max_size=30).map("".join))
def test_any_output_of_a_dry_run_is_cut_into_ads(text: str) -> None:
    found = ads.whole_ads(text, ("ClusterId", "ProcId", "RequestCpus"))
    assert "Owner" not in found


@pytest.mark.attack("A23")
@pytest.mark.parametrize(
    "expression",
    ["__import__('os').system('touch CANARY')", "().__class__.__bases__[0].__subclasses__()", "open('CANARY','w')"],
)
def test_python_in_an_expression_is_never_run(expression: str, trap: str) -> None:
    for key in ("slot_weight", "order"):
        found = share_document.read(f"groups: {{a: {{quota: 50 %}}}}\n{key}: {json.dumps(expression)}\n", "p.yaml")
        assert expression in (found.policy.slot_weight, found.policy.order)
    with pytest.raises(UserError):
        payload.parse(f"name: {json.dumps(expression)}\nexecutable: x\n")


def a_file(folder: Path, mode: int = 0o644) -> Path:
    path = folder / "policy.yaml"
    path.write_text("groups: {}\n")
    path.chmod(mode)
    return path


@pytest.mark.attack("A24")
def test_a_file_that_anyone_may_write_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"anyone may write .*chmod o-w"):
        refuse_exposed(a_file(tmp_path, 0o646))


@pytest.mark.attack("A24")
def test_a_file_in_a_folder_where_anyone_may_exchange_it_is_refused(tmp_path: Path) -> None:
    path = a_file(tmp_path)
    tmp_path.chmod(0o777)
    with pytest.raises(UserError, match="anyone may exchange"):
        refuse_exposed(path)
    tmp_path.chmod(0o1777)
    refuse_exposed(path)


@pytest.mark.attack("A24", "A58")
def test_a_link_that_leads_to_an_exposed_file_or_to_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    link = tmp_path / "link.yaml"
    link.symlink_to(a_file(tmp_path / "inner", 0o666))
    with pytest.raises(UserError, match="anyone may write"):
        refuse_exposed(link)


@pytest.mark.attack("A24")
def test_a_file_of_ones_own_or_of_a_group_is_taken(tmp_path: Path) -> None:
    for mode in (0o600, 0o644, 0o664, 0o440):
        refuse_exposed(a_file(tmp_path, mode))
    refuse_exposed(tmp_path / "absent")


@pytest.mark.attack("A24")
def test_settings_that_anyone_may_write_are_not_read(tmp_path: Path) -> None:
    (tmp_path / settings.FILE).write_text("keep_worlds: 5\n")
    assert settings.load(tmp_path).keep_worlds == 5
    (tmp_path / settings.FILE).chmod(0o666)
    with pytest.raises(UserError, match="anyone may write"):
        settings.load(tmp_path)
