"""The route loop's decision: what the pool has against what brokerage wants, as actions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from router.decide.broker import Brokerage, Ruling, Sets
from router.decide.columns import Numbers, ShapeColumns
from router.decide.estimate import NEVER
from router.model.action import Action, Choice, Place, Release, Wait
from router.model.job import SUBMITTED_HELD, Decision, JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.task import Inputs, Shape
from router.model.world import World

BLOCK = 128
"""Groups decided together: they do not see what each other are given, the next block does."""


def decide(world: World, policy: BrokerPolicy) -> Iterator[Action]:
    """What to do now. The same world gives the same actions; a world they were applied to gives none.

    The oldest jobs choose first.
    """
    idle = [group for group in world.jobs if group.state is JobState.IDLE and not (group.fixed and group.sites)]
    idle.sort(key=lambda group: (group.oldest, group.cluster, group.sites or ()))
    shapes, rows = _shapes(idle, dict(world.inputs))
    brokerage = Brokerage(world.sites, policy, world.jobs)
    columns = brokerage.columns(shapes)
    for start in range(0, len(idle), BLOCK):
        part = rows[start : start + BLOCK]
        ruling = brokerage.rule([shapes[row] for row in part], _picked(columns, part))
        yield from _block(idle[start : start + BLOCK], ruling, brokerage, world.now)
    yield from _merges(world)


def shape_of(group: JobGroup, inputs: dict[int, Inputs]) -> Shape:
    """The shape of a group's jobs, given what each cluster reads."""
    return Shape(
        group.requests, inputs.get(group.cluster, Inputs()), group.allow, group.block, group.group, group.dataset
    )


def _shapes(groups: Sequence[JobGroup], inputs: dict[int, Inputs]) -> tuple[list[Shape], list[int]]:
    """The distinct shapes, and the number of each group's."""
    numbers: dict[Shape, int] = {}
    rows = [numbers.setdefault(shape_of(group, inputs), len(numbers)) for group in groups]
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
    sets = brokerage.sets(total, need)
    chosen = sets.names(brokerage.sites)
    given = []
    for row, group in enumerate(groups):
        outlook = Outlook(ruling, row, sets)
        sites = chosen[row] if _question(group, outlook, total, brokerage, now) else group.sites or ()
        if not sites:
            choice = ruling.choice(row)
            yield Wait(group.cluster, group.task, group.batch, group.count, _nothing_fits(choice), choice.verdicts)
            continue
        if sites != group.sites:
            given.append(row)
        elif not _under_way(group):
            continue
        choice = ruling.choice(row)
        decision = _decision(group, sites, outlook, int(now))
        yield Place(group.cluster, group.task, group.batch, group.count, group.sites, decision, choice.verdicts)
    brokerage.give(sets, given)


def _without_own(groups: Sequence[JobGroup], ruling: Ruling, brokerage: Brokerage) -> Numbers:
    """The seconds of each group, as if its own jobs were not in the queue already."""
    total = ruling.total
    for row, group in enumerate(groups):
        if group.sites:
            where, cores = brokerage.shares(group)
            waited = np.minimum(cores / brokerage.rate[where], ruling.wait[0, where])
            total[row, where] = np.where(ruling.codes[row, where] > 0, NEVER, total[row, where] - waited)
    return total


def _question(group: JobGroup, outlook: Outlook, total: Numbers, brokerage: Brokerage, now: float) -> bool:
    """Whether a group gets the new set: it has none, one of its sites fell away, or the gain is worth the move.

    Keeping is the rule: a changed set costs the negotiator an autocluster and the jobs their place in it.
    """
    if not group.sites:
        return True
    ruling, row = outlook.ruling, outlook.row
    where = [brokerage.place.get(site, -1) for site in group.sites]
    if min(where) < 0 or total[row, where].min() >= NEVER:
        return True
    codes = ruling.codes[row, where]
    if (codes[~brokerage.harmless[codes]] > 0).any():
        return True
    where = [column for column in where if total[row, column] < NEVER]
    policy = brokerage.policy
    if now - (group.decision.at if group.decision else group.oldest) < policy.patience_s:
        return False
    stay = _ends(total[row, where], brokerage.rate[where], brokerage.idle_for(group)[where], group)
    gain = stay - float(outlook.sets.ends[row])
    return gain > max(policy.min_gain_s, policy.min_gain * stay)


def _ends(seconds: Numbers, rate: Numbers, idle: Numbers, group: JobGroup) -> float:
    """Seconds until the last job of a group starts where it is."""
    need = group.count * group.requests.cpus
    order = np.argsort(seconds, kind="stable")
    rates = np.cumsum(rate[order])
    begun = np.cumsum(rate[order] * seconds[order] - idle[order])
    return float(np.maximum(seconds[order], (need + begun) / rates).min())


def _under_way(group: JobGroup) -> bool:
    """Whether a decision was written into the jobs and never committed."""
    return group.decision is not None and group.decision.sites != (group.sites or ())


def _decision(group: JobGroup, sites: tuple[str, ...], outlook: Outlook, now: int) -> Decision:
    """The decision that takes a group to `sites`; one that was under way to the same sites is taken up again."""
    last, under_way = group.decision, _under_way(group)
    if last and under_way and last.sites == sites:
        return last
    moves = 0 if last is None else last.moves - int(under_way and bool(last.came_from))
    epoch = 1 + (last.epoch if last else 0)
    if not group.sites or sites == group.sites:
        tag = "kept" if group.sites else "placed"
        best = int(outlook.sets.best[outlook.row, 0])
        words = f"{tag} at {' or '.join(sites)}: {_why(outlook.ruling, outlook.row, best)}"
        return Decision(epoch, moves, sites, (), tag, words, now)
    tag, words = _grounds(group.sites, outlook)
    moved = f"moved from {','.join(group.sites)} to {','.join(sites)}: {words}"
    return Decision(epoch, moves + 1, sites, group.sites, tag, moved, now)


def _grounds(sites: tuple[str, ...], outlook: Outlook) -> tuple[str, str]:
    """Tag and words of why jobs leave `sites`."""
    choice = outlook.ruling.choice(outlook.row)
    lost = [site for site in sites if choice.refusal_words(site)]
    if lost:
        return choice.refusal_tag(lost[0]), "; ".join(f"{site} {choice.refusal_words(site)}" for site in lost)
    there = _duration(int(outlook.sets.ends[outlook.row]))
    return "sooner-elsewhere", f"the last of them would start in {there} there, much later here"


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


def _nothing_fits(choice: Choice) -> str:
    if not len(choice.verdicts):
        return "no site is known; declare sites in glideroute.yaml"
    return "no site can run it: " + "; ".join(
        f"{verdict.site} {verdict.refusal.words}" for verdict in choice.verdicts if verdict.refusal
    )


def _merges(world: World) -> Iterator[Action]:
    """Release each merge job whose parts are all there."""
    held = {group.cluster for group in world.jobs if group.state is JobState.HELD and group.hold_code == SUBMITTED_HELD}
    for progress in world.progress:
        if progress.merge_cluster in held and progress.finished >= progress.expected:
            yield Release(progress.merge_cluster, progress.task, f"all {progress.expected} parts are there")
