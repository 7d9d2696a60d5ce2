"""The route loop's decision: what the pool has against what brokerage wants, as actions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from router.decide.bars import NO_BARS, Bars, left_after
from router.decide.broker import Brokerage, Ruling, Sets
from router.decide.columns import Numbers, ShapeColumns
from router.decide.estimate import NEVER
from router.model.action import Action, Choice, Place, Release, Wait
from router.model.job import SUBMITTED_HELD, Decision, JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.task import Inputs, Shape
from router.model.world import World

MOST_DOUBLINGS = 6
"""Patience doubles with each decision, up to 64 times."""

BLOCK = 128
"""Groups decided together: they do not see what each other are given, the next block does."""


def decide(world: World, policy: BrokerPolicy) -> Iterator[Action]:
    """What to do now. The same world gives the same actions; a world they were applied to gives none.

    The oldest jobs choose first.
    """
    idle, inputs = movable(world), dict(world.inputs)
    brokerage = Brokerage.of(world, policy)
    shapes, rows = _shapes(idle, inputs, Bars.of(world, brokerage))
    columns = brokerage.columns(shapes)
    for start in range(0, len(idle), BLOCK):
        part = rows[start : start + BLOCK]
        groups = idle[start : start + BLOCK]
        counts = [group.count for group in groups]
        ruling = brokerage.rule([shapes[row] for row in part], _picked(columns, part), counts)
        yield from _block(groups, ruling, brokerage, world.now)
    yield from merges(world)


def movable(world: World) -> list[JobGroup]:
    """The idle groups that may be given sites, the oldest first."""
    idle = _alike(group for group in world.jobs if group.state is JobState.IDLE and not (group.fixed and group.sites))
    return sorted(idle, key=lambda group: (group.oldest, group.cluster, group.sites or ()))


def _alike(groups: Iterable[JobGroup]) -> list[JobGroup]:
    """Groups of a cluster that differ only in their last decision, as one: a pass that was cut short leaves such.

    They have the same sites, by which an edit tells them from others, so that they cannot be given different ones.
    """
    found: dict[object, JobGroup] = {}
    for group in groups:
        key = (group.cluster, group.sites, group.requests, group.remedy)
        if other := found.get(key):
            last = max((each.decision for each in (other, group) if each.decision), key=_order, default=None)
            group = replace(group, count=group.count + other.count, decision=last)
        found[key] = group
    return list(found.values())


def _order(decision: Decision) -> tuple[int, int]:
    return decision.epoch, decision.at


def shape_of(group: JobGroup, inputs: dict[int, Inputs], bars: Bars = NO_BARS) -> Shape:
    """The shape of a group's jobs, given what each cluster reads, and what keeps jobs from sites for a while."""
    return Shape(
        requests=group.requests,
        inputs=inputs.get(group.cluster, Inputs()),
        allow=group.allow,
        block=group.block,
        group=group.group,
        dataset=group.dataset,
        left=bars.left(group),
        writes=group.writes,
        over=bars.over.get(group.owner, ()) if group.writes else (),
        full=bars.full.get(group.owner, ()),
        avoid=group.avoided(bars.now),
    )


def _shapes(groups: Sequence[JobGroup], inputs: dict[int, Inputs], bars: Bars) -> tuple[list[Shape], list[int]]:
    """The distinct shapes, and the number of each group's."""
    numbers: dict[Shape, int] = {}
    rows = [numbers.setdefault(shape_of(group, inputs, bars), len(numbers)) for group in groups]
    return list(numbers), rows


def _picked(columns: ShapeColumns, rows: Sequence[int]) -> ShapeColumns:
    """Some rows of the columns."""
    return ShapeColumns(*(getattr(columns, name)[rows] for name in ShapeColumns.__slots__))


@dataclass(frozen=True, slots=True)
class Outlook:
    """One group's row of a ruling and of the sets."""

    ruling: Ruling
    row: int
    sets: Sets


def _block(groups: Sequence[JobGroup], ruling: Ruling, brokerage: Brokerage, now: float) -> Iterator[Action]:
    need = np.array([group.count * group.requests.cpus for group in groups], dtype=np.float32)
    total = _without_own(groups, ruling, brokerage)
    sets = brokerage.sets(total, ruling.read, need)
    chosen = sets.names(brokerage.sites)
    given = []
    for row, group in enumerate(groups):
        outlook = Outlook(ruling, row, sets)
        sites = _wanted(group, chosen[row], outlook, brokerage, now)
        if not sites:
            choice = ruling.choice(row)
            yield Wait(group.cluster, group.task, group.batch, group.count, nothing_fits(choice), choice.verdicts)
            continue
        if sites != group.sites:
            given.append(row)
        elif not under_way(group):
            continue
        choice = ruling.choice(row)
        decision = _decision(group, sites, outlook, int(now))
        if (group.sites or group.decision) and decision is not group.decision:
            decision = replace(decision, left=left_after(group, sites, choice, int(now), brokerage.policy))
        names = (group.cluster, group.task, group.batch, group.count, group.sites)
        yield Place(*names, decision, choice.verdicts, group.remedy)
    brokerage.give(sets, ruling, given)


def _without_own(groups: Sequence[JobGroup], ruling: Ruling, brokerage: Brokerage) -> Numbers:
    """The seconds of each group, as if its own jobs were neither in the queue nor reading already."""
    total = ruling.total
    for row, group in enumerate(groups):
        if group.sites:
            where, cores = brokerage.shares(group)
            codes = ruling.codes[row, where]
            codes[brokerage.newcomers[codes]] = 0
            ruling.codes[row, where] = codes
            waited = np.minimum(cores / brokerage.rate[where], ruling.wait[0, where])
            alone = ruling.wait[0, where] - waited + ruling.read[row, where] + ruling.lost[0, where]
            total[row, where] = np.where(codes > 0, NEVER, alone)
    return total


def _wanted(
    group: JobGroup, chosen: tuple[str, ...], outlook: Outlook, brokerage: Brokerage, now: float
) -> tuple[str, ...]:
    """The sites a group should have: those it has, unless one fell away, or they are so slow that more must help.

    Keeping is the rule: a changed set costs the negotiator an autocluster. What still fits is never taken away, so
    that sets only grow while jobs wait, and no job goes to and fro.
    """
    if not group.sites:
        return chosen
    ruling, row = outlook.ruling, outlook.row
    columns = [brokerage.place.get(site, -1) for site in group.sites]
    codes = {site: int(ruling.codes[row, c]) if c >= 0 else -1 for site, c in zip(group.sites, columns, strict=True)}
    fit = tuple(site for site, code in codes.items() if code == 0)
    if not fit:
        return chosen
    most = brokerage.policy.max_sites
    if any(code < 0 or not brokerage.harmless[code] for code in codes.values() if code):
        return fit if len(fit) >= most else _joined(fit, chosen, outlook, brokerage)
    if len(fit) < most and _too_slow(group, fit, outlook, brokerage, now):
        return _joined(fit, chosen, outlook, brokerage)
    return group.sites


def _joined(fit: tuple[str, ...], chosen: tuple[str, ...], outlook: Outlook, brokerage: Brokerage) -> tuple[str, ...]:
    """A set with those of `chosen` that complete jobs soonest, as far as there is room."""
    total = outlook.ruling.total[outlook.row]
    more = sorted((site for site in chosen if site not in fit), key=lambda site: total[brokerage.place[site]])
    return tuple(sorted((*fit, *more[: brokerage.policy.max_sites - len(fit)])))


def _too_slow(group: JobGroup, fit: tuple[str, ...], outlook: Outlook, brokerage: Brokerage, now: float) -> bool:
    """Whether a group has waited long enough, and would gain enough elsewhere."""
    policy, last = brokerage.policy, group.decision
    since, times = (last.at, last.epoch - 1) if last else (group.oldest, 0)
    if now - since < policy.patience_s * 2 ** min(times, MOST_DOUBLINGS):
        return False
    where = [brokerage.place[site] for site in fit]
    seconds = outlook.ruling.total[outlook.row, where]
    stay = _ends(seconds, brokerage.rate[where], brokerage.idle_for(group)[where], group)
    gain = stay - float(outlook.sets.ends[outlook.row])
    return gain > max(policy.min_gain_s, policy.min_gain * stay)


def _ends(seconds: Numbers, rate: Numbers, idle: Numbers, group: JobGroup) -> float:
    """Seconds until the last job of a group starts where it is."""
    need = group.count * group.requests.cpus
    order = np.argsort(seconds, kind="stable")
    rates = np.cumsum(rate[order])
    begun = np.cumsum(rate[order] * seconds[order] - idle[order])
    return float(np.maximum(seconds[order], (need + begun) / rates).min())


def under_way(group: JobGroup) -> bool:
    """Whether a decision was written into the jobs and never committed. One that a retry took the sites of was."""
    if group.decision is None or (group.sites is None and group.remedy and group.remedy.due >= group.decision.at):
        return False
    return group.decision.sites != (group.sites or ())


def _decision(group: JobGroup, sites: tuple[str, ...], outlook: Outlook, now: int) -> Decision:
    """The decision that takes a group to `sites`; one that was under way to the same sites is taken up again."""
    last, cut_short = group.decision, under_way(group)
    if last and cut_short and last.sites == sites:
        return last
    moves = 0 if last is None else last.moves - int(cut_short and bool(last.came_from))
    epoch = 1 + (last.epoch if last else 0)
    if not group.sites or sites == group.sites:
        tag = "kept" if group.sites else "placed"
        best = int(outlook.sets.best[outlook.row, 0])
        words = f"{tag} at {' or '.join(sites)}: {_why(outlook.ruling, outlook.row, best)}"
        return Decision(epoch, moves, sites, (), tag, words, now)
    if set(group.sites) <= set(sites):
        there = _duration(int(outlook.sets.ends[outlook.row]))
        words = f"widened from {','.join(group.sites)} to {','.join(sites)}: the last job could start in {there}"
        return Decision(epoch, moves, sites, (), "widened", words, now)
    tag, words = _grounds(group.sites, outlook)
    moved = f"moved from {','.join(group.sites)} to {','.join(sites)}: {words}"
    return Decision(epoch, moves + 1, sites, group.sites, tag, moved, now)


def _grounds(sites: tuple[str, ...], outlook: Outlook) -> tuple[str, str]:
    """Tag and words of why jobs leave some of `sites`."""
    choice = outlook.ruling.choice(outlook.row)
    lost = [site for site in sites if choice.refusal_words(site)]
    return choice.refusal_tag(lost[0]), "; ".join(f"{site} {choice.refusal_words(site)}" for site in lost)


def _why(ruling: Ruling, row: int, best: int) -> str:
    wait, read, lost = ruling.wait[0, best], ruling.read[row, best], ruling.lost[0, best]
    words = f"at {ruling.sites[best].name} a job starts in {_duration(int(wait))}, reads in {_duration(int(read))}"
    return words + (f", loses {_duration(int(lost))} in failures" if lost >= 1 else "")


@lru_cache(maxsize=4096)
def _duration(seconds: int) -> str:
    """A time as people say it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds} s"


def nothing_fits(choice: Choice) -> str:
    """Why jobs wait: the refusal of every site."""
    if not len(choice.verdicts):
        return "no site is known; declare sites in glideroute.yaml"
    return "no site can run it: " + "; ".join(
        f"{verdict.site} {verdict.refusal.words}" for verdict in choice.verdicts if verdict.refusal
    )


def merges(world: World) -> Iterator[Action]:
    """Release each merge job whose parts are all there."""
    held = {group.cluster for group in world.jobs if group.state is JobState.HELD and group.hold_code == SUBMITTED_HELD}
    for progress in world.progress:
        if progress.merge_cluster in held and progress.finished >= progress.expected:
            yield Release(progress.merge_cluster, progress.task, f"all {progress.expected} parts are there")
