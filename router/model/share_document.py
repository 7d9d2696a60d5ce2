"""A fair-share policy read from its YAML document.

What the document says is settled here, value by value, with the place of each; what its values mean together is
judged in decide/share_check.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from router.errors import UserError
from router.model import document, names
from router.model.document import Fault, Section
from router.model.shares import EVERYBODY, UNLIMITED, Draining, Group, Person, Preemption, Quota, SharePolicy

PART = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
CORES = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(?:\s*cores)?")
LEVEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FORBIDDEN = re.compile(r"\$|@=|\\$")
MAX_EXPRESSION = 2_000
MAX_CORES = 10**8


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """A policy with what is wrong in its text, and where everything stands."""

    policy: SharePolicy
    faults: tuple[Fault, ...]
    places: Mapping[str, tuple[int, int]]
    """Line and column of each value by its dotted path."""


def read(text: str, source: str) -> ReadPolicy:
    """Read a policy document. Raises UserError where the text is no YAML at all."""
    top, default = document.read(text, source), SharePolicy()
    policy = SharePolicy(
        groups=tuple(_groups(top, "")),
        people=tuple(_person(name, each) for name, each in top.named("users", names.name)),
        half_life_s=top.seconds("half_life", default.half_life_s),
        default_factor=top.number("default_factor", default.default_factor),
        slot_weight=top.text("slot_weight", default.slot_weight, expression),
        order=top.text("order", "", expression),
        limits=_limits(top.section("limits")),
        default_limit=float(top.integer("default_limit", UNLIMITED, UNLIMITED)),
        preemption=_preemption(top.section("preemption")),
        draining=_draining(top.section("draining")),
    )
    try:
        top.finish()
    except UserError:  # each fault is shown with its column, beside those that only the whole reveals
        return ReadPolicy(policy, tuple(sorted(top.faults.found)), document.places(top))
    return ReadPolicy(policy, (), document.places(top))


def expression(text: str) -> str:
    """A ClassAd expression that a line of configuration can hold; whether it parses is judged elsewhere."""
    names.plain(text)
    if FORBIDDEN.search(text):
        raise ValueError("must hold no '$', no '@=', and not end in a backslash: HTCondor's configuration expands them")
    if len(text) > MAX_EXPRESSION:
        raise ValueError(f"is {len(text):,} characters long; at most {MAX_EXPRESSION:,} are allowed")
    return text.strip()


def _groups(section: Section, above: str) -> list[Group]:
    found: list[Group] = []
    for level, inner in section.named("groups", _level):
        if not level:
            continue
        name = f"{above}.{level}".lstrip(".")
        found.append(
            Group(
                name=name,
                quota=_quota(inner),
                surplus=inner.flag("surplus", False),
                factor=inner.number("factor", 0.0) if inner.has("factor") else 0.0,
                members=inner.texts("members", _member),
            )
        )
        found.extend(_groups(inner, name))
    return found


def _quota(section: Section) -> Quota:
    text = section.text("quota").strip()
    if part := PART.fullmatch(text):
        if float(part.group(1)) <= 100:
            return Quota(float(part.group(1)) / 100, True)
    elif (cores := CORES.fullmatch(text)) and float(cores.group(1)) <= MAX_CORES:
        return Quota(float(cores.group(1)), False)
    if section.has("quota"):
        section.fault("quota", f"must be a part of the parent's, from 0 % to 100 %, or a number of cores, not {text!r}")
    return Quota(0.0, True)


def _person(name: str, section: Section) -> Person:
    return Person(
        name=name,
        group=section.text("group", "", names.group),
        factor=section.number("factor", 0.0) if section.has("factor") else 0.0,
        ceiling=section.integer("ceiling", UNLIMITED, 0, MAX_CORES),
        floor=section.integer("floor", 0, 0, MAX_CORES),
    )


def _limits(section: Section | None) -> tuple[tuple[str, float], ...]:
    if section is None:
        return ()
    found = [(name, float(section.integer(name, 0, 0, 10**7))) for name in section.key_names()]
    for name, _ in found:
        if not names.GROUP.fullmatch(name):
            section.fault(name, "must be letters, digits and '_', with at most a '.' between")
    return tuple(found)


def _preemption(section: Section | None) -> Preemption:
    if section is None:
        return Preemption()
    return Preemption(
        allowed=section.flag("allowed", False),
        requirements=section.text("requirements", "", expression),
        rank=section.text("rank", "", expression),
    )


def _draining(section: Section | None) -> Draining:
    default = Draining()
    if section is None:
        return default
    return Draining(
        per_hour=float(section.integer("per_hour", 0, 0, 100_000)),
        at_once=section.integer("at_once", default.at_once, 0, 100_000),
        whole=section.integer("whole", default.whole, 0, 100_000),
        requirements=section.text("requirements", "", expression),
        whole_machine=section.text("whole_machine", "", expression),
    )


def _level(text: str) -> str:
    names.plain(text)
    if not LEVEL.fullmatch(text):
        raise ValueError(f"{text!r} is not allowed: one level of a group's name is letters, digits and '_'")
    return text


def _member(text: str) -> str:
    if text == EVERYBODY:
        return text
    return names.token_group(text) if text.startswith("/") else names.name(text)
