"""A fair-share policy as HTCondor configuration, and such configuration read back.

Every setting is written out, defaults included: what an earlier file or the distribution says then never shows
through, and a negotiator that runs the policy differs in nothing. Two files, since the negotiator and the schedd may
be on two machines.
"""

from collections.abc import Mapping
from pathlib import Path

from router.model.shares import EVERYBODY, RESERVED_LIMITS, Draining, Group, Preemption, Quota, SharePolicy
from router.render.pool_config import condor_value
from router.render.templates import environment

ORDER = (
    'ifThenElse(AccountingGroup =?= "<none>", 3.4e+38, '
    "ifThenElse(GroupQuota > 0, GroupResourcesInUse / GroupQuota, 3.3e+38))"
)
"""HTCondor's own: the group that has the least of its quota first, those without a group last."""
NO_LIMIT = 2308032
"""What HTCondor takes for a limit that nobody set."""
WHOLE_MACHINE = "Cpus == TotalSlotCpus"
SHARES_FILE = "60-glideroute-shares.config"
GROUPS_FILE = "61-glideroute-groups.config"
MAP_FILE = "glideroute-groups.map"
FILES = (SHARES_FILE, GROUPS_FILE, MAP_FILE)


def settings(policy: SharePolicy) -> dict[str, str]:
    """The negotiator's and condor_defrag's settings, by name."""
    told = {
        "GROUP_NAMES": ", ".join(each.name for each in policy.groups),
        "GROUP_ACCEPT_SURPLUS": "False",
        "GROUP_AUTOREGROUP": "False",
        "NEGOTIATOR_ALLOW_QUOTA_OVERSUBSCRIPTION": "False",
        "NEGOTIATOR_STRICT_ENFORCE_QUOTA": "True",
        "NEGOTIATOR_USE_SLOT_WEIGHTS": "True",
        "GROUP_SORT_EXPR": policy.order or ORDER,
        "PRIORITY_HALFLIFE": str(policy.half_life_s),
        "DEFAULT_PRIO_FACTOR": _text(policy.default_factor),
        "SLOT_WEIGHT": policy.slot_weight,
        "FORCE_NEGOTIATOR_SLOT_WEIGHT": "True",
        "NEGOTIATOR_CONSIDER_PREEMPTION": str(policy.preemption.allowed),
        "PREEMPTION_REQUIREMENTS": policy.preemption.requirements or "False",
        "PREEMPTION_RANK": policy.preemption.rank,
        "CONCURRENCY_LIMIT_DEFAULT": _text(NO_LIMIT if policy.default_limit < 0 else policy.default_limit),
    }
    for group in policy.groups:
        told |= _group(group)
    for name, value in policy.limits:
        told[f"{name}_LIMIT"] = _text(value)
    return told | _draining(policy.draining)


def _group(group: Group) -> dict[str, str]:
    kind = "GROUP_QUOTA_DYNAMIC" if group.quota.dynamic else "GROUP_QUOTA"
    told = {f"{kind}_{group.name}": _text(group.quota.amount), f"GROUP_ACCEPT_SURPLUS_{group.name}": str(group.surplus)}
    if group.factor:
        told[f"GROUP_PRIO_FACTOR_{group.name}"] = _text(group.factor)
    return told


def _draining(draining: Draining) -> dict[str, str]:
    told = {"DEFRAG_DRAINING_MACHINES_PER_HOUR": _text(draining.per_hour)}
    if draining.per_hour > 0:
        told |= {
            "DEFRAG_MAX_CONCURRENT_DRAINING": str(draining.at_once),
            "DEFRAG_MAX_WHOLE_MACHINES": str(draining.whole),
            "DEFRAG_REQUIREMENTS": draining.requirements or "PartitionableSlot && Offline =!= True",
            "DEFRAG_WHOLE_MACHINE_EXPR": draining.whole_machine or WHOLE_MACHINE,
        }
    return told


def group_map(policy: SharePolicy) -> str:
    """The map of users, and of groups in tokens, to the groups they may name; that of jobs that name none first."""
    lines = [f"* {user} {','.join(found)}\n" for user in policy.users() if (found := policy.groups_of(user))]
    # Without the quotes HTCondor would read a name that begins with a slash as a pattern, of any part of any name.
    lines += [f'* "{group}" {",".join(policy.groups_of(group))}\n' for group in policy.token_groups()]
    if everyone := [each.name for each in policy.groups if EVERYBODY in each.members]:
        lines.append(f"* /.*/ {','.join(everyone)}\n")
    return "".join(lines)


def render(policy: SharePolicy, templates: Path, source: str, map_file: Path | None = None) -> dict[str, str]:
    """The files by name: the negotiator's, the schedd's, and the map the schedd's names.

    `map_file` is where the map will lie; the schedd's two files are left out when no group names members.
    """
    made = environment(templates, condor_value)
    negotiator = made.get_template("negotiator.config.j2")
    told = {SHARES_FILE: negotiator.render(settings=settings(policy), policy=policy, source=source)}
    if map_file is not None and (people := group_map(policy)):
        schedd = made.get_template("schedd.config.j2")
        told[GROUPS_FILE] = schedd.render(map_file=map_file, source=source)
        told[MAP_FILE] = people
    return told


def parse(text: str) -> dict[str, str]:
    """The settings of a rendered file, by name: one `NAME = value` a line, comments and `use` left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#") and name.strip():
            found[name.strip()] = value.strip()
    return found


def read_back(told: Mapping[str, str]) -> SharePolicy:
    """The policy that settings amount to, whoever wrote them; what no policy can say is left out.

    Priority factors, ceilings and floors of users are no settings: the accountant holds them.
    """
    found = {name.lower(): value.strip() for name, value in told.items()}
    names = [name for name in found.get("group_names", "").replace(",", " ").split() if name]
    surplus = found.get("group_accept_surplus", "")
    groups = [_read_group(name, found, surplus) for name in sorted(names, key=lambda each: each.count("."))]
    requirements, order = found.get("preemption_requirements", ""), found.get("group_sort_expr", "")
    default_limit = _number(found.get("concurrency_limit_default", ""), NO_LIMIT)
    return SharePolicy(
        groups=_preorder(groups),
        half_life_s=int(_number(found.get("priority_halflife", ""), 86_400)),
        default_factor=_number(found.get("default_prio_factor", ""), 1000.0),
        slot_weight=found.get("slot_weight", "Cpus"),
        order="" if _squeezed(order) == _squeezed(ORDER) else order,
        limits=tuple(sorted(_read_limits(told))),
        default_limit=-1.0 if default_limit == NO_LIMIT else default_limit,
        preemption=Preemption(
            _true(found.get("negotiator_consider_preemption", "true")),
            "" if requirements.lower() == "false" else requirements,
            found.get("preemption_rank", ""),
        ),
        draining=_read_draining(found),
    )


def _read_group(name: str, found: Mapping[str, str], surplus: str) -> Group:
    low = name.lower()
    static = found.get(f"group_quota_{low}")
    amount = _number(static if static is not None else found.get(f"group_quota_dynamic_{low}", ""), 0.0)
    return Group(
        name=name,
        quota=Quota(amount, static is None),
        surplus=_true(found.get(f"group_accept_surplus_{low}", surplus)),
        factor=_number(found.get(f"group_prio_factor_{low}", ""), 0.0),
    )


def _read_limits(told: Mapping[str, str]) -> list[tuple[str, float]]:
    return [(name[: -len("_LIMIT")], _number(value, 0.0)) for name, value in told.items() if is_limit(name)]


def is_limit(name: str) -> bool:
    """Whether a setting can be a concurrency limit of a policy. HTCondor's own names end in `_LIMIT` too."""
    limit, _, last = name.upper().rpartition("_")
    return last == "LIMIT" and limit not in RESERVED_LIMITS


def _read_draining(found: Mapping[str, str]) -> Draining:
    per_hour = _number(found.get("defrag_draining_machines_per_hour", ""), 0.0)
    if per_hour <= 0:
        return Draining()
    whole = found.get("defrag_whole_machine_expr", "")
    return Draining(
        per_hour=per_hour,
        at_once=int(_number(found.get("defrag_max_concurrent_draining", ""), -1)),
        whole=int(_number(found.get("defrag_max_whole_machines", ""), -1)),
        requirements=found.get("defrag_requirements", ""),
        whole_machine="" if whole == WHOLE_MACHINE else whole,
    )


def _preorder(groups: list[Group], above: str = "") -> tuple[Group, ...]:
    found: list[Group] = []
    for group in groups:
        if group.parent == above:
            found.extend((group, *_preorder(groups, group.name)))
    return tuple(found)


def same(one: str, other: str) -> bool:
    """Whether two values are one to HTCondor, which keeps its default's spelling where only that differs."""
    return one.casefold() == other.casefold() or _number(one, -1.5) == _number(other, -2.5)


def _text(number: float) -> str:
    return f"{number:.12g}"


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _true(text: str) -> bool:
    return text.strip().lower() in ("true", "t", "yes", "1")


def _squeezed(text: str) -> str:
    return "".join(text.split()).lower()
