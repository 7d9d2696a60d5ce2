"""The real Pool: a VO's schedd and collector."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from router.model.action import Diagnose, Mend, Place, Vacate
from router.model.attempt import Attempt
from router.model.job import ASKED_ELSEWHERE, SUBMITTED_HELD, EndedJob, JobGroup, SlotGroup, kind_of
from router.model.pilot import ValidationFailure
from router.pool import ads, mending, placing, vacating
from router.ports import Asked, JobLine, JobQueue
from router.render.encode import quoted

OVERLAP_S = 60
"""History is read again this far back: HTCondor writes it shortly after the time stamps it carries."""

LINE = (
    "ClusterId",
    "ProcId",
    "Owner",
    "JobStatus",
    "RouterBatch",
    "RouterJob",
    "MachineAttrGLIDEIN_Site0",
    "DESIRED_Sites",
    "HoldReason",
    "RouterReason",
    "JobCurrentStartDate",
    "NumVacates",
    "VacateReasonCode",
    "NumHolds",
    "RouterRemedy",
)


class CondorPool:
    """Reads and edits jobs through a JobQueue, as whoever the queue's identity is."""

    def __init__(self, queue: JobQueue) -> None:
        """Use `queue`."""
        self._queue = queue

    def jobs(self) -> tuple[JobGroup, ...]:
        """All vanilla jobs in the queue, grouped by the schedd."""
        return _added_up(ads.job_group(row) for row in self._queue.count("JobUniverse == 5", ads.JOB))

    def jobs_in(self, clusters: Sequence[int]) -> tuple[JobGroup, ...]:
        """The same for some clusters."""
        listed = ", ".join(map(str, sorted(set(clusters))))
        near = f"ClusterId >= {min(clusters)} && ClusterId <= {max(clusters)}"
        rows = self._queue.count(f"JobUniverse == 5 && {near} && member(ClusterId, {{{listed}}})", ads.JOB)
        return _added_up(ads.job_group(row) for row in rows)

    def described(self, text: str) -> tuple[JobGroup, ...]:
        """The jobs that `condor_submit -dry-run` prints, as they would look in the queue."""
        wanted = (*ads.JOB, "UNDESIRED_Sites", "ProcId")
        counts: dict[JobGroup, int] = {}
        for row in self._queue.parse(ads.whole_ads(text, wanted), wanted):
            # The schedd's transform turns these wishes into ours.
            row["RouterAllowSites"] = row.pop("DESIRED_Sites", None) or row.get("RouterAllowSites")
            row["RouterBlockSites"] = row.pop("UNDESIRED_Sites", None) or row.get("RouterBlockSites")
            group = ads.job_group({**row, "ClusterId": 0, "JobStatus": 1, "JobCount": 1})
            counts[group] = counts.get(group, 0) + 1
        return tuple(replace(group, cluster=n, count=count) for n, (group, count) in enumerate(counts.items(), 1))

    def slots(self) -> tuple[SlotGroup, ...]:
        """The glideins' slots, by site and entry."""
        return ads.slot_groups(self._queue.ads("Startd", "GLIDEIN_Failed =!= true", ads.SLOT))

    def failures(self) -> tuple[ValidationFailure, ...]:
        """What glideins that refused their node say."""
        rows = self._queue.ads("Startd", "GLIDEIN_Failed =?= true", ads.FAILURE)
        found = [ads.validation_failure(row) for row in rows]
        return tuple(failure for failure in found if failure.site)

    def ended(self, since: float, after: tuple[int, int] | None = None) -> tuple[EndedJob, ...]:
        """Jobs that left the queue after `since`, seconds since the epoch, or after that job did; newest first."""
        end = f"EnteredCurrentStatus < {int(since) - OVERLAP_S}"
        if after:
            end = f"ClusterId == {int(after[0])} && ProcId == {int(after[1])}"
        rows = self._queue.history("JobUniverse == 5", ads.ENDED, end)
        return tuple(ads.ended_job(row) for row in rows)

    def duty_cycle(self) -> float | None:
        """Share of the last minutes that the schedd was busy, 0..1; of several schedds, of the busiest."""
        rows = self._queue.ads("Schedd", "true", ("RecentDaemonCoreDutyCycle",))
        told = [row.get("RecentDaemonCoreDutyCycle") for row in rows]
        return max((float(each) for each in told if isinstance(each, int | float)), default=None)

    def place(self, action: Place) -> int:
        """Give jobs their sites if they are as the decision saw them. Returns how many carry the decision now."""
        return placing.place_all(self._queue, (action,))[0]

    def place_all(self, actions: Sequence[Place]) -> tuple[int, ...]:
        """`place` for all actions of a pass at once, at a cost of the whole; returns the counts in their order."""
        return placing.place_all(self._queue, actions)

    def release(self, cluster: int, reason: str) -> int:
        """Release the jobs of a cluster that were submitted on hold and still are; no others. Returns how many."""
        return self._queue.act(
            "Release", f"ClusterId == {cluster} && JobStatus == 5 && HoldReasonCode == {int(SUBMITTED_HELD)}", reason
        )

    def diagnose_all(self, actions: Sequence[Diagnose]) -> tuple[int, ...]:
        """Write remedies into jobs that are held as the decisions saw them; returns how many carry each now."""
        return mending.diagnose_all(self._queue, actions)

    def mend_all(self, actions: Sequence[Mend]) -> tuple[int, ...]:
        """Carry out remedies that are due, and release the jobs; returns how many of each are held no more."""
        return mending.mend_all(self._queue, actions)

    def runs(self, before: float) -> tuple[Attempt, ...]:
        """Runs that began before a time in seconds since the epoch; of very many the oldest jobs'."""
        return vacating.runs(self._queue, before)

    def vacate_all(self, actions: Sequence[Vacate]) -> tuple[int, ...]:
        """Stop runs that are as the decisions saw them; returns how many jobs of each carry it now."""
        return vacating.vacate_all(self._queue, actions)

    def task_lines(self, task: str) -> tuple[JobLine, ...]:
        """The jobs of a task that are in the queue, one by one."""
        return tuple(_line(row) for row in self._queue.query(_of_task(task), LINE))

    def clusters(self, task: str, owner: str) -> Mapping[str, int]:
        """Clusters of an owner's task that were ever injected, by batch."""
        wanted = ("ClusterId", "RouterTask", "RouterBatch", "Owner")
        theirs = f"{_of_task(task)} && Owner =?= {quoted(owner)}"
        rows = [*self._queue.history(theirs, wanted), *self._queue.count(theirs, wanted)]
        return {ads.text(row, "RouterBatch"): ads.number(row, "ClusterId") for row in rows}

    def submit(self, text: str, items: Sequence[Mapping[str, str]]) -> int:
        """Inject one cluster, a job for each of `items`. Returns its id."""
        return self._queue.submit(text, items)

    def remove(self, task: str, reason: str) -> int:
        """Remove the jobs of a task. Returns how many."""
        return self._queue.act("Remove", _of_task(task), reason)

    def withdraw(self, task: str, jobs: Sequence[str], reason: str) -> int:
        """Remove these jobs of a task, as far as they are held. Returns how many."""
        listed = ", ".join(quoted(job) for job in jobs)
        return self._queue.act(
            "Remove", f"{_of_task(task)} && JobStatus == 5 && member(RouterJob, {{{listed}}})", reason
        )

    def retry(self, task: str, reason: str) -> int:
        """Release the failed jobs of a task. Returns how many."""
        # 15: submitted on hold. That is the merge job, which waits for its parts and has not failed.
        return self._queue.act("Release", f"{_of_task(task)} && JobStatus == 5 && HoldReasonCode =!= 15", reason)

    def ask_elsewhere(self, jobs: Asked, reason: str) -> int:
        """Hold waiting and failed jobs so that the router sends them to other sites. Returns how many."""
        where = _asked(jobs)
        # A held job cannot be held for another reason. Between the two it is idle for a moment, as after `retry`.
        self._queue.act("Release", f"{where} && JobStatus == 5 && HoldReasonCode =!= 15", reason)
        return self._queue.act(
            "Hold", f"{where} && JobStatus == 1 && DESIRED_Sites isnt undefined", reason, ASKED_ELSEWHERE
        )


def _added_up(groups: Iterable[JobGroup]) -> tuple[JobGroup, ...]:
    """Groups that differ in nothing but their number and age, as one.

    Idle jobs ran before at different sites, and the schedd notes of each job of a submission in which second it came.
    """
    found: dict[tuple[object, ...], JobGroup] = {}
    for group in groups:
        kind = kind_of(group)
        if there := found.get(kind):
            group = replace(there, count=there.count + group.count, oldest=min(there.oldest, group.oldest))
        found[kind] = group
    return tuple(found.values())


def _of_task(task: str) -> str:
    return f"RouterTask =?= {quoted(task)}"  # `==` would not tell capital letters from small ones


def _asked(jobs: Asked) -> str:
    if jobs.task:
        task = jobs.task
        return f"JobUniverse == 5 && {_of_task(task)}"
    where = f"JobUniverse == 5 && ClusterId == {int(jobs.cluster)}"
    return where if jobs.proc is None else f"{where} && ProcId == {int(jobs.proc)}"


def _line(row: Mapping[str, object]) -> JobLine:
    state = ads.STATES.get(ads.number(row, "JobStatus"))
    held = str(state) == "held"
    remedy = ads.remedy(row.get("RouterRemedy"))
    return JobLine(
        cluster=ads.number(row, "ClusterId"),
        proc=ads.number(row, "ProcId"),
        owner=ads.text(row, "Owner"),
        batch=ads.text(row, "RouterBatch"),
        job=ads.text(row, "RouterJob"),
        state=str(state or "unknown"),
        site=ads.word(row, "MachineAttrGLIDEIN_Site0"),
        sites=ads.words(row.get("DESIRED_Sites")),
        reason=ads.text(row, "HoldReason") if held else ads.text(row, "RouterReason"),
        started=float(ads.number(row, "JobCurrentStartDate")),
        vacates=ads.number(row, "NumVacates"),
        vacate_code=ads.number(row, "VacateReasonCode"),
        given_up=held and remedy is not None and remedy.gives_up(ads.number(row, "NumHolds")),
    )
