"""Mending failed jobs: a remedy is written into them; when it is due, it is carried out and they are released.

Jobs are edited by lists of ids, one edit for each distinct value, as in placing. The release is one command for all
jobs of a pass: its constraint makes the schedd itself see that all edits a remedy asks for were made, and that nobody
has held the job again since. So it may be cut anywhere: what is done is seen to be done, and the rest is done again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from router.model.action import Diagnose, Mend
from router.model.cause import Cure
from router.model.job import Hold, JobState, Remedy
from router.pool import ads
from router.ports import Edit, JobQueue, Run

HELD = (
    "ClusterId",
    "ProcId",
    "HoldReasonCode",
    "HoldReasonSubCode",
    "NumHolds",
    "NumShadowStarts",
    "MachineAttrGLIDEIN_Site0",
    "RouterRemedy",
    "AllowedExecuteDuration",
)
LOOK = ("ClusterId", "JobStatus", "RouterRemedy")

LIST_LENGTH = 10_000
"""Jobs in one edit, which blocks the schedd for about 0.1 s, and is lost whole when one of them has left the queue."""

Case = tuple[int, Hold, Remedy | None]
"""Cluster, hold and remedy: held jobs that a decision cannot tell apart."""
Jobs = Mapping[Case, Sequence[tuple[int, bool]]]
"""The proc of each job, and whether it has a limit of its run time."""


def diagnose_all(queue: JobQueue, actions: Sequence[Diagnose]) -> tuple[int, ...]:
    """Write the remedies into jobs that are held as the decisions saw them; returns how many carry each now."""
    if not actions:
        return ()
    held = _held(queue, {action.cluster for action in actions})
    lists: dict[str, list[Run]] = {}
    for action in actions:
        jobs = held.get((action.cluster, action.hold, action.old), ())
        lists.setdefault(ads.remedy_text(action.remedy.carried), []).extend(_runs(action.cluster, jobs))
    _edit(queue, {("RouterRemedy", text): runs for text, runs in lists.items()})
    carried = _carried(queue, {action.cluster for action in actions})
    return tuple(sum(carried.get((action.cluster, action.remedy.carried), {}).values()) for action in actions)


def mend_all(queue: JobQueue, actions: Sequence[Mend]) -> tuple[int, ...]:
    """Carry out remedies that are due, and release the jobs; returns how many of each are held no more."""
    if not actions:
        return ()
    clusters = {action.cluster for action in actions}
    held = _held(queue, clusters)
    lists: dict[tuple[str, str], list[Run]] = {}
    for action in actions:
        jobs = held.get((action.cluster, action.hold, action.remedy), ())
        for attribute, text, only_limited in _edits(action.remedy):
            edited = [job for job in jobs if job[1] or not only_limited]
            lists.setdefault((attribute, text), []).extend(_runs(action.cluster, edited))
    _edit(queue, lists)
    due = max(action.remedy.due for action in actions)
    queue.act("Release", _mended(clusters, due), "mended; RouterRemedy says how")
    carried = _carried(queue, clusters)
    return tuple(
        sum(count for state, count in carried.get((each.cluster, each.remedy), {}).items() if state != JobState.HELD)
        for each in actions
    )


def _edits(remedy: Remedy) -> Iterator[tuple[str, str, bool]]:
    """What a remedy changes: attribute, value, and whether only in jobs with a limit of their run time."""
    if remedy.memory_mb:
        yield "RequestMemory", str(remedy.memory_mb), False
    if remedy.walltime_s:
        yield "MaxWallTimeMins", str(remedy.walltime_s // 60), False
        yield "AllowedExecuteDuration", str(remedy.walltime_s), True
    if remedy.cure is Cure.ELSEWHERE:
        # Without sites they match no slot until the router has chosen again.
        yield "DESIRED_Sites", "undefined", False


def _mended(clusters: Iterable[int], due: int) -> str:
    """Which held jobs may be released: those whose remedy is of their last hold, is due, and has been carried out."""
    found = set(clusters)
    return (
        f"ClusterId >= {min(found)} && ClusterId <= {max(found)} && JobStatus == 5 && "
        f"RouterRemedy.Hold =?= NumHolds && RouterRemedy.Due <= {due} && "
        f'RouterRemedy.Cure isnt "{Cure.NONE}" && '
        "(RouterRemedy.MemoryMb is undefined || RouterRemedy.MemoryMb =?= RequestMemory) && "
        "(RouterRemedy.WalltimeMins is undefined || (RouterRemedy.WalltimeMins =?= MaxWallTimeMins && "
        "(AllowedExecuteDuration is undefined || AllowedExecuteDuration >= 60 * MaxWallTimeMins))) && "
        f'(RouterRemedy.Cure isnt "{Cure.ELSEWHERE}" || DESIRED_Sites is undefined)'
    )


def _held(queue: JobQueue, clusters: set[int]) -> Jobs:
    """The held jobs of `clusters`."""
    where = f"ClusterId >= {min(clusters)} && ClusterId <= {max(clusters)} && JobStatus == 5"
    found: dict[Case, list[tuple[int, bool]]] = {}
    for row in queue.query(where, HELD):
        if (cluster := ads.number(row, "ClusterId")) in clusters:
            hold = Hold(
                ads.number(row, "HoldReasonCode"),
                ads.number(row, "HoldReasonSubCode"),
                ads.number(row, "NumHolds"),
                ads.word(row, "MachineAttrGLIDEIN_Site0"),
                ads.number(row, "NumShadowStarts"),
            )
            case = (cluster, hold, ads.remedy(row.get("RouterRemedy")))
            limited = ads.number(row, "AllowedExecuteDuration") > 0
            found.setdefault(case, []).append((ads.number(row, "ProcId"), limited))
    return found


def _runs(cluster: int, jobs: Iterable[tuple[int, bool]]) -> Iterator[Run]:
    """Jobs as runs of neighbours."""
    first = last = None
    for proc, _ in sorted(jobs):
        if first is None or last is None or proc != last + 1 or last - first + 1 >= LIST_LENGTH:
            if first is not None and last is not None:
                yield cluster, first, last
            first = proc
        last = proc
    if first is not None and last is not None:
        yield cluster, first, last


def _edit(queue: JobQueue, lists: Mapping[tuple[str, str], Sequence[Run]]) -> None:
    """Set each attribute to each value, by lists of ids. A list that is refused is seen at the next pass, and again."""
    for (attribute, text), runs in lists.items():
        for part in _packed(runs):
            queue.edit_jobs([Edit(part, attribute, text)])


def _packed(runs: Iterable[Run]) -> Iterator[tuple[Run, ...]]:
    """`runs` in lists of at most LIST_LENGTH jobs."""
    part: list[Run] = []
    filled = 0
    for run in runs:
        size = run[2] - run[1] + 1
        if part and filled + size > LIST_LENGTH:
            yield tuple(part)
            part, filled = [], 0
        part.append(run)
        filled += size
    if part:
        yield tuple(part)


def _carried(queue: JobQueue, clusters: set[int]) -> Mapping[tuple[int, Remedy | None], Mapping[JobState, int]]:
    """How many jobs of `clusters` carry each remedy, by state."""
    found: dict[tuple[int, Remedy | None], dict[JobState, int]] = {}
    for row in queue.count(f"ClusterId >= {min(clusters)} && ClusterId <= {max(clusters)}", LOOK):
        state = ads.STATES.get(ads.number(row, "JobStatus"), JobState.REMOVED)
        counts = found.setdefault((ads.number(row, "ClusterId"), ads.remedy(row.get("RouterRemedy"))), {})
        counts[state] = counts.get(state, 0) + ads.number(row, "JobCount")
    return found
