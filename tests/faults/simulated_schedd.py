"""A schedd and a collector in memory, at the seam of the deadline child: what the real Queue and placing speak to.

It knows jobs that inherit from their cluster's ad, edits that are made whole or not at all, and a negotiator that
starts a job at any of its sites. Whatever is edited is told to a witness.
"""

import re
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import classad2

IDLE, RUNNING, REMOVED, COMPLETED, HELD = 1, 2, 3, 4, 5
FAILED, BY_USER, SUBMITTED_HELD = 3, 1, 15
"""HoldReasonCodes (condor_holdcodes.h)."""
SUBMITTED, STARTED, EVICTED, TERMINATED, ABORTED, HOLD, RELEASE = 0, 1, 4, 5, 9, 12, 13
"""Events (condor_event.h)."""

_CLUSTERS = re.compile(r"ClusterId >= (\d+) && ClusterId <= (\d+)")
_LISTED = re.compile(r"member\(ClusterId, \{([\d, ]+)\}\)")
_SINCE = re.compile(r"EnteredCurrentStatus < (-?\d+)|ClusterId == (\d+) && ProcId == (\d+)")


LARGE, LARGE_MB = "SITE_B", 8192
"""The one site whose glideins give more than others, in MB."""
SMALL_MB = 2048


def memory_mb(site: str) -> int:
    """Memory of a glidein at a site."""
    return LARGE_MB if site == LARGE else SMALL_MB


@dataclass(eq=False)
class Job:
    """One job, in the queue or in the history."""

    cluster: int
    proc: int
    ad: dict[str, Any]
    """Its own attributes; the cluster's stand behind them."""
    status: int = IDLE
    starts: list[str] = field(default_factory=list)
    """The site of each start: what the job's marker file would show."""
    evictions: int = 0
    releases: int = 0
    began: float = 0.0
    """When it started last, as the machine's clock had it; seconds since the epoch."""

    @property
    def id(self) -> tuple[int, int]:
        return self.cluster, self.proc


@dataclass(eq=False)
class Slot:
    """A glidein of one core."""

    site: str
    job: Job | None = None
    node: str = ""


class Refusal(Exception):
    """The schedd does not take an edit."""


@dataclass
class Schedd:
    """The queue, its history, and the glideins."""

    now: Any
    """Seconds since the epoch, when called."""
    witness: Any
    """Is told of every edit before it is made: `edited(router, job, attribute, value)`."""
    clusters: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[tuple[int, int], Job] = field(default_factory=dict)
    history: list[Job] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    log: Any = None
    """Is told of every event: `tell(schedd, job, kind, before)`."""

    # What users and glideins do

    def submit(self, count: int, hold: bool = False, **attributes: Any) -> list[Job]:
        """A cluster of `count` like jobs."""
        cluster = len(self.clusters) + 1
        common = {"ClusterId": cluster, "JobUniverse": 5, "Owner": "alice", "QDate": int(self.now())}
        self.clusters[cluster] = {**common, "TotalSubmitProcs": count, **attributes}
        made = [Job(cluster, proc, {"RouterJob": f"{proc:04d}"}) for proc in range(count)]
        for job in made:
            self.jobs[job.id] = job
            self._tell(job, SUBMITTED, 0)
            if hold:
                self.hold(job, SUBMITTED_HELD)
        return made

    def value(self, job: Job, name: str) -> Any:
        """An attribute as a query shows it; None where it is not defined."""
        if name == "JobStatus":
            return job.status
        if name == "ProcId":
            return job.proc
        return job.ad.get(name, self.clusters[job.cluster].get(name))

    def sites(self, job: Job) -> tuple[str, ...]:
        """Where a job may start."""
        return tuple((self.value(job, "DESIRED_Sites") or "").split(","))

    def fits(self, job: Job, slot: Slot) -> bool:
        """Whether the negotiator may match a job with a slot."""
        room = (self.value(job, "RequestMemory") or 0) <= memory_mb(slot.site)
        return job.status == IDLE and slot.site in self.sites(job) and room

    def start(self, job: Job, slot: Slot) -> None:
        """The negotiator's match."""
        slot.job, job.status = job, RUNNING
        job.starts.append(slot.site)
        job.ad |= {"MachineAttrGLIDEIN_Site0": slot.site, "JobCurrentStartDate": int(self.now())}
        job.ad["MachineAttrMachine0"] = slot.node
        job.ad["NumShadowStarts"] = len(job.starts)
        self._tell(job, STARTED, IDLE)

    def hold(self, job: Job, code: int, subcode: int = 0) -> None:
        """Hold a job, for having failed or because somebody wants it."""
        self._vacate(job)
        before, job.status = job.status, HELD
        holds = job.ad.get("NumHolds", 0) + 1
        job.ad |= {"HoldReasonCode": code, "HoldReasonSubCode": subcode, "NumHolds": holds}
        self._tell(job, HOLD, before)

    def release(self, job: Job) -> None:
        """Let a held job wait again."""
        job.status = IDLE
        job.releases += 1
        for name in ("HoldReasonCode", "HoldReasonSubCode"):
            job.ad.pop(name, None)
        self._tell(job, RELEASE, HELD)

    def evict(self, job: Job) -> None:
        """The glidein of a running job is gone: it waits again."""
        self._vacate(job)
        job.status = IDLE
        job.evictions += 1
        self._tell(job, EVICTED, RUNNING)

    def end(self, job: Job, status: int) -> None:
        """A job leaves the queue."""
        self._vacate(job)
        before, job.status = job.status, status
        job.ad |= {"EnteredCurrentStatus": int(self.now()), "ExitCode": 0 if status == COMPLETED else None}
        if status == COMPLETED:
            job.ad |= {"CompletionDate": int(self.now()), "RemoteWallClockTime": 60}
        del self.jobs[job.id]
        self.history.append(job)
        self._tell(job, TERMINATED if status == COMPLETED else ABORTED, before)

    def _tell(self, job: Job, kind: int, before: int) -> None:
        if self.log:
            self.log.tell(self, job, kind, before)

    def _vacate(self, job: Job) -> None:
        for slot in self.slots:
            if slot.job is job:
                slot.job = None

    # The operations of the child process

    def count_jobs(self, router: str, constraint: str, attributes: list[str]) -> list[dict[str, Any]]:
        """Jobs by equal values."""
        clusters = self._clusters_of(constraint)
        chosen = [job for job in self.jobs.values() if job.cluster in clusters]
        self.witness.looked(router, chosen)
        rows = [tuple((name, self._shown(job, name)) for name in attributes) for job in chosen]
        return [{**dict(row), "JobCount": count} for row, count in Counter(rows).items()]

    def _clusters_of(self, constraint: str) -> Container[int]:
        if constraint == "JobUniverse == 5":
            return self.clusters
        if found := _LISTED.search(constraint):
            return {int(each) for each in found[1].split(",")}
        found = _CLUSTERS.fullmatch(constraint)
        assert found, constraint
        return range(int(found[1]), int(found[2]) + 1)

    def idle_jobs(
        self, router: str, clusters: list[int], attributes: list[str]
    ) -> list[tuple[dict[str, Any], tuple[int, int, int]]]:
        """Idle jobs one by one, each a run of its own."""
        found = [job for job in self.jobs.values() if job.cluster in clusters and job.status == IDLE]
        self.witness.looked(router, found)
        return [
            ({name: self.value(job, name) for name in attributes}, (job.cluster, job.proc, job.proc)) for job in found
        ]

    def query_jobs(self, router: str, constraint: str, attributes: list[str], limit: int) -> list[dict[str, Any]]:
        """Jobs one by one."""
        found = [job for job in self.jobs.values() if self._meets(job, constraint)]
        self.witness.looked(router, found)
        return [{name: _open(self._shown(job, name)) for name in attributes} for job in found]

    def edit_job_list(self, router: str, runs: list[Any], attribute: str, text: str) -> bool:
        """One edit of listed jobs; made whole or not at all."""
        jobs = [(cluster, proc) for cluster, first, last in runs for proc in range(first, last + 1)]
        here = {cluster for cluster, _ in self.jobs}
        if any((proc >= 0 and (cluster, proc) not in self.jobs) or cluster not in here for cluster, proc in jobs):
            return False
        value = _plain(classad2.ExprTree(text).eval())
        for cluster, proc in jobs:
            ad = self.clusters[cluster] if proc < 0 else self.jobs[cluster, proc].ad
            self.witness.edited(router, cluster, proc, attribute, value)
            ad[attribute] = value
        return True

    def act(self, router: str, action: str, constraint: str, reason: str, code: int = 0) -> int:
        """Release held jobs, or stop running ones."""
        if action == "Vacate":
            stopped = [job for job in self.jobs.values() if job.status == RUNNING and self._meets(job, constraint)]
            for job in stopped:
                self.evict(job)
            return len(stopped)
        if action != "Release":
            raise Refusal(f"{action} {constraint}")
        held = [job for job in self.jobs.values() if job.status == HELD and self._meets(job, constraint)]
        for job in held:
            self.witness.released(router, job)
            self.release(job)
        return len(held)

    def _meets(self, job: Job, constraint: str) -> bool:
        """Whether HTCondor's own expression is true of a job."""
        own = {**self.clusters[job.cluster], **job.ad, "ProcId": job.proc, "JobStatus": job.status}
        ad = classad2.ClassAd({name: value for name, value in own.items() if value is not None})
        return classad2.ExprTree(constraint).eval(ad) is True

    def query_history(self, constraint: str, attributes: list[str], since: str, limit: int) -> list[dict[str, Any]]:
        """Jobs that left, newest first."""
        found = _SINCE.fullmatch(since)
        start = int(found[1]) if found and found[1] else -(10**12)
        seen = (int(found[2]), int(found[3])) if found and found[2] else None

        def late(job: Job) -> bool:
            return job.id != seen and job.ad["EnteredCurrentStatus"] >= start

        return [
            {name: _open(self._shown(job, name)) for name in attributes}
            for job in takewhile(late, reversed(self.history))
        ]

    def startd_ads(self, constraint: str, attributes: list[str]) -> list[dict[str, Any]]:
        """Slots of glideins; none of them refuses its node here."""
        if "=?= true" in constraint:
            return []
        shape = {"TotalSlotCpus": 1, "TotalSlotDisk": 100 << 20, "SlotType": "Partitionable"}
        return [
            {
                **shape,
                "GLIDEIN_Site": slot.site,
                "Machine": slot.node,
                "TotalSlotMemory": memory_mb(slot.site),
                "GLIDEIN_Entry_Name": slot.site.lower(),
                "Cpus": 0 if slot.job else 1,
                "NumDynamicSlots": 1 if slot.job else 0,
            }
            for slot in self.slots
        ]

    def _shown(self, job: Job, name: str) -> Any:
        value = self.value(job, name)
        return _Ad(value.items()) if isinstance(value, dict) else value


class _Ad(dict[str, Any]):
    """A nested ad that can be counted; it is never changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def _open(value: Any) -> Any:
    return dict(value) if isinstance(value, _Ad) else value


def _plain(value: Any) -> Any:
    if isinstance(value, classad2.ClassAd):
        return {name: value.eval(name) for name in value}
    return None if isinstance(value, classad2.Value) else value
