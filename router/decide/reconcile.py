"""The route loop's decision: what the pool has against what brokerage wants, as actions."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from router.decide import lost_input
from router.decide.bars import NO_BARS, Bars, left_after
from router.decide.broker import Brokerage, Ruling, Sets, Verdicts
from router.decide.columns import Booleans, ShapeColumns
from router.decide.groups import GroupColumns, group_columns
from router.decide.probe import probes, without
from router.decide.reuse import InUse
from router.decide.share_queue import share_of
from router.decide.tail import tails
from router.model.action import Action, Choice, Place, Release, Verdict, Wait
from router.model.job import SUBMITTED_HELD, Decision, JobGroup, JobState, Kind, Source
from router.model.policy import BrokerPolicy
from router.model.task import Inputs, Shape
from router.model.world import World

MOST_DOUBLINGS = 6
"""Patience doubles with each decision, up to 64 times."""

MOST_TOLD = 10
"""Sites whose reasons stand in the words of a job that waits; `why` tells those of all."""

DAY_S = 86400
ROUND_S = (60, 300, 1200, 3600, 3 * 3600, 12 * 3600, DAY_S, 3 * DAY_S, 7 * DAY_S, 30 * DAY_S)
"""Times in the words of decisions, in seconds: few, so that many decisions have equal words."""
UNITS = (("d", DAY_S), ("h", 3600), ("min", 60), ("s", 1))

BLOCK = 128
"""Groups decided together: they do not see what each other are given, the next block does."""


def decide(world: World, policy: BrokerPolicy) -> Iterator[Action]:
    """What to do now. The same world gives the same actions; a world they were applied to gives none.

    The oldest jobs choose first.
    """
    mixed, inputs = mixed_clusters(world.jobs), dict(world.inputs)
    idle = movable(world, mixed)
    brokerage = Brokerage.of(world, policy)
    bars = Bars.of(world, brokerage)
    idle, stranded = lost_input.parted(idle, inputs)
    for group in stranded:
        verdicts, kind = brokerage.judge(shape_of(group, inputs, bars)), group.kind if group.cluster in mixed else None
        yield from lost_input.told(group, verdicts, kind, int(world.now), policy)
    if probed := probes(world, idle, brokerage, lambda group: shape_of(group, inputs, bars)):
        for number, place in probed:
            yield replace(place, kind=idle[number].kind if place.cluster in mixed else None)
        idle = without(idle, probed)
    shapes, rows = _shapes(idle, inputs, bars)
    columns, groups = brokerage.columns(shapes), group_columns(idle, brokerage.place)
    used = InUse(world.jobs, brokerage.place)
    last = tails(world, inputs, policy)
    for start in range(0, len(idle), BLOCK):
        block = slice(start, start + BLOCK)
        ruling = brokerage.rule([shapes[row] for row in rows[block]], _picked(columns, rows[block]))
        begun = Begun(used, last, world.now)
        for group, outlook in _block(idle[block], groups.part(block), ruling, brokerage, begun):
            yield from _act(group, outlook, brokerage, int(world.now), group.kind if group.cluster in mixed else None)
    yield from merges(world)


def mixed_clusters(jobs: Iterable[JobGroup]) -> frozenset[int]:
    """The clusters whose jobs are of several kinds."""
    first: dict[int, JobGroup] = {}
    return frozenset(
        group.cluster
        for group in jobs
        if (other := first.setdefault(group.cluster, group)) is not group and other.kind != group.kind
    )


def movable(world: World, mixed: Container[int]) -> list[JobGroup]:
    """The idle groups that may be given sites, the oldest first; `mixed` are the clusters of several kinds."""
    groups = (group for group in world.jobs if group.state is JobState.IDLE and not (group.fixed and group.sites))
    return sorted(_alike(groups, mixed), key=lambda group: (group.oldest, group.cluster, group.sites or ()))


def _alike(groups: Iterable[JobGroup], mixed: Container[int]) -> list[JobGroup]:
    """Groups of a cluster that differ only in their last decision, as one: a pass that was cut short leaves such.

    They have the same sites, by which an edit tells them from others, so that they cannot be given different ones.
    """
    found: dict[object, JobGroup] = {}
    for group in groups:
        key = (group.cluster, group.sites, group.kind if group.cluster in mixed else None)
        if other := found.get(key):
            group = replace(group, count=group.count + other.count, decision=_last(other, group))
        found[key] = group
    return list(found.values())


def _last(*groups: JobGroup) -> Decision | None:
    """The last decision of groups that count as one; one that was cut short, where there is: all are told anew."""
    made = [group.decision for group in groups if group.decision]
    begun = [group.decision for group in groups if group.decision and group.under_way]
    last = max(made, key=_order, default=None)
    return replace(max(begun, key=_order), epoch=last.epoch) if begun and last else last


def _order(decision: Decision) -> tuple[int, int]:
    return decision.epoch, decision.at


def shape_of(group: JobGroup, inputs: dict[Source, Inputs], bars: Bars = NO_BARS) -> Shape:
    """The shape of a group's jobs, given what jobs read, and what keeps jobs from sites for a while."""
    return Shape(
        requests=group.requests,
        inputs=inputs.get(group.source, Inputs()),
        allow=group.allow,
        block=group.block,
        group=group.group,
        dataset=group.dataset,
        left=bars.left(group),
        writes=group.writes,
        over=bars.over.get(group.owner, ()) if group.writes else (),
        full=bars.full.get(group.owner, ()),
        late=bars.late.get(share_of(group.group, group.owner), ()),
        avoid=group.avoided(bars.now),
    )


def _shapes(groups: Sequence[JobGroup], inputs: dict[Source, Inputs], bars: Bars) -> tuple[list[Shape], list[int]]:
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
    chosen: tuple[str, ...]
    """The set of that row."""
    lost: bool
    """Whether the group has to leave a site, or can start at none that it has."""
    widened: bool
    """Whether it has waited long enough, and would gain enough with further sites."""
    tail: bool
    """Whether it is widened for being the last of its task that waits."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What all groups of a pass have in common."""

    used: InUse
    tails: frozenset[str]
    """Tasks of which only a few jobs wait still."""
    now: float


@dataclass(frozen=True, slots=True)
class Share:
    """Some jobs of a group, and the sites that they should have."""

    count: int
    names: tuple[str, ...]
    sets: Sets
    row: int
    """Of the sets."""


def _block(
    groups: Sequence[JobGroup], columns: GroupColumns, ruling: Ruling, brokerage: Brokerage, begun: Begun
) -> Iterator[tuple[JobGroup, Outlook]]:
    """The groups for which something may have to be done."""
    policy = brokerage.policy
    stay = brokerage.stay(columns, ruling)
    sets = brokerage.sets(ruling, columns.cores)
    sets = begun.used.reused(sets, ruling, columns.cores, columns.of == 0, brokerage)
    chosen = sets.names(brokerage.sites)
    lost = _lost(columns, ruling, brokerage)
    gain = stay - sets.ends
    slow = gain > np.maximum(policy.min_gain_s, policy.min_gain * stay)
    small = columns.sizes[columns.of] < policy.max_sites
    late = np.array([group.task in begun.tails for group in groups]) & (gain > policy.tail_gain_s)
    told = zip(groups, lost.tolist(), (slow & small).tolist(), (late & small).tolist(), strict=True)
    for row, (group, is_lost, is_slow, is_late) in enumerate(told):
        tail = is_late and bool(group.sites) and _waits(group, policy.tail_wait_s, begun.now)
        widened = tail or (is_slow and bool(group.sites) and _is_due(group, brokerage, begun.now))
        if is_lost and _tired(group, ruling.codes[row], brokerage):
            is_lost = False
        if not group.sites or is_lost or widened or group.under_way:
            yield group, Outlook(ruling, row, sets, chosen[row], is_lost, widened, tail)


def _lost(columns: GroupColumns, ruling: Ruling, brokerage: Brokerage) -> Booleans:
    """(G,): whether a site of each group's set refuses it in a way that harms, or is unknown, or all refuse it."""
    placed = columns.placed
    harmed = placed & (ruling.codes > 0) & ~brokerage.harmless[ruling.codes]
    found: Booleans = harmed.any(axis=1) | columns.strange[columns.of] | ~(placed & (ruling.codes == 0)).any(axis=1)
    return found


def _tired(group: JobGroup, codes: np.ndarray, brokerage: Brokerage) -> bool:
    """Whether jobs were moved often, and only what the router itself holds against their sites would move them."""
    if group.decision is None or group.decision.moves < brokerage.policy.most_moves:
        return False
    known = [brokerage.place.get(site) for site in group.sites or ()]
    opinions = brokerage.opinions
    return all(column is not None and (not codes[column] or opinions[codes[column]]) for column in known)


def _is_due(group: JobGroup, brokerage: Brokerage, now: float) -> bool:
    """Whether a group has waited long enough to be widened: longer each time, unless none of its sites has a glidein.

    A site may have none for days, while the storage there serves. Where all glideins went away at once, nobody waits.
    """
    last = group.decision
    since, times = (last.at, last.epoch - 1) if last else (group.oldest, 0)
    patience = brokerage.policy.patience_s
    known = [brokerage.sites[brokerage.place[site]] for site in group.sites or () if site in brokerage.place]
    if known and all(site.vanished for site in known):
        return True
    if now - since < patience:
        return False
    if not any(site.cores for site in known):
        return True
    return bool(now - since >= patience * 2 ** min(times, MOST_DOUBLINGS))


def _waits(group: JobGroup, seconds: float, now: float) -> bool:
    """Whether a group has had its sites for so long."""
    return now - (group.decision.at if group.decision else group.oldest) >= seconds


def _act(group: JobGroup, outlook: Outlook, brokerage: Brokerage, now: int, kind: Kind | None) -> Iterator[Action]:
    """Give a group's jobs the sites that they should have; those that nothing fits wait."""
    fit = _fit(group, outlook, brokerage)
    left, verdicts = group.count, outlook.ruling.verdicts(outlook.row)
    for share in _shares(group, fit, outlook, brokerage):
        left -= share.count
        if share.names != group.sites:
            local = outlook.ruling.local[outlook.row]
            brokerage.give(share.sets, local, share.row, share.count, share.count / group.count)
        elif not group.under_way:
            continue
        decision = _decision(group, share, outlook, now)
        if (group.sites or group.decision) and decision is not group.decision:
            left_sites = left_after(group, share.names, Choice(verdicts), now, brokerage.policy)
            decision = replace(decision, left=left_sites)
        yield Place(group.cluster, group.task, group.batch, share.count, group.sites, decision, verdicts, kind)
    if left and not fit:
        if left < group.count:
            verdicts = brokerage.judge(outlook.ruling.shapes[outlook.row])
        yield Wait(group.cluster, group.task, group.batch, left, nothing_fits(verdicts), verdicts)


def _fit(group: JobGroup, outlook: Outlook, brokerage: Brokerage) -> tuple[str, ...]:
    """The sites of a group that do not refuse it."""
    known = [(site, brokerage.place[site]) for site in group.sites or () if site in brokerage.place]
    return tuple(site for site, column in known if not outlook.ruling.codes[outlook.row, column])


def _shares(group: JobGroup, fit: tuple[str, ...], outlook: Outlook, brokerage: Brokerage) -> Iterator[Share]:
    """The sites that a group's jobs should have; jobs in no share keep what they have.

    Keeping is the rule: a changed set costs the negotiator an autocluster. What still fits is never taken away, so
    that sets only grow while jobs wait, and no job goes to and fro. Only as many jobs are let read from a storage
    elsewhere as it can feed; the others stay near their input.
    """
    sets, row, ruling = outlook.sets, outlook.row, outlook.ruling
    if fit and not outlook.lost and not outlook.widened:
        yield Share(group.count, group.sites or (), sets, row)
        return
    count = brokerage.sent(sets, ruling, row, group.count)
    names = _joined(fit, outlook.chosen, outlook, brokerage)
    if count and names:
        yield Share(count, names, sets, row)
    if count == group.count or (fit and not outlook.lost):
        return
    rest = group.count - count
    cores = np.array([rest * group.requests.cpus], dtype=np.float32)
    near = brokerage.sets(ruling, cores, slice(row, row + 1), near=True)
    if names := _joined(fit, near.names(brokerage.sites)[0], outlook, brokerage):
        yield Share(rest, names, near, 0)


def _joined(fit: tuple[str, ...], chosen: tuple[str, ...], outlook: Outlook, brokerage: Brokerage) -> tuple[str, ...]:
    """A set with those of `chosen` that complete jobs soonest, as far as there is room."""
    total = outlook.ruling.total[outlook.row]
    more = sorted((site for site in chosen if site not in fit), key=lambda site: total[brokerage.place[site]])
    return tuple(sorted((*fit, *more[: max(0, brokerage.policy.max_sites - len(fit))])))


def _decision(group: JobGroup, share: Share, outlook: Outlook, now: int) -> Decision:
    """The decision that gives a share its sites; one that was under way to the same sites is taken up again."""
    last, cut_short, sites = group.decision, group.under_way, share.names
    if last and cut_short and last.sites == sites:
        return last
    moves = 0 if last is None else last.moves - int(cut_short and bool(last.came_from))
    epoch = 1 + (last.epoch if last else 0)
    if not group.sites or sites == group.sites:
        tag = "kept" if group.sites else "placed"
        best = int(share.sets.best[share.row, 0])
        there = "there" if len(sites) == 1 else "at the best"
        words = f"{tag} at {' or '.join(sites)}: {there} {_why(outlook.ruling, outlook.row, best)}"
        return Decision(epoch, moves, sites, (), tag, words, now)
    if set(group.sites) <= set(sites):
        there = rounded(float(share.sets.ends[share.row]))
        tag, why = _wider(group.sites, sites, outlook)
        words = f"widened from {','.join(group.sites)} to {','.join(sites)}: {why}the last job could start in {there}"
        return Decision(epoch, moves, sites, (), tag, words, now)
    tag, words = _grounds(group.sites, outlook)
    moved = f"moved from {','.join(group.sites)} to {','.join(sites)}: {words}"
    return Decision(epoch, moves + 1, sites, group.sites, tag, moved, now)


def _wider(old: tuple[str, ...], new: tuple[str, ...], outlook: Outlook) -> tuple[str, str]:
    """Tag of why a set gets further sites, and the words for what is more than a long wait."""
    ruling = outlook.ruling
    whole = {site.name for site, local in zip(ruling.sites, ruling.local[outlook.row], strict=True) if local >= 1}
    reads = bool(ruling.shapes[outlook.row].inputs.size)
    if reads and whole.isdisjoint(old) and (added := sorted(whole.intersection(new))):
        return "replica", f"all of the input lies at {', '.join(added)} now, and at no site that they had; "
    late = dict(ruling.shapes[outlook.row].late)
    if late and all(site in late for site in old):
        later = rounded(min(late[site] for site in old))
        return "share-queue", f"jobs of their share start {later} later than others there; "
    if outlook.tail:
        return "task-tail", "they are the last of their task that wait; "
    return "widened", ""


def _grounds(sites: tuple[str, ...], outlook: Outlook) -> tuple[str, str]:
    """Tag and words of why jobs leave some of `sites`."""
    choice = outlook.ruling.choice(outlook.row)
    lost = [site for site in sites if choice.refusal_words(site)]
    return choice.refusal_tag(lost[0]), "; ".join(f"{site} {choice.refusal_words(site)}" for site in lost)


def _why(ruling: Ruling, row: int, best: int) -> str:
    """In round numbers and without the best one's name, so that many decisions have equal words; verdicts tell more."""
    wait, read, lost = ruling.wait[0, best] + ruling.late_at(row, best), ruling.read[row, best], ruling.lost[0, best]
    words = f"a job starts in {rounded(float(wait))}, reads in {rounded(float(read))}"
    return words + (f", loses {rounded(float(lost))} in failures" if lost >= ROUND_S[0] else "")


@lru_cache(maxsize=4096)
def rounded(seconds: float) -> str:
    """A time as people say it, who are not told more than they need."""
    size = next((each for each in ROUND_S if seconds < each), 0)
    number, unit = next(((size or ROUND_S[-1]) // each, name) for name, each in UNITS if (size or DAY_S) >= each)
    return f"{'under' if size else 'over'} {number} {unit}"


def nothing_fits(verdicts: Sequence[Verdict]) -> str:
    """Why jobs wait: the refusals of the first sites."""
    if not len(verdicts):
        return "no site is known; declare sites in glideroute.yaml"
    if isinstance(verdicts, Verdicts):
        told = verdicts.reasons(MOST_TOLD)
    else:
        told = [f"{each.site} {each.refusal.words}" for each in verdicts if each.refusal][:MOST_TOLD]
    more = len(verdicts) - MOST_TOLD
    return f"no site can run it: {'; '.join(told)}" + (f"; nor can {more} further sites" if more > 0 else "")


def merges(world: World) -> Iterator[Action]:
    """Release each merge job whose parts are all there."""
    held = {group.cluster for group in world.jobs if group.state is JobState.HELD and group.hold_code == SUBMITTED_HELD}
    for progress in world.progress:
        if progress.merge_cluster in held and progress.finished >= progress.expected:
            yield Release(progress.merge_cluster, progress.task, f"all {progress.expected} parts are there")
