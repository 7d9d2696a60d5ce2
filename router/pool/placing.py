"""Giving jobs their sites, for all decisions of a pass at once.

The schedd has one thread, and an edit by constraint reads its whole queue. So jobs are edited by lists of ids, one call
for each distinct value. The queue is looked at as a whole, added up by the schedd in a process of its own: before, to
compare, and after, because an exception may mean applied and a success may mean ignored. The explanation goes first,
and the sites commit it. An edit of a job that has started meanwhile has no effect on its run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from router.model.action import Place
from router.model.job import Decision, Kind
from router.pool import ads
from router.pool.ads import Row
from router.ports import Edit, JobQueue, Run

LOOK = ("ClusterId", "JobStatus", "DESIRED_Sites", "RouterDecision", "TotalSubmitProcs")

LIST_LENGTH = 10_000
"""Jobs in one edit, which blocks the schedd for about 0.1 s, and is lost whole when one of them has left the queue."""

CALL_LENGTH = 50_000
"""Jobs in one call of the child, about a second: far below its deadline."""


@dataclass(frozen=True, slots=True)
class Change:
    """A decision on its way into the queue."""

    cluster: int
    old: tuple[str, ...] | None
    made: Decision
    count: int
    """Jobs that may carry it, the first ones of those that still have the old sites."""
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Jobs of a cluster that look alike."""

    idle: bool
    sites: tuple[str, ...] | None
    decision: Decision | None
    kind: Kind | None
    """None: nobody asked."""
    own: bool
    """Whether the decision is in the jobs' own ads, and not in the one they inherit from."""
    count: int
    submitted: int
    """Jobs that the cluster ever had; 0 when HTCondor does not say."""


Look = Mapping[int, Sequence[Seen]]
Alike = tuple[int, tuple[str, ...] | None, Kind | None]
"""Cluster, sites and kind."""
Jobs = dict[Change, list[Run]]
Piece = tuple[Change, Run]
T = TypeVar("T", Edit, Piece)


def place_all(queue: JobQueue, actions: Sequence[Place]) -> tuple[int, ...]:
    """Give jobs their sites where they are as the decisions saw them; returns how many carry each decision now."""
    changes = [
        Change(action.cluster, action.old, action.decision.carried, action.count, action.kind) for action in actions
    ]
    if not changes:
        return ()
    look = _look(queue, changes)
    jobs = _as_seen(queue, look, changes)
    if jobs:
        explained = _explain(queue, look, jobs)
        _edit(queue, explained, "DESIRED_Sites", lambda change: ads.site_list(change.made.sites))
        look = _look(queue, changes)
    return _carried(look, changes)


def _look(queue: JobQueue, changes: Sequence[Change]) -> Look:
    """What the queue has of the changes' clusters; where two looks overlap, the later one counts."""
    wanted = {change.cluster for change in changes}
    found: dict[int, list[Seen]] = {}
    for part, attributes in _apart(changes):
        clusters = {change.cluster for change in part}
        where = f"ClusterId >= {min(clusters)} && ClusterId <= {max(clusters)}"
        seen: dict[int, list[Seen]] = {}
        for row in queue.count(where, (*LOOK, *attributes)):
            if (cluster := ads.number(row, "ClusterId")) in wanted:
                kind = ads.kind(row) if attributes and cluster in clusters else None
                seen.setdefault(cluster, []).append(_seen(row, kind))
        found |= seen
    return found


def _apart(changes: Iterable[Change]) -> Iterator[tuple[list[Change], tuple[str, ...]]]:
    """The changes of clusters whose jobs are of one kind, and the others, with what has to be asked of their jobs.

    A kind takes many attributes, and counting jobs by them takes three times as long.
    """
    changes = list(changes)
    plain = [change for change in changes if not change.kind]
    mixed = [change for change in changes if change.kind]
    if plain:
        yield plain, ()
    if mixed:
        yield mixed, ads.KIND


def _seen(row: Row, kind: Kind | None) -> Seen:
    return Seen(
        idle=ads.number(row, "JobStatus") == 1,
        sites=ads.sites(row.get("DESIRED_Sites")),
        decision=ads.decision(row.get("RouterDecision")),
        kind=kind,
        own=ads.is_own(row.get("RouterDecision")),
        count=ads.number(row, "JobCount"),
        submitted=ads.number(row, "TotalSubmitProcs"),
    )


def _as_seen(queue: JobQueue, look: Look, changes: Iterable[Change]) -> Jobs:
    """The idle jobs that still have the sites each decision saw; changes that meet none are left out."""
    met = [change for change in changes if _is_met(change, look.get(change.cluster, ()))]
    if parts := [change for change in met if not _is_whole(look, change)]:
        listed = _listed(queue, parts)
    jobs: Jobs = {}
    for change in met:
        if _is_whole(look, change):
            jobs[change] = [(change.cluster, 0, look[change.cluster][0].submitted - 1)]
            continue
        left = listed.get((change.cluster, change.old, change.kind), [])
        if taken := _taken(left, change.count):
            jobs[change] = taken
    return jobs


def _listed(queue: JobQueue, parts: Iterable[Change]) -> Mapping[Alike, list[Run]]:
    """The idle jobs of some clusters by what tells them apart."""
    found: dict[Alike, list[Run]] = {}
    for changes, attributes in _apart(parts):
        asked = ("DESIRED_Sites", *attributes)
        for row, run in queue.idle_jobs(sorted({change.cluster for change in changes}), asked):
            alike = (run[0], ads.sites(row.get("DESIRED_Sites")), ads.kind(row) if attributes else None)
            found.setdefault(alike, []).append(run)
    return found


def _taken(runs: list[Run], count: int) -> list[Run]:
    """The first `count` jobs of some runs, which are taken out of them."""
    taken: list[Run] = []
    while runs and count > 0:
        cluster, first, last = runs.pop(0)
        middle = min(last, first + count - 1)
        taken.append((cluster, first, middle))
        count -= middle - first + 1
        if middle < last:
            runs.insert(0, (cluster, middle + 1, last))
    return taken


def _is_as_seen(change: Change) -> Callable[[Seen], bool]:
    return lambda seen: seen.idle and seen.sites == change.old and seen.kind == change.kind


def _is_met(change: Change, seen: Sequence[Seen]) -> bool:
    """Whether jobs are as the decision saw them, and none of those carries a later one, which it did not see."""
    met = [each.decision for each in filter(_is_as_seen(change), seen)]
    return bool(met) and all(decision is None or decision.epoch <= change.made.epoch for decision in met)


def _is_whole(look: Look, change: Change) -> bool:
    """Whether every job that the cluster ever had is to be placed; their procs are then 0, 1, 2 …"""
    seen = look[change.cluster]
    jobs = sum(each.count for each in seen)
    return all(map(_is_as_seen(change), seen)) and jobs == seen[0].submitted and jobs <= change.count


def _explain(queue: JobQueue, look: Look, jobs: Jobs) -> Jobs:
    """Write the explanations; returns the jobs that have theirs.

    A cluster that is placed as a whole gets it once, in the ad that its jobs inherit from, at a cost that does not grow
    with them. Jobs that were placed on their own before have one of their own, which hides the cluster's.
    """
    whole = {
        change: [(change.cluster, -1, -1)]
        for change in jobs
        if _is_whole(look, change) and not any(seen.own for seen in look[change.cluster])
    }
    parts = {change: runs for change, runs in jobs.items() if change not in whole}
    explained = {
        **_edit(queue, whole, "RouterDecision", lambda change: ads.decision_text(change.made)),
        **_edit(queue, parts, "RouterDecision", lambda change: ads.decision_text(change.made, own=True)),
    }
    return {change: runs for change, runs in jobs.items() if change in explained}


def _edit(queue: JobQueue, jobs: Jobs, attribute: str, value: Callable[[Change], str]) -> Jobs:
    """Set an attribute of all `jobs`, with a call for each distinct value; returns those of the changes that took."""
    alike: dict[str, list[Piece]] = {}
    for change, runs in jobs.items():
        alike.setdefault(value(change), []).extend((change, part) for run in runs for part in _parts(run))
    lists = [(text, pieces) for text, found in alike.items() for pieces in _packed(found, LIST_LENGTH)]
    refused = _send(queue, attribute, lists)
    # One job that left the queue spoils its list for others: they are tried again, cluster by cluster.
    alone = [(text, [piece]) for text, pieces in refused for piece in pieces if len(pieces) > 1]
    lost = [pieces for _, pieces in refused if len(pieces) == 1]
    lost += [pieces for _, pieces in _send(queue, attribute, alone)]
    left = {change for pieces in lost for change, _ in pieces}
    return {change: runs for change, runs in jobs.items() if change not in left}


def _send(queue: JobQueue, attribute: str, lists: Sequence[tuple[str, list[Piece]]]) -> list[tuple[str, list[Piece]]]:
    """Make the edits; returns those that were refused."""
    edits = [Edit(tuple(run for _, run in pieces), attribute, text) for text, pieces in lists]
    made = [took for part in _packed(edits, CALL_LENGTH) for took in queue.edit_jobs(part)]
    return [each for each, took in zip(lists, made, strict=True) if not took]


def _parts(run: Run) -> Iterator[Run]:
    cluster, first, last = run
    for start in range(first, last + 1, LIST_LENGTH):
        yield cluster, start, min(start + LIST_LENGTH - 1, last)


def _packed(found: Iterable[T], most: int) -> Iterator[list[T]]:
    """`found` in order, cut into lists of at most `most` jobs each, or of one."""
    part: list[T] = []
    filled = 0
    for each in found:
        if part and filled + _size(each) > most:
            yield part
            part, filled = [], 0
        part.append(each)
        filled += _size(each)
    if part:
        yield part


def _size(each: Edit | Piece) -> int:
    runs = each.jobs if isinstance(each, Edit) else (each[1],)
    return sum(last - first + 1 for _, first, last in runs)


def _carried(look: Look, changes: Sequence[Change]) -> tuple[int, ...]:
    """For each change the jobs that carry its decision, committed.

    Jobs may have become of another kind meanwhile: they count where no other change gives jobs of that kind the same.
    """
    kinds: dict[tuple[int, Decision], set[Kind | None]] = {}
    for change in changes:
        kinds.setdefault((change.cluster, change.made), set()).add(change.kind)
    return tuple(
        sum(
            seen.count
            for seen in look.get(change.cluster, ())
            if seen.decision == change.made
            and seen.sites == change.made.sites
            and (seen.kind == change.kind or seen.kind not in kinds[change.cluster, change.made])
        )
        for change in changes
    )
