"""Job reports are input from a stranger: read as described, or refused with a ValueError and nothing else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import report
from router.model.files import File, Located, Replica
from router.testing.build import a_file, a_report

OUTPUT = {
    "lfn": "/user/alice/t/h.root",
    "size": 10,
    "adler32": "0badcafe",
    "events": 5,
    "se": "A_DISK",
    "site": "SITE_A",
    "pfn": "file:///se/h.root",
}


def test_a_report_is_read_as_the_wrapper_wrote_it():
    read = report.parse(a_report("0003", outputs=[a_file("/user/alice/t/h.root", "SITE_A")], started=5, ended=12.5))
    assert (read.task, read.batch, read.job, read.site, read.exit_code) == ("zmumu-1", "b0", "0003", "SITE_A", 0)
    assert read.outputs == (
        Located(
            File("/user/alice/t/h.root", 1000, "0badcafe", 100),
            (Replica("SITE_A_DISK", "SITE_A", "file:///se/SITE_A/user/alice/t/h.root"),),
        ),
    )
    assert read.wall_s == 7.5


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", '"x"', "{}", '{"version": 2}', '{"version": "1"}', "\x00"]
)
def test_what_is_no_report_of_this_version_is_refused(text):
    with pytest.raises(ValueError):
        report.parse(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": 1},
        {"site": ["SITE_A"]},
        {"exit_code": "0"},
        {"exit_code": True},
        {"exit_code": 1.5},
        {"exit_code": math.nan},
        {"events": {}},
        {"outputs": 7},
        {"outputs": "lfn"},
        {"outputs": [1]},
        {"outputs": [[]]},
        {"outputs": {"lfn": "x"}},
        {"started": "yesterday"},
        {"started": []},
        {"started": {}},
        {"ended": math.nan},
        {"ended": math.inf},
        {"ended": 10**400},
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(changes):
    with pytest.raises(ValueError):
        report.parse(json.dumps({"version": 1, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"lfn": "/user/../etc"},
        {"lfn": "relative"},
        {"lfn": None},
        {"lfn": "/a\n/b"},
        {"lfn": "/" + "a" * 2000},
        {"se": "A,B"},
        {"se": ""},
        {"site": 'SITE"'},
        {"site": "S" * 65_536},
        {"site": "SIT\u0415_A"},
        {"pfn": "file:///a\nb"},
        {"size": -1},
        {"size": "10"},
        {"size": 2**63},
        {"adler32": "xyz"},
        {"adler32": "0BADCAFE"},
        {"adler32": ""},
        {"events": -5},
    ],
)
def test_an_output_that_the_catalogue_could_not_hold_is_refused(changes):
    with pytest.raises(ValueError):
        report.parse(json.dumps({"version": 1, "outputs": [{**OUTPUT, **changes}]}))


def test_a_report_that_is_too_long_is_refused_unread():
    with pytest.raises(ValueError, match="at most 10,000,000"):
        report.parse(" " * 10_000_001)


def test_a_report_nested_too_deep_is_refused():
    with pytest.raises(ValueError):
        report.parse('{"version": 1, "x": ' + "[" * 100_000 + "]" * 100_000 + "}")


def test_a_message_comes_back_in_one_line_of_bounded_length():
    read = report.parse(a_report(message="two\nlines\x1b[31m" + "x" * 9000))
    assert "\n" not in read.message
    assert "\x1b" not in read.message
    assert len(read.message) == 4000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*OUTPUT, "x"]), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["task", "batch", "job", "site", "exit_code", "cause", "message", "events", "outputs", "started", "ended"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
def test_whatever_a_report_holds_it_is_read_or_refused_with_a_value_error(fields):
    try:
        read = report.parse(json.dumps({"version": 1, **fields}))
    except ValueError:
        return
    assert math.isfinite(read.wall_s)
    for each in read.outputs:
        assert each.file.size >= 0
        assert len(each.file.adler32) == 8
