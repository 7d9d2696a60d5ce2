"""The child that speaks to HTCondor: deadlines, deaths, and plain data over the pipe."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.errors import LeaseLost, OutcomeUnknown, PermissionRefused, PoolUnreachable
from router.pool import child
from router.pool.channel import Channel, Refused
from router.pool.queue import Queue

NO_POOL = {
    "CONDOR_CONFIG": "/dev/null",
    "_CONDOR_COLLECTOR_HOST": "127.0.0.1:1",
    "_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "ANONYMOUS",
}


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    made = Channel(NO_POOL, "alice")
    yield made
    made.close()


def parse(channel: Channel, text: str, *attributes: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = channel.call("parse_ads", text=text, attributes=list(attributes))
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-9223372036854775808", -(2**63)),
        ("1.5", 1.5),
        ("true", True),
        ('"a\\"b"', 'a"b'),
        ("undefined", None),
        ("error", None),
        ("NoSuchAttribute", None),
        ("1 / 0", None),
        ('real("NaN")', None),
        ('real("INF")', None),
        ('{ 1, "a", undefined }', [1, "a", None]),
        ("{ { { { { 1 } } } } }", [[[[None]]]]),
        ('[ Epoch = 1; Sites = strcat("A", ",B") ]', {"Epoch": 1, "Sites": "A,B"}),
        ("X", None),
        ("{ X }", None),
        ("time() > 0", True),
        ("random(1) >= 0", True),
        ('debug("x")', "x"),
        ('stringListMember("A", "A,B")', True),
        ('regexp("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")', None),
    ],
)
def test_whatever_an_attribute_evaluates_to_comes_back_as_plain_data(channel, text, value):
    (row,) = parse(channel, f"X = {text}\n", "X", "Missing")
    assert row.keys() == {"X"}
    assert row["X"] == value or (text.startswith(("regexp", "{ X")) and row["X"] in (False, [None], None))


def test_what_htcondor_cannot_read_is_refused_in_words(channel):
    with pytest.raises(Refused, match=r"HTCondor refused `edit`: .* \(as alice\)"):
        channel.call("edit", constraint="true", attribute="X", value="(((")


def test_an_operation_nobody_knows_is_refused(channel):
    with pytest.raises(Refused, match="KeyError"):
        channel.call("rm_rf")


def test_a_pool_that_is_not_there_is_told_with_the_remedy(channel):
    with pytest.raises(PoolUnreachable, match="`glideroute pool up` starts the embedded one"):
        Queue(channel).count("true", ["ClusterId"])


@pytest.fixture
def unstarted() -> Iterator[Channel]:
    """A channel whose child takes longer to start than the deadline of nought."""
    made = Channel(NO_POOL, "alice")
    yield made
    made.close()


def test_a_call_that_overruns_has_an_unknown_outcome_and_the_next_one_works(unstarted):
    with pytest.raises(OutcomeUnknown, match=r"within 0 s \(as alice\)"):
        unstarted.call("parse_ads", deadline=0.0, text="X = 1\n", attributes=["X"])
    assert parse(unstarted, "X = 2\n", "X") == [{"X": 2}]


def test_a_read_that_overruns_changed_nothing(unstarted):
    with pytest.raises(PoolUnreachable, match="did not answer the call `parse_ads`"):
        Queue(unstarted, read_s=0.0).parse("X = 1\n", ["X"])


def test_a_child_that_dies_has_an_unknown_outcome_and_the_next_call_works(channel):
    parse(channel, "X = 1\n", "X")
    channel._process.kill()
    with pytest.raises(OutcomeUnknown, match="ended during `parse_ads`"):
        parse(channel, "X = 1\n", "X")
    assert parse(channel, "X = 2\n", "X") == [{"X": 2}]


def test_the_child_knows_nothing_of_the_parents_secrets(channel, monkeypatch):
    monkeypatch.setenv("SEEDED_SECRET", "canary")
    fresh = Channel(NO_POOL)
    try:
        parse(fresh, "X = 1\n", "X")
        environment = Path(f"/proc/{fresh._process.pid}/environ").read_text()
    finally:
        fresh.close()
    assert "canary" not in environment
    assert "CONDOR_CONFIG=/dev/null" in environment


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Failed to connect to schedd.", "unreachable"),
        ("Unable to locate local daemon", "unreachable"),
        ("Server rejected our session id", "unreachable"),
        ("Failed communication with collector.", "unreachable"),
        ("SECMAN: DENIED authorization", "denied"),
        ("Permission denied", "denied"),
        ("Failed to create job ad, errmsg=x", "refused"),
    ],
)
def test_the_kind_of_a_failure_is_read_from_htcondors_words(text, kind, monkeypatch):
    monkeypatch.setattr(child, "missing_token", lambda: "")
    assert child._told(text)["kind"] == kind


def test_an_operation_is_begun_again_where_a_restarted_daemon_does_not_know_our_session(monkeypatch):
    answers = iter([child.htcondor2.HTCondorException("Server rejected our session id"), 7])

    def act():
        if isinstance(found := next(answers), Exception):
            raise found
        return found

    monkeypatch.setitem(child.OPERATIONS, "act", act)
    request = json.dumps({"operation": "act", "until": None, "arguments": {}}).encode()
    assert child.answer(request) == {"ok": True, "value": 7}


def test_a_lack_of_tokens_is_told_as_such(monkeypatch):
    monkeypatch.setattr(child, "missing_token", lambda: "/home/alice/.condor/tokens.d")
    assert child._told("Failed to connect to schedd.") == {
        "kind": "denied",
        "message": "there is no token in /home/alice/.condor/tokens.d",
    }


def test_the_child_does_not_begin_what_comes_after_the_lease(channel):
    with pytest.raises(LeaseLost):
        channel.call("parse_ads", until=time.monotonic(), text="X = 1\n", attributes=["X"])
    answer = channel.call("parse_ads", until=time.monotonic() + 60, text="X = 1\n", attributes=["X"])
    assert answer == [{"X": 1}]


@pytest.mark.parametrize(
    ("kind", "error"), [("denied", PermissionRefused), ("unreachable", PoolUnreachable), ("failed", Refused)]
)
def test_every_kind_is_an_error_of_ours(kind, error):
    with pytest.raises(error):
        Channel(NO_POOL)._unwrap(json.loads(json.dumps({"ok": False, "kind": kind, "message": "x"})), "edit")
