"""Stopping runs: the job gets a decision and loses its sites, and is then told to leave its node.

What a running job's ad says has no effect on its run. So the edits go first, and the one command that stops is asked
for last; its constraint makes the schedd itself see that the run is still the one that was decided on, and that both
edits are there. It may be cut anywhere: a job that was edited and not stopped runs on, and is decided on again.
"""

from collections.abc import Iterator, Mapping, Sequence

from router.model.action import Vacate
from router.model.attempt import Attempt
from router.pool import ads
from router.pool.ads import Row
from router.ports import Edit, JobQueue, Run

MOST_RUNS = 10_000
"""In one answer of the schedd, about a second of the child."""

RUN = (
    "ClusterId",
    "ProcId",
    "JobCurrentStartDate",
    "MachineAttrGLIDEIN_Site0",
    "MachineAttrGLIDEIN_ToDie0",
    "LastJobLeaseRenewal",
    "RouterTask",
    "RouterBatch",
    "DESIRED_Sites",
    "RouterDecision",
    "RouterFixed",
    "MaxWallTimeMins",
    "RemoteUserCpu",
    "RemoteSysCpu",
    "DiskUsage",
)
REASON = "stopped to run elsewhere; RouterDecision says why"


def runs(queue: JobQueue, before: float) -> tuple[Attempt, ...]:
    """Runs that began before a time in seconds since the epoch, but for those whose files are on their way."""
    # Without a bound below, a job that has lost the attribute would be one that began before all others.
    where = f"JobCurrentStartDate > 0 && JobCurrentStartDate < {int(before)}"
    where = f"JobUniverse == 5 && JobStatus == 2 && {where} && TransferringInput =!= true"
    return tuple(_run(row) for row in queue.query(where, RUN, MOST_RUNS))


def vacate_all(queue: JobQueue, actions: Sequence[Vacate]) -> tuple[int, ...]:
    """Stop runs that are as the decisions saw them; returns how many jobs of each carry it now."""
    if not actions:
        return ()
    seen = {run.key: run for run in _of(queue, actions, "JobStatus == 2")}
    met = [(action, jobs) for action in actions if (jobs := _as_seen(action, seen))]
    for action, jobs in met:
        text = ads.decision_text(action.decision.carried, own=True)
        if all(queue.edit_jobs([Edit(jobs, "RouterDecision", text)])):
            queue.edit_jobs([Edit(jobs, "DESIRED_Sites", "undefined")])
    if met:
        queue.act("Vacate", " || ".join(_stopped(action) for action, _ in met), REASON)
    now = {(run.cluster, run.proc): run for run in _of(queue, actions, "true")}
    return tuple(
        sum(_carries(action, now.get((action.cluster, proc))) for proc, _ in action.jobs) for action in actions
    )


def _of(queue: JobQueue, actions: Sequence[Vacate], where: str) -> Iterator[Attempt]:
    """The jobs of the actions' clusters for which `where` holds."""
    clusters = {action.cluster for action in actions}
    where = f"ClusterId >= {min(clusters)} && ClusterId <= {max(clusters)} && {where}"
    found = (_run(row) for row in queue.query(where, RUN))
    return (run for run in found if run.cluster in clusters)


def _as_seen(action: Vacate, seen: Mapping[tuple[int, int, int], Attempt]) -> tuple[Run, ...]:
    """The jobs of an action whose run still goes on, and that were not decided on since."""
    found = ((proc, seen.get((action.cluster, proc, started))) for proc, started in action.jobs)
    return tuple(
        (action.cluster, proc, proc)
        for proc, run in found
        if run and (run.sites, run.decision) == (action.old, action.last)
    )


def _stopped(action: Vacate) -> str:
    """Which runs of an action are told to end: those that it saw, whose jobs carry it."""
    listed = " || ".join(
        f"(ProcId == {int(proc)} && JobCurrentStartDate == {int(started)})" for proc, started in action.jobs
    )
    made, cluster = action.decision, int(action.cluster)
    where = f"RouterDecision.Epoch =?= {int(made.epoch)} && RouterDecision.At =?= {int(made.at)}"
    return f"(ClusterId == {cluster} && JobStatus == 2 && DESIRED_Sites is undefined && {where} && ({listed}))"


def _carries(action: Vacate, run: Attempt | None) -> bool:
    return run is not None and run.sites is None and run.decision == action.decision.carried


def _run(row: Row) -> Attempt:
    """A row of the attributes RUN."""
    return Attempt(
        cluster=ads.number(row, "ClusterId"),
        proc=ads.number(row, "ProcId"),
        started=ads.number(row, "JobCurrentStartDate"),
        site=ads.word(row, "MachineAttrGLIDEIN_Site0"),
        told=ads.number(row, "LastJobLeaseRenewal"),
        task=ads.text(row, "RouterTask"),
        batch=ads.text(row, "RouterBatch"),
        sites=ads.sites(row.get("DESIRED_Sites")),
        decision=ads.decision(row.get("RouterDecision")),
        fixed=row.get("RouterFixed") is True,
        walltime_s=60 * ads.number(row, "MaxWallTimeMins"),
        cpu_s=ads.real(row, "RemoteUserCpu") + ads.real(row, "RemoteSysCpu"),
        disk_mb=ads.number(row, "DiskUsage") // 1024,
        ends=ads.number(row, "MachineAttrGLIDEIN_ToDie0"),
    )
