"""A policy document says what the schema says, and each value has its place."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.errors import UserError
from router.model import document, share_document
from router.model.share_load import Submission, read_load
from router.model.shares import Group, Person, Quota, SharePolicy, SubmitterSetting
from router.resources import folder

SCHEMA = json.loads((folder("negotiator_policies") / "schema.json").read_text())
EVERY_KEY = """
half_life: 1 d
default_factor: 1000
slot_weight: Cpus
order: GroupQuota
default_limit: 5
limits: {}
users: {alice: {group: a, factor: 2, ceiling: 9, floor: 1}}
groups: {a: {quota: 10 %, surplus: true, factor: 2, members: [alice], groups: {}}}
preemption: {allowed: false, requirements: x, rank: y}
draining: {per_hour: 0, at_once: 1, whole: 1, requirements: x, whole_machine: y}
"""


def schema_keys(node: dict[str, Any], path: str = "") -> Iterator[str]:
    """The path of each property of a schema; a name of the admin's choice is `*`."""
    for key, inner in node.get("properties", {}).items():
        yield f"{path}.{key}".lstrip(".")
        yield from schema_keys(inner, f"{path}.{key}")
    if isinstance(inner := node.get("additionalProperties"), dict) and "properties" in inner:
        yield from schema_keys(inner, f"{path}.*")
    if node.get("$ref") == "#/$defs/groups" and path.count("groups") < 2:
        yield from schema_keys(SCHEMA["$defs"]["groups"], path)


def parser_keys(section: document.Section, path: str = "") -> Iterator[str]:
    """The path of each key that was asked of a document."""
    open_names = path.rpartition(".")[2] in ("users", "groups")
    for key in section._known:
        if not open_names:
            yield f"{path}.{key}".lstrip(".")
    for inner in section._inner:
        last = inner.path.rpartition(".")[2]
        yield from parser_keys(inner, f"{path}.{'*' if open_names else last}".lstrip("."))


def test_the_schema_has_the_keys_that_are_read_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = document.read, []
    monkeypatch.setattr(document, "read", lambda *given: seen.append(real(*given)) or seen[-1])
    assert share_document.read(EVERY_KEY, "p.yaml").faults == ()
    told = {key for key in schema_keys(SCHEMA) if not key.startswith("groups.*.groups.")}
    assert {key for key in parser_keys(seen[0]) if not key.startswith("groups.*.groups.")} == told


def test_the_reference_has_the_keys_of_the_schema_and_no_other() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/fair-share.md").read_text()
    table = page.split("## Every key of a policy")[1].split("\n## ")[0]
    told = {key.replace("NAME", "*") for key in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)}
    named = {key for key in schema_keys(SCHEMA) if not key.startswith("groups.*.groups.")}
    outer = {key for key in named if any(other.startswith(f"{key}.") for other in named)}
    assert told == (named - outer - {"limits"}) | {"limits.*", "groups.*.groups"}


def test_the_schema_knows_the_defaults() -> None:
    told = SCHEMA["properties"]
    default = SharePolicy()
    assert told["half_life"]["default"] == "1 d" and default.half_life_s == 86_400
    assert told["default_factor"]["default"] == default.default_factor
    assert told["slot_weight"]["default"] == default.slot_weight
    assert told["draining"]["properties"]["at_once"]["default"] == default.draining.at_once
    assert told["draining"]["properties"]["whole"]["default"] == default.draining.whole


def test_a_tree_is_read_with_its_whole_names_in_the_order_written() -> None:
    text = "groups:\n  b: {quota: 5, groups: {x: {quota: 25.5 %, surplus: true}}}\n  a: {quota: 10 cores, factor: 2}\n"
    assert share_document.read(text, "p").policy.groups == (
        Group("b", Quota(5.0, False)),
        Group("b.x", Quota(0.255, True), surplus=True),
        Group("a", Quota(10.0, False), factor=2.0),
    )


def test_every_value_has_its_line_and_column() -> None:
    read = share_document.read("half_life: 1 d\ngroups:\n  a: {quota: 10 %, members: [x, y]}\n", "p")
    assert read.places["groups.a.quota"] == (3, 14)
    assert read.places["groups.a.members[1]"] == (3, 33)


def test_a_user_is_booked_to_the_deepest_group_its_name_begins_with() -> None:
    policy = SharePolicy(
        groups=(Group("a", Quota(1, True), factor=7), Group("a.b", Quota(1, True))),
        people=(Person("john.doe", ceiling=3), Person("eve", factor=9)),
    )
    assert [policy.booked(name) for name in ("a.b.eve", "a.zz.eve", "zz.eve", "eve", "A.john.doe")] == [
        ("a.b", "eve"),
        ("a", "zz.eve"),
        ("", "zz.eve"),
        ("", "eve"),
        ("a", "john.doe"),
    ]
    assert policy.setting("a.john.doe") == SubmitterSetting("a.john.doe", 7.0, 3, 0)
    assert policy.setting("a.b.eve") == SubmitterSetting("a.b.eve", 9.0)
    assert policy.setting("stranger").factor == 1000


def test_the_group_of_jobs_that_name_none_comes_first() -> None:
    both = (Group("a", Quota(1, True), members=("eve", "*")), Group("b", Quota(1, True), members=("eve",)))
    policy = SharePolicy(groups=both, people=(Person("eve", group="b"),))
    assert policy.groups_of("eve") == ("b", "a")
    assert policy.groups_of("mallory") == ("a",)


def test_a_load_is_a_list_of_submissions_that_may_repeat() -> None:
    twice = "{user: eve, group: a, jobs: 5, run: 10 min, cores: 2, at: 1 h, every: 30 min, times: 2}"
    text = f"load:\n- {twice}\n- {{user: x}}\n"
    assert read_load(text, "load.yaml") == (
        Submission("a.eve", 3600, 5, 600, 2),
        Submission("a.eve", 5400, 5, 600, 2),
        Submission("x", 0, 1, 3600, 1),
    )


def test_a_load_without_submissions_is_refused_with_an_example() -> None:
    with pytest.raises(UserError, match="such as load:"):
        read_load("load: []", "load.yaml")
