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
from router.model.job import Decision, Remedy
from router.pool import ads
from router.ports import Edit, JobQueue, Run

LOOK = ("ClusterId", "JobStatus", "DESIRED_Sites", "RouterDecision", "RouterRemedy", "TotalSubmitProcs")
MENDED = ("ClusterId", "ProcId", "DESIRED_Sites", "RouterRemedy")

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
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Jobs of a cluster that look alike."""

    idle: bool
    sites: tuple[str, ...] | None
    decision: Decision | None
    remedy: Remedy | None
    own: bool
    """Whether the decision is in the jobs' own ads, and not in the one they inherit from."""
    count: int
    submitted: int
    """Jobs that the cluster ever had; 0 when HTCondor does not say."""


Look = Mapping[int, Sequence[Seen]]
Alike = tuple[int, tuple[str, ...] | None, Remedy | None]
"""Cluster, sites and remedy."""
Jobs = dict[Change, list[Run]]
Piece = tuple[Change, Run]
T = TypeVar("T", Edit, Piece)


def place_all(queue: JobQueue, actions: Sequence[Place]) -> tuple[int, ...]:
    """Give jobs their sites where they are as the decisions saw them; returns how many carry each decision now."""
    changes = [Change(action.cluster, action.old, action.decision.carried, action.remedy) for action in actions]
    if not changes:
        return ()
    look = _look(queue, changes)
    jobs = _as_seen(queue, look, changes)
    if jobs:
        explained = _explain(queue, look, jobs)
        _edit(queue, explained, "DESIRED_Sites", lambda change: ads.site_list(change.made.sites))
        look = _look(queue, changes)
    return tuple(_carried(look, change) for change in changes)


def _look(queue: JobQueue, changes: Iterable[Change]) -> Look:
    clusters = {change.cluster for change in changes}
    found: dict[int, list[Seen]] = {}
    for row in queue.count(f"ClusterId >= {min(clusters)} && ClusterId <= {max(clusters)}", LOOK):
        found.setdefault(ads.number(row, "ClusterId"), []).append(
            Seen(
                idle=ads.number(row, "JobStatus") == 1,
                sites=ads.sites(row.get("DESIRED_Sites")),
                decision=ads.decision(row.get("RouterDecision")),
                remedy=ads.remedy(row.get("RouterRemedy")),
                own=ads.is_own(row.get("RouterDecision")),
                count=ads.number(row, "JobCount"),
                submitted=ads.number(row, "TotalSubmitProcs"),
            )
        )
    return found


def _as_seen(queue: JobQueue, look: Look, changes: Iterable[Change]) -> Jobs:
    """The idle jobs that still have the sites each decision saw; changes that meet none are left out."""
    met = [change for change in changes if any(map(_is_as_seen(change), look.get(change.cluster, ())))]
    if parts := [change for change in met if not _is_whole(look, change)]:
        listed = _listed(queue, look, {change.cluster for change in parts})
    jobs: Jobs = {}
    for change in met:
        if _is_whole(look, change):
            jobs[change] = [(change.cluster, 0, look[change.cluster][0].submitted - 1)]
        elif runs := listed.get((change.cluster, change.old, change.remedy)):
            jobs[change] = runs
    return jobs


def _listed(queue: JobQueue, look: Look, clusters: set[int]) -> Mapping[Alike, list[Run]]:
    """The idle jobs of `clusters`, by what tells them apart: of clusters with mended jobs the remedy as well."""
    found: dict[Alike, list[Run]] = {}
    mended = {cluster for cluster in clusters if any(seen.remedy for seen in look[cluster])}
    if plain := sorted(clusters - mended):
        for sites, run in queue.idle_jobs(plain):
            found.setdefault((run[0], ads.sites(sites), None), []).append(run)
    if mended:
        where = f"ClusterId >= {min(mended)} && ClusterId <= {max(mended)} && JobStatus == 1"
        rows = [row for row in queue.query(where, MENDED) if ads.number(row, "ClusterId") in mended]
        for row in sorted(rows, key=lambda row: (ads.number(row, "ClusterId"), ads.number(row, "ProcId"))):
            cluster, proc = ads.number(row, "ClusterId"), ads.number(row, "ProcId")
            alike = (cluster, ads.sites(row.get("DESIRED_Sites")), ads.remedy(row.get("RouterRemedy")))
            found.setdefault(alike, []).append((cluster, proc, proc))
    return found


def _is_as_seen(change: Change) -> Callable[[Seen], bool]:
    return lambda seen: seen.idle and seen.sites == change.old and seen.remedy == change.remedy


def _is_whole(look: Look, change: Change) -> bool:
    """Whether every job that the cluster ever had is to be placed; their procs are then 0, 1, 2 …"""
    seen = look[change.cluster]
    return all(map(_is_as_seen(change), seen)) and sum(each.count for each in seen) == seen[0].submitted


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


def _carried(look: Look, change: Change) -> int:
    """Jobs that carry the decision, committed."""
    seen = look.get(change.cluster, ())
    return sum(
        each.count
        for each in seen
        if each.decision == change.made and each.sites == change.made.sites and each.remedy == change.remedy
    )
