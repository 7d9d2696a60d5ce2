"""What a policy would change of what runs, in words."""

from collections.abc import Iterator, Mapping

from router.model.shares import UNLIMITED, Draining, Group, SharePolicy, SubmitterSetting


def differences(runs: SharePolicy, wanted: SharePolicy) -> tuple[str, ...]:
    """What the negotiator would do otherwise; empty when nothing."""
    return (*_groups(runs, wanted), *_pool(runs, wanted), *_limits(runs, wanted), *_preemption(runs, wanted))


def _groups(runs: SharePolicy, wanted: SharePolicy) -> Iterator[str]:
    before = {each.name.lower(): each for each in runs.groups}
    after = {each.name.lower(): each for each in wanted.groups}
    for name, group in after.items():
        if name not in before:
            yield f"group {group.name} is new: quota {group.quota}{_of(group)}, {_surplus(group)}"
        else:
            yield from _group(before[name], group)
    for name, group in before.items():
        if name not in after:
            yield f"group {group.name} goes ({group.quota}{_of(group)}); jobs that name it count to the group above"


def _group(before: Group, after: Group) -> Iterator[str]:
    if before.quota != after.quota:
        yield f"group {after.name}: quota {before.quota} becomes {after.quota}{_of(after)}"
    if before.surplus != after.surplus:
        yield f"group {after.name} {_surplus(after)}"
    if before.factor != after.factor:
        yield f"group {after.name}: priority factor {_factor(before.factor)} becomes {_factor(after.factor)}"


def _of(group: Group) -> str:
    return (f" of {group.parent}" if group.parent else " of the pool") if group.quota.dynamic else ""


def _surplus(group: Group) -> str:
    return "may use what others leave" if group.surplus else "never gets more than its quota"


def _factor(factor: float) -> str:
    return f"{factor:g}" if factor else "the default"


def _pool(runs: SharePolicy, wanted: SharePolicy) -> Iterator[str]:
    if runs.half_life_s != wanted.half_life_s:
        yield f"half-life: {runs.half_life_s:,} s becomes {wanted.half_life_s:,} s"
    if runs.default_factor != wanted.default_factor:
        yield f"default priority factor: {runs.default_factor:g} becomes {wanted.default_factor:g}"
    if runs.slot_weight != wanted.slot_weight:
        yield f"a slot counts as {wanted.slot_weight}, now as {runs.slot_weight}"
    if runs.order != wanted.order:
        yield f"groups are served by {wanted.order or 'need'}, now by {runs.order or 'need'}"
    if runs.draining != wanted.draining:
        yield f"draining: {_draining(wanted.draining)}, now {_draining(runs.draining)}"


def _draining(draining: Draining) -> str:
    if draining.per_hour <= 0:
        return "none"
    return f"{draining.per_hour:g} machines an hour, {draining.at_once} at once, up to {draining.whole} whole"


def _limits(runs: SharePolicy, wanted: SharePolicy) -> Iterator[str]:
    before = {name.lower(): (name, value) for name, value in runs.limits}
    after = {name.lower(): (name, value) for name, value in wanted.limits}
    for low, (name, value) in sorted(after.items()):
        if low not in before:
            yield f"limit {name} is new: {value:g} jobs"
        elif before[low][1] != value:
            yield f"limit {name}: {before[low][1]:g} becomes {value:g} jobs"
    yield from (f"limit {before[low][0]} goes" for low in sorted(before.keys() - after.keys()))
    if runs.default_limit != wanted.default_limit:
        yield f"limits not listed: {_bound(runs.default_limit)} becomes {_bound(wanted.default_limit)}"


def _bound(value: float) -> str:
    return "none" if value < 0 else f"{value:g}"


def _preemption(runs: SharePolicy, wanted: SharePolicy) -> Iterator[str]:
    before, after = runs.preemption, wanted.preemption
    if before.allowed != after.allowed:
        yield (
            "running jobs may be ended for others" if after.allowed else "no running job is ended for another any more"
        )
    elif after.allowed and before != after:
        yield f"preemption: when {after.requirements} (rank {after.rank or 'none'}), now when {before.requirements}"


def submitter_changes(
    policy: SharePolicy, holds: Mapping[str, SubmitterSetting], domain: str
) -> tuple[tuple[str, str, float], ...]:
    """What to tell the accountant: submitter, `factor`, `ceiling` or `floor`, and its value; the names are whole.

    A factor is stored with a user's first job and then outlives every change of configuration, so users of whom the
    accountant has a record are set one by one, whether the policy names them or not.
    """
    named = {f"{each.submitter}@{domain}": each for each in policy.settings()}
    everyone = {**{name: policy.setting(name.rpartition("@")[0]) for name in holds}, **named}
    nothing = SubmitterSetting("", 0.0)
    changes: list[tuple[str, str, float]] = []
    for name, wanted in sorted(everyone.items()):
        held = holds.get(name, nothing)
        if wanted.factor != held.factor:
            changes.append((name, "factor", wanted.factor))
        if wanted.ceiling != held.ceiling:
            changes.append((name, "ceiling", float(wanted.ceiling)))
        if wanted.floor != held.floor:
            changes.append((name, "floor", float(wanted.floor)))
    return tuple(changes)


def told(change: tuple[str, str, float]) -> str:
    """A change of a submitter, in words."""
    name, kind, value = change
    if kind == "ceiling" and value == UNLIMITED:
        return f"submitter {name}: no ceiling any more"
    return f"submitter {name}: {kind} becomes {value:g}"
