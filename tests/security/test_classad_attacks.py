"""Whatever an ad holds and however a name is spelt, HTCondor's expressions say what we mean and nothing else."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import classad2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.errors import OutcomeUnknown, RouterError, UserError
from router.model.job import Decision
from router.pool import ads, operations
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.render.encode import quoted
from router.testing.build import a_decision

TRUE_FOR_ALL = ['x" || true || "', '" || true', 'x") || (true', "*", "%", "x' || 'a'=='a", "undefined", 'x" ?: "']


class Recorded:
    """A queue that only notes what it is asked."""

    def __init__(self) -> None:
        self.constraints: list[str] = []

    def act(self, action: str, constraint: str, reason: str, code: int = 0) -> int:
        self.constraints.append(constraint)
        return 0

    def query(self, constraint: str, attributes: Sequence[str], limit: int = -1) -> list[Mapping[str, Any]]:
        self.constraints.append(constraint)
        return []

    def history(self, constraint: str, attributes: Sequence[str], since: str = "") -> list[Mapping[str, Any]]:
        self.constraints.append(constraint)
        return []

    count = query


def asked_of(task: str, owner: str) -> list[str]:
    """The constraints of everything that is done by a task's name."""
    queue = Recorded()
    pool = CondorPool(queue)  # type: ignore[arg-type]
    pool.remove(task, "away")
    pool.retry(task, "again")
    pool.task_lines(task)
    pool.clusters(task, owner)
    return queue.constraints


def matches(constraint: str, **attributes: object) -> bool:
    job = classad2.ClassAd()
    for name, value in {"JobStatus": 5, "HoldReasonCode": 34, **attributes}.items():
        job[name] = value
    return classad2.ExprTree(constraint).eval(job) is True


@pytest.mark.attack("A16")
@pytest.mark.parametrize("name", TRUE_FOR_ALL)
def test_a_name_that_is_an_expression_matches_only_what_is_called_so(name: str) -> None:
    of_owner = [each for each in asked_of("zmumu-1", name) if "Owner" in each]
    assert of_owner
    for constraint in (*asked_of(name, "alice"), *of_owner):
        assert not matches(constraint, RouterTask="zmumu-1", Owner="alice")
    for constraint in asked_of(name, name):
        assert matches(constraint, RouterTask=name, Owner=name)
        assert not matches(constraint, RouterTask=f"{name} ", Owner=name)


@pytest.mark.attack("A16", "A19")
@given(st.text(max_size=30))
@example("\\")
@example('"')
def test_any_name_in_a_constraint_is_that_name_or_refused(name: str) -> None:
    try:
        constraints = asked_of(name, name)
    except UserError:
        return
    for constraint in constraints:
        assert matches(constraint, RouterTask=name, Owner=name)
        assert not matches(constraint, RouterTask=f"{name}x", Owner=f"{name}x")


ODD = [
    "undefined",
    "error",
    "Self",
    "random()",
    "time()",
    "real(\"NaN\")",
    "real(\"INF\")",
    "-real(\"INF\")",
    "9223372036854775808",
    "-9223372036854775809",
    "1.0e400",
    "{}",
    "{1, {2, {3, {4, {5}}}}}",
    "[ a = b; b = a ]",
    "[ Epoch = \"1\"; Sites = 5 ]",
    "[ Epoch = 1; Sites = {1, undefined}; CameFrom = [x = 1]; Left = error; At = \"now\"; Words = 7 ]",
    "userHome(\"root\")",
    "debug(1)",
    "eval(\"Self\")",
    "ifThenElse(undefined, 1, 2)",
    "\"two\\nlines\"",
    "absTime(\"2026-01-01T00:00:00\")",
    "relTime(5)",
    "true",
]  # fmt: skip
READERS = {"job": ads.JOB, "ended": ads.ENDED, "slot": ads.SLOT, "failure": ads.FAILURE}


@pytest.mark.attack("A17")
@pytest.mark.parametrize("value", ODD)
def test_an_odd_expression_in_any_attribute_makes_a_whole_value_of_ours(value: str) -> None:
    for attributes in READERS.values():
        text = "".join(f"{name} = {value.replace('Self', name)}\n" for name in attributes)
        for row in operations.parse_ads(text, list(attributes)):
            hash(ads.job_group(row))
            hash(ads.ended_job(row))
            ads.slot_groups([row])
            hash(ads.validation_failure(row))


@pytest.mark.attack("A17")
def test_an_attribute_that_is_there_twice_in_other_letters_is_one() -> None:
    [row] = operations.parse_ads('Owner = "alice"\noWNER = "root"\nOWNER = 7\n', ["Owner"])
    assert ads.text(row, "Owner") in ("", "alice", "root")
    assert set(row) == {"Owner"}


LIMIT_S = 5.0
ENDLESS = [
    'A = regexp("(a+)+$", "{0}b")',
    'A = regexp("((a|a)*)*$", "{0}b")',
    'A = stringListRegexpMember("(x+x+)+y", "{0}")',
    'A = regexps("(.*a){{20}}", "{0}", "")',
]


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    """A child that needs no pool."""
    found = Channel({"CONDOR_CONFIG": "/dev/null"})
    found.call("parse_ads", text="A = 1", attributes=["A"])
    yield found
    found.close()


@pytest.mark.attack("A18", "A15")
@pytest.mark.parametrize("text", ENDLESS)
def test_a_regular_expression_of_a_users_ends_or_is_ended(text: str, channel: Channel) -> None:
    started = time.monotonic()
    try:
        channel.call("parse_ads", deadline=LIMIT_S, text=text.format("a" * 5000), attributes=["A"])
    except OutcomeUnknown:
        assert time.monotonic() - started < LIMIT_S + 1
    assert channel.call("parse_ads", text="A = 7", attributes=["A"]) == [{"A": 7}]


@pytest.mark.attack("A18")
def test_a_call_that_never_ends_is_ended_with_its_child(channel: Channel) -> None:
    with pytest.raises(OutcomeUnknown, match="did not answer"):
        channel.call("parse_ads", deadline=0.001, text='A = "' + "x" * 5_000_000 + '"', attributes=["A"])
    assert channel.call("parse_ads", text="A = 7", attributes=["A"]) == [{"A": 7}]


@pytest.mark.attack("A15", "A17")
@pytest.mark.parametrize("pair", ["()", "{}", "[]"])
def test_an_ad_nested_ten_thousand_deep_is_answered_or_given_up(pair: str, channel: Channel) -> None:
    text = "A = " + pair[0] * 10_000 + pair[1] * 10_000
    for operation, arguments in (
        ("parse_ads", {"text": text, "attributes": ["A"]}),
        ("complaints", {"expressions": [text[4:]]}),
    ):
        try:
            channel.call(operation, deadline=LIMIT_S, **arguments)
        except RouterError as error:
            assert str(error)
    assert channel.call("parse_ads", text="A = 7", attributes=["A"]) == [{"A": 7}]


@pytest.fixture
def schedd(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What of an edit would reach the schedd: attributes and values."""
    sent: list[tuple[str, str]] = []

    class Nowhere:
        _addr = "<127.0.0.1:1>"

    def note(_: str, __: str, attribute: str, value: str, ___: int) -> None:
        sent.append((attribute, value))

    monkeypatch.setattr(operations, "_schedd", lambda: Nowhere)
    monkeypatch.setattr(operations, "_schedd_edit_job_ids", note)
    return sent


@pytest.mark.attack("A19")
@pytest.mark.parametrize("value", ["(((", '"open', "[ Epoch = 1", "1 +", "a b", ""])
def test_a_malformed_expression_never_reaches_the_schedd(value: str, schedd: list[tuple[str, str]]) -> None:
    good = ([(1, 0, 0)], "DESIRED_Sites", '"SITE_A"')
    with pytest.raises(Exception, match=r"(?s)."):
        operations.edit_jobs([good, ([(1, 0, 0)], "DESIRED_Sites", value)])
    assert schedd == []


@pytest.mark.attack("A57")
@pytest.mark.parametrize(
    "attribute", ["Cmd", "Owner", "JobStatus", "Env", "Environment", "Args", "Iwd", "owner", "User", "In\nOwner", ""]
)
def test_an_attribute_that_no_decision_writes_never_reaches_the_schedd(
    attribute: str, schedd: list[tuple[str, str]]
) -> None:
    good = ([(1, 0, 0)], "DESIRED_Sites", '"SITE_A"')
    with pytest.raises(PermissionError, match="writes no"):
        operations.edit_jobs([good, ([(1, 0, 0)], attribute, '"x"')])
    assert schedd == []


@pytest.mark.attack("A19")
@given(st.builds(a_decision, st.just("SITE_A"), words=st.text(max_size=60)))
def test_a_decision_comes_back_from_htcondor_as_it_was_written(made: Decision) -> None:
    carried = made.carried
    [row] = operations.parse_ads(f"RouterDecision = {ads.decision_text(carried)}\n", ["RouterDecision"])
    assert ads.decision(row["RouterDecision"]) == carried


EVIL_SITES = [
    "A,B",
    'A"',
    "*",
    "",
    "S" * 65_536,
    "SIT\u0415_A",
    "a b",
    "A\nB",
    "SITE_A ",
    " SITE_A",
    "../A",
    "A;B",
    "-A",
]


@pytest.mark.attack("A20")
@pytest.mark.parametrize("site", EVIL_SITES)
def test_a_glidein_that_calls_its_site_no_name_counts_for_nothing(site: str) -> None:
    row = {"GLIDEIN_Site": site, "GLIDEIN_Entry_Name": site, "TotalSlotCpus": 8, "Cpus": 8, "NumDynamicSlots": 1}
    assert ads.slot_groups([row]) == ()
    assert ads.validation_failure(row).site == ""
    assert ads.job_group({"MachineAttrGLIDEIN_Site0": site, "JobStatus": 2}).site == ""


@pytest.mark.attack("A20")
@given(st.lists(st.text(max_size=12) | st.sampled_from(EVIL_SITES), max_size=4))
def test_any_sites_that_are_read_make_one_string_that_reads_the_same(sites: list[str]) -> None:
    found = ads.words(",".join(sites))
    text = ads.site_list(found)
    assert classad2.ExprTree(text).eval() == ",".join(found)
    assert ads.words(classad2.ExprTree(text).eval()) == found


@pytest.mark.attack("A15")
def test_a_value_of_a_megabyte_makes_no_expression() -> None:
    with pytest.raises(UserError, match="at most 16,384"):
        quoted("x" * 1_000_000)
    assert len(ads.text({"Owner": "x" * 1_000_000}, "Owner")) <= 16_384
