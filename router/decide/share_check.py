"""What is wrong with a fair-share policy, before HTCondor sees it.

HTCondor itself takes most of these in silence: it rescales, ignores, or defaults to zero, with a line in a log. Some
end the running negotiator. A check is a generator of findings; it looks at the policy alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from router.model.document import suggestion
from router.model.shares import EVERYBODY, RESERVED_LIMITS, UNLIMITED, Group, Person, SharePolicy

Parse = Callable[[str], str]
"""What is wrong with a ClassAd expression; empty when it parses."""

TINY = 1e-9
SHORT_HALF_LIFE_S = 600
NEVER = ("false", "0")
ALWAYS = ("true", "1")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at a dotted path of the document; a warning can be applied, an error cannot."""

    path: str
    message: str
    warning: bool = False


def findings(policy: SharePolicy, parse: Parse, cores: float = 0.0) -> tuple[Finding, ...]:
    """Everything that is wrong; `cores` is the pool's size where it is known."""
    checks = (_sums, _static, _reach, _names, _members, _people, _floors, _limits, _preemption, _draining, _ages)
    found = [each for check in checks for each in check(policy)]
    found.extend(_expressions(policy, parse))
    found.extend(_pool(policy, cores))
    return tuple(found)


def path(name: str, key: str = "") -> str:
    """Where a group, or a key of it, stands in the document."""
    return ".".join(f"groups.{level}" for level in name.split(".")) + (f".{key}" if key else "")


def _parents(policy: SharePolicy) -> Iterator[str]:
    yield ""
    yield from (each.name for each in policy.groups if policy.children(each.name))


def _sums(policy: SharePolicy) -> Iterator[Finding]:
    for parent in _parents(policy):
        parts = [each for each in policy.children(parent) if each.quota.dynamic]
        total = sum(each.quota.amount for each in parts)
        where = f"of {parent}" if parent else "at the top"
        if total > 1 + TINY:
            told = " + ".join(f"{each.name} {each.quota}" for each in parts)
            yield Finding(
                path(parts[-1].name, "quota"),
                f"the parts of the groups {where} add up to {total * 100:g} % ({told}); HTCondor would shrink each of "
                f"them without a word. Take {(total - 1) * 100:g} % away",
            )


def _static(policy: SharePolicy) -> Iterator[Finding]:
    for parent in policy.groups:
        fixed = [each for each in policy.children(parent.name) if not each.quota.dynamic]
        total = sum(each.quota.amount for each in fixed)
        if not parent.quota.dynamic and total > parent.quota.amount + TINY:
            yield Finding(
                path(fixed[-1].name, "quota"),
                f"the groups of {parent.name} are promised {total:g} cores, but {parent.name} has {parent.quota}: "
                f"the promises cannot be kept. Give {parent.name} {total:g} cores, or its groups less",
            )
    for group in policy.groups:
        if not group.quota.dynamic and group.quota.amount > 0 and not group.surplus and not policy.children(group.name):
            yield Finding(
                path(group.name, "quota"),
                f"{group.name} is held to {group.quota} even while others' cores stand idle; if that is not meant, "
                "add `surplus: true`",
                warning=True,
            )


def _reach(policy: SharePolicy) -> Iterator[Finding]:
    for group in policy.groups:
        if group.quota.amount <= 0 and not group.surplus:
            yield Finding(
                path(group.name, "quota"),
                f"{group.name} has no quota and may take no surplus: its jobs never start. Give it a quota, or "
                "`surplus: true`",
            )
        elif above := _empty_above(policy, group):
            yield Finding(
                path(group.name, "quota"),
                f"the quota of {group.name} is a part of nothing: {above} above it has 0. Give {above} a quota",
            )
        left = 1 - sum(each.quota.amount for each in policy.children(group.name) if each.quota.dynamic)
        whole = [each for each in policy.children(group.name) if each.quota.dynamic]
        if whole and left > TINY and not group.members and not any(each.surplus for each in whole):
            yield Finding(
                path(group.name, "quota"),
                f"{left * 100:g} % of {group.name} can be reached by nobody: no user is a member of {group.name} "
                "itself, and none of its groups takes surplus",
                warning=True,
            )


def _empty_above(policy: SharePolicy, group: Group) -> str:
    above = policy.group(group.parent)
    while above is not None:
        if above.quota.amount <= 0 and group.quota.amount > 0:
            return above.name
        above = policy.group(above.parent)
    return ""


def _names(policy: SharePolicy) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for group in policy.groups:
        if other := seen.get(group.name.lower()):
            yield Finding(
                path(group.name),
                f"{group.name} and {other} differ in capital letters only: HTCondor takes them for one and ignores "
                "the second. Rename one",
            )
        seen[group.name.lower()] = group.name
    for user in policy.users():
        for name in policy.groups_of(user) or ("",):
            told = f"{name}.{user}".strip(".").rpartition(".")[0] if "." in user else f"{name}.{user}".strip(".")
            if told.lower() in seen and told.lower() != name.lower():
                yield Finding(
                    path(seen[told.lower()]),
                    f"the group {seen[told.lower()]} and the user {user} of {name or 'no group'} have the same name "
                    "to HTCondor, which would book the user's jobs to the group. Rename the group",
                )


def _members(policy: SharePolicy) -> Iterator[Finding]:
    if not any(each.members for each in policy.groups):
        return
    for group in policy.groups:
        below = [each for each in policy.groups if f"{each.name}.".startswith(f"{group.name}.")]
        if not any(each.members for each in below):
            yield Finding(
                path(group.name),
                f"nobody may use {group.name}, so its quota cannot be reached. Name its `members`; '*' is everybody",
            )
        for i, name in enumerate(group.members):
            if name in group.members[:i]:
                yield Finding(path(group.name, f"members[{i}]"), f"{name} is named twice", warning=True)


def _people(policy: SharePolicy) -> Iterator[Finding]:
    members = {name for each in policy.groups for name in each.members}
    known = [each.name for each in policy.groups]
    for person in policy.people:
        where = f"users.{person.name}"
        # Of whom a group of the organisation consists, only tokens say.
        if members and not policy.token_groups() and not members & {person.name, EVERYBODY}:
            hint = suggestion(person.name, members)
            yield Finding(where, f"{person.name} is an unknown user: a member of no group{hint}")
        if person.group and person.group not in known:
            hint = suggestion(person.group, known)
            yield Finding(f"{where}.group", f"there is no group {person.group}{hint}")
        elif person.group and not policy.token_groups() and person.group not in policy.groups_of(person.name):
            yield Finding(f"{where}.group", f"{person.name} may not use {person.group}: no member of it")
        yield from _bounds(person, where)
    for group in policy.groups:
        if 0 < group.factor < 1:
            yield Finding(path(group.name, "factor"), "a priority factor is at least 1; the larger, the less")
    if policy.default_factor < 1:
        yield Finding("default_factor", "a priority factor is at least 1; the larger, the less")


def _bounds(person: Person, where: str) -> Iterator[Finding]:
    if 0 < person.factor < 1:
        yield Finding(f"{where}.factor", "a priority factor is at least 1; the larger, the less")
    if person.ceiling == 0:
        yield Finding(
            f"{where}.ceiling",
            f"with a ceiling of 0 no job of {person.name} ever starts, and nothing tells the user. To keep a user "
            "out, leave them out of `members`: then a submission is refused with words",
        )
    if person.ceiling != UNLIMITED and person.floor > person.ceiling:
        yield Finding(
            f"{where}.floor",
            f"the floor of {person.name}, {person.floor} cores, is above the ceiling of {person.ceiling}",
        )


def _floors(policy: SharePolicy) -> Iterator[Finding]:
    for group in policy.groups:
        people = [each for each in policy.people if each.floor and group.name in policy.groups_of(each.name)]
        total = sum(each.floor for each in people)
        if not group.quota.dynamic and total > group.quota.amount + TINY:
            names = " and ".join(each.name for each in people)
            yield Finding(
                f"users.{people[-1].name}.floor",
                f"the floors of {names} in {group.name} come to {total} cores, its quota is {group.quota}: the floors "
                "cannot all be kept",
            )


def _limits(policy: SharePolicy) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, value in policy.limits:
        if name.lower() in seen:
            yield Finding(
                f"limits.{name}", f"{name} and {seen[name.lower()]} are one limit to HTCondor: capitals do not count"
            )
        seen[name.lower()] = name
        if name.upper() in RESERVED_LIMITS:
            yield Finding(f"limits.{name}", f"HTCondor has a setting {name.upper()}_LIMIT of its own; rename the limit")
        if value <= 0:
            yield Finding(f"limits.{name}", f"no job that names {name} would ever run; say at least 1", warning=True)
    if policy.default_limit == 0:
        yield Finding("default_limit", "every job with a limit that is not listed would wait for ever; leave it out")


def _preemption(policy: SharePolicy) -> Iterator[Finding]:
    told = policy.preemption
    never = told.requirements.lower() in ("", *NEVER)
    if told.allowed and never:
        yield Finding(
            "preemption",
            "preemption is allowed, but its `requirements` are never true: nothing would be preempted, and each cycle "
            "would look at every claimed core for nothing. Say when, or `allowed: false`",
        )
    if not told.allowed and not never:
        yield Finding(
            "preemption.requirements",
            "nobody looks at `requirements` while `allowed` is false. Say `allowed: true`, or take them out",
        )
    if told.allowed and told.requirements.lower() in ALWAYS:
        yield Finding(
            "preemption.requirements",
            "with `true` users throw each other's jobs out in turn and few ever finish; ask for a distance, such as "
            "RemoteUserPrio > SubmitterUserPrio * 1.2",
        )
    if told.rank and not told.allowed:
        yield Finding("preemption.rank", "nobody looks at `rank` while `allowed` is false", warning=True)


def _draining(policy: SharePolicy) -> Iterator[Finding]:
    told = policy.draining
    if told.per_hour <= 0:
        return
    if told.at_once == 0 or told.whole == 0:
        key = "at_once" if told.at_once == 0 else "whole"
        yield Finding(
            f"draining.{key}",
            f"{told.per_hour:g} machines are to be drained an hour, but `{key}: 0` forbids the first. Give it a "
            "number, or `per_hour: 0`",
        )


def _ages(policy: SharePolicy) -> Iterator[Finding]:
    if policy.half_life_s < SHORT_HALF_LIFE_S:
        yield Finding(
            "half_life",
            f"what somebody used is half forgotten after {policy.half_life_s} s, sooner than most jobs end: who asks "
            "last would come first. A day is usual",
            warning=True,
        )


def expressions(policy: SharePolicy) -> dict[str, str]:
    """The ClassAd expressions of a policy by their path; the negotiator exits on some that do not parse."""
    found = {
        "order": policy.order,
        "slot_weight": policy.slot_weight,
        "preemption.requirements": policy.preemption.requirements,
        "preemption.rank": policy.preemption.rank,
        "draining.requirements": policy.draining.requirements,
        "draining.whole_machine": policy.draining.whole_machine,
    }
    return {where: text for where, text in found.items() if text}


def _expressions(policy: SharePolicy, parse: Parse) -> Iterator[Finding]:
    for where, text in expressions(policy).items():
        if complaint := parse(text):
            yield Finding(
                where,
                f"is no ClassAd expression: {complaint}. The negotiator would end when it reads it, and nothing "
                "would be matched until it is mended",
            )


def _pool(policy: SharePolicy, cores: float) -> Iterator[Finding]:
    if cores <= 0:
        return
    fixed = [each for each in policy.children("") if not each.quota.dynamic]
    total = sum(each.quota.amount for each in fixed)
    if total > cores:
        yield Finding(
            path(fixed[-1].name, "quota"),
            f"{total:g} cores are promised, the pool has {cores:g}: each promise would be cut to "
            f"{cores / total * 100:.0f} % of it",
        )
    elif total == cores and any(each.quota.dynamic for each in policy.children("")):
        first = next(each for each in policy.children("") if each.quota.dynamic)
        yield Finding(
            path(first.name, "quota"),
            f"the fixed quotas take all {cores:g} cores, so {first.quota} is a part of nothing",
        )
