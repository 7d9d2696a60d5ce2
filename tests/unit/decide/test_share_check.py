"""A policy's mistakes are found before HTCondor sees them, each with its place and what to do."""

import re
from pathlib import Path

import pytest
from fair_shares import the_policy

from router.decide.share_check import findings
from router.resources import folder

GOOD = """\
half_life: 1 d
groups:
  higgs:
    quota: 50 %
    surplus: true
    members: [alice]
    groups:
      zz: {quota: 60 %, surplus: true, members: [bob]}
      ww: {quota: 40 %, surplus: true, members: [carol]}
  susy: {quota: 30 %, surplus: true, members: [dave]}
  tests: {quota: 20 cores, surplus: true, members: [monitor]}
users:
  bob: {group: higgs.zz, factor: 2000}
  monitor: {floor: 5, ceiling: 20}
limits:
  north_tape: 100
preemption:
  allowed: true
  requirements: RemoteUserPrio > SubmitterUserPrio * 1.2
draining: {per_hour: 4, at_once: 2, whole: 5}
"""

MISTAKES = {
    "parts over 100 %": ("quota: 30 %", "quota: 60 %", 10, "add up to 110 %", "Take 10 % away"),
    "parts of a group over 100 %": ("quota: 40 %", "quota: 50 %", 9, "groups of higgs add up to 110 %", "Take 10 %"),
    "a part over 100 %": ("quota: 30 %", "quota: 130 %", 10, "from 0 % to 100 %", "or a number of cores"),
    "a group without quota": ("{quota: 30 %, surplus", "{surplus", 10, "quota: is missing", "quota"),
    "a wrong key": (
        "surplus: true, members: [dave]",
        "surplis: true, members: [dave]",
        10,
        "not a known key",
        "surplus",
    ),
    "a part of nothing": ("quota: 50 %", "quota: 0 %", 8, "higgs above it has 0", "Give higgs a quota"),
    "no way to start": (
        "{quota: 30 %, surplus: true, members",
        "{quota: 0 %, members",
        10,
        "jobs never start",
        "Give it a quota",
    ),
    "more fixed cores than the pool": ("20 cores", "500 cores", 11, "500 cores are promised, the pool has 300", "60 %"),
    "more fixed cores than the parent": (
        "tests: {quota: 20 cores, surplus: true, members: [monitor]}",
        "tests: {quota: 20 cores, surplus: true, members: [monitor], groups: {a: {quota: 30, members: ['*']}}}",
        11,
        "promised 30 cores, but tests has 20 cores",
        "Give tests 30 cores",
    ),
    "an unknown user": ("bob: {group: higgs.zz, factor: 2000}", "bop: {factor: 2000}", 13, "unknown user", "'bob'"),
    "an unknown group": ("group: higgs.zz", "group: higgs.zzz", 13, "no group higgs.zzz", "'higgs.zz'"),
    "a group the user may not use": ("group: higgs.zz", "group: susy", 13, "may not use susy", "no member"),
    "a group nobody may use": (", members: [dave]", "", 10, "nobody may use susy", "`members`"),
    "groups that differ in capitals": ("  tests:", "  SUSY:", 11, "capital letters only", "Rename"),
    "a group called as a user": ("ww: {quota", "alice: {quota", 9, "same name", "Rename the group"),
    "a floor above the ceiling": ("floor: 5", "floor: 50", 14, "above the ceiling of 20", "floor"),
    "a ceiling of nothing": ("floor: 5, ceiling: 20", "ceiling: 0", 14, "ever starts", "leave them out of `members`"),
    "a factor below 1": ("factor: 2000", "factor: 0.5", 13, "at least 1", "larger, the less"),
    "floors above the quota": ("floor: 5, ceiling: 20", "floor: 25", 14, "come to 25 cores", "quota is 20 cores"),
    "preemption never": (
        "allowed: true",
        "allowed: false",
        19,
        "nobody looks at `requirements`",
        "Say `allowed: true`",
    ),
    "preemption without when": (
        "  requirements: RemoteUserPrio > SubmitterUserPrio * 1.2\n",
        "",
        18,
        "never true",
        "Say when, or",
    ),
    "preemption always": (
        "RemoteUserPrio > SubmitterUserPrio * 1.2",
        "true",
        19,
        "throw each other",
        "RemoteUserPrio >",
    ),
    "an expression that ends the negotiator": ("* 1.2", "* (1.2", 19, "negotiator would end", "mended"),
    "an order that ends the negotiator": (
        "half_life: 1 d",
        "order: 'GroupQuota >'",
        1,
        "negotiator would end",
        "mended",
    ),
    "a macro in an expression": ("* 1.2", "* $(FACTOR)", 19, "must hold no '$'", "expand"),
    "a duration without unit": ("half_life: 1 d", "half_life: 86400", 1, "with its unit", "10 min"),
    "draining forbidden": ("at_once: 2", "at_once: 0", 20, "forbids the first", "`per_hour: 0`"),
    "a limit HTCondor has": ("north_tape: 100", "detected_cpus: 100", 16, "of its own", "rename"),
    "a negative limit": ("north_tape: 100", "north_tape: -1", 16, "whole number from 0", "not '-1'"),
}


def parse(text: str) -> str:
    """A parser that knows parentheses and dangling operators."""
    return "syntax error" if text.count("(") != text.count(")") or text.endswith(">") else ""


def told(text: str) -> list[tuple[int, int, str]]:
    """Line, column and words of all that is wrong with a document."""
    read = the_policy(text)
    found = [(each.line, each.column, str(each)) for each in read.faults]
    found += [(*read.places[each.path], each.message) for each in findings(read.policy, parse, 300) if not each.warning]
    return found


def test_a_good_policy_has_no_faults() -> None:
    assert told(GOOD) == []
    assert not [each for each in findings(the_policy(GOOD).policy, parse, 300) if each.warning]


@pytest.mark.parametrize(("right", "wrong", "line", "what", "remedy"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_found_at_its_place_with_what_to_do(
    right: str, wrong: str, line: int, what: str, remedy: str
) -> None:
    assert GOOD.count(right) == 1 or right in ("20 cores",)
    found = told(GOOD.replace(right, wrong, 1))
    assert any(
        at == line and column > 1 - (line == 1) and what in words and remedy in words for at, column, words in found
    ), found


@pytest.mark.parametrize("place", sorted(folder("negotiator_policies").glob("*.yaml")), ids=lambda each: each.name)
def test_the_shipped_policies_are_without_error(place: Path) -> None:
    read = the_policy(place.read_text())
    assert not read.faults
    assert not [each for each in findings(read.policy, parse, 1000) if not each.warning]


@pytest.mark.parametrize("bad", ["a\nb", "a b", "a'", 'a"', "a$(X)", "a#", "-a", "@", "a=b", "a,b", "../a"])
def test_no_name_of_a_user_or_group_can_carry_a_command(bad: str) -> None:
    quoted = '"' + bad.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    for text in (
        f"groups: {{{quoted}: {{quota: 1}}}}",
        f"groups: {{a: {{quota: 1, members: [{quoted}]}}}}",
        f"users: {{{quoted}: {{floor: 1}}}}",
        f"limits: {{{quoted}: 1}}",
    ):
        read = the_policy(text)
        assert any(re.search(r"not allowed|control|must be letters", each.message) for each in read.faults), text


def test_what_stays_idle_and_what_is_soon_forgotten_is_a_warning() -> None:
    read = the_policy("half_life: 2 min\ngroups: {a: {quota: 5 cores, members: [x]}}")
    found = findings(read.policy, parse)
    assert {each.path for each in found} == {"half_life", "groups.a.quota"}
    assert all(each.warning for each in found)
