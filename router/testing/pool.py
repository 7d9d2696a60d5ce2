"""A pool in memory that answers as a schedd with our configuration does: what works here works there.

One contract suite (tests/contract) holds it to that. The negotiator is the simplest there is: first come, first
served, by site and cores.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from typing import Literal

from router.model.action import Diagnose, Mend, Place, Vacate
from router.model.attempt import Attempt
from router.model.cause import Cure
from router.model.event import EventKind, JobEvent
from router.model.job import ASKED_ELSEWHERE, BY_HAND, EndedJob, Hold, JobGroup, JobState, Remedy, SlotGroup
from router.model.pilot import ValidationFailure
from router.ports import Asked, Clock, JobLine
from router.testing.clock import FakeClock
from router.testing.description import SUBMITTED_ON_HOLD, described_ads, described_job
from router.testing.schedd import FakeGlidein, FakeJob, FakeSchedd

ROUTER = "router"
"""The identity that may change others' jobs and the router's attributes."""
OVERLAP_S = 60
"""History is told again this far back, as the real pool does."""
FAILED = 3
"""HTCondor's HoldReasonCode of a job that its own policy held (condor_holdcodes.h)."""

Point = Literal[
    "jobs",
    "slots",
    "failures",
    "ended",
    "duty_cycle",
    "task_lines",
    "clusters",
    "place",
    "place explained",
    "place applied",
    "runs",
    "vacate",
    "vacate edited",
    "vacate applied",
    "release",
    "release applied",
    "diagnose",
    "diagnose applied",
    "mend",
    "mend edited",
    "mend applied",
    "submit",
    "submit applied",
    "remove",
    "remove applied",
    "withdraw",
    "withdraw applied",
    "retry",
    "retry applied",
    "ask_elsewhere",
    "ask_elsewhere applied",
]
"""Where a call may break: before anything is changed; between the two edits of a placement; after all is applied."""


class FakePool:
    """A Pool as one identity; `as_user` gives the same pool as another."""

    def __init__(self, clock: Clock | None = None, user: str = ROUTER, schedd: FakeSchedd | None = None) -> None:
        """A new pool, or `user`'s view of what `schedd` holds."""
        self.schedd = schedd or FakeSchedd(clock or FakeClock())
        self.user = user

    def as_user(self, user: str) -> "FakePool":
        """The same pool as another identity."""
        return FakePool(user=user, schedd=self.schedd)

    def break_at(self, point: Point, error: BaseException, times: int = 1) -> None:
        """Raise `error` the next `times` that a call gets to `point`."""
        self.schedd.faults.setdefault(point, deque()).extend([error] * times)

    # What a Pool is asked

    def jobs(self) -> tuple[JobGroup, ...]:
        """All jobs in the queue, grouped."""
        self._reach("jobs")
        return _counted(job.like for job in self.schedd.queue)

    def jobs_in(self, clusters: Sequence[int]) -> tuple[JobGroup, ...]:
        """The same for some clusters."""
        return tuple(group for group in self.jobs() if group.cluster in clusters)

    def described(self, text: str) -> tuple[JobGroup, ...]:
        """The jobs that `condor_submit -dry-run` prints, as they would look in the queue."""
        return tuple(replace(group, cluster=n) for n, group in enumerate(_counted(described_ads(text)), 1))

    def slots(self) -> tuple[SlotGroup, ...]:
        """The glideins' slots, by site and entry."""
        self._reach("slots")
        found: dict[tuple[str, str], list[FakeGlidein]] = {}
        for glidein in self.schedd.glideins:
            found.setdefault((glidein.site, glidein.entry), []).append(glidein)
        return tuple(self._slot_group(site, entry, found[site, entry]) for site, entry in sorted(found))

    def failures(self) -> tuple[ValidationFailure, ...]:
        """What glideins that refused their node say."""
        self._reach("failures")
        return tuple(self.schedd.refused)

    def ended(self, since: float, after: tuple[int, int] | None = None) -> tuple[EndedJob, ...]:
        """Jobs that left the queue after `since`, seconds since the epoch, or after that job did; newest first."""
        self._reach("ended")

        def new(job: FakeJob) -> bool:
            return (job.like.cluster, job.proc) != after if after else job.ended >= int(since) - OVERLAP_S

        return tuple(_ended(job) for job in takewhile(new, reversed(self.schedd.history)))

    def duty_cycle(self) -> float | None:
        """Share of the last minutes that the schedd was busy."""
        self._reach("duty_cycle")
        return self.schedd.duty

    def place(self, action: Place) -> int:
        """Give jobs their sites if they are as the decision saw them. Returns how many carry the decision now."""
        made = action.decision.carried
        with self._breaking("place"):
            as_seen = [job for job in self._of(action.cluster) if self.user == ROUTER and _is_as_seen(job, action)]
            taken = as_seen[: action.count]
            for job in taken:
                job.like = replace(job.like, decision=made)
            self._reach("place explained")
            for job in taken:
                job.like = replace(job.like, sites=made.sites)
        return self._carried(action)

    def place_all(self, actions: Sequence[Place]) -> tuple[int, ...]:
        """`place` for all actions of a pass; returns the counts in their order."""
        return tuple(self.place(action) for action in actions)

    def release(self, cluster: int, reason: str) -> int:
        """Release the jobs of a cluster that were submitted on hold and still are; no others. Returns how many."""
        with self._breaking("release"):
            return self._release(job for job in self._of(cluster) if job.like.hold_code == SUBMITTED_ON_HOLD)

    def diagnose_all(self, actions: Sequence[Diagnose]) -> tuple[int, ...]:
        """Write remedies into jobs that are held as the decisions saw them; returns how many carry each now."""
        return tuple(self._diagnose(action) for action in actions)

    def mend_all(self, actions: Sequence[Mend]) -> tuple[int, ...]:
        """Carry out remedies that are due, and release the jobs; returns how many of each are held no more."""
        return tuple(self._mend(action) for action in actions)

    def runs(self, before: float) -> tuple[Attempt, ...]:
        """Runs that began before a time in seconds since the epoch."""
        self._reach("runs")
        running = (job for job in self.schedd.queue if job.like.state is JobState.RUNNING)
        return tuple(_run(job) for job in running if job.started < int(before))

    def vacate_all(self, actions: Sequence[Vacate]) -> tuple[int, ...]:
        """Stop runs that are as the decisions saw them; returns how many jobs of each carry it now."""
        return tuple(self._vacate(action) for action in actions)

    def task_lines(self, task: str) -> tuple[JobLine, ...]:
        """The jobs of a task that are in the queue, one by one."""
        self._reach("task_lines")
        return tuple(_line(job) for job in self.schedd.queue if job.like.task == task)

    def clusters(self, task: str, owner: str) -> Mapping[str, int]:
        """Clusters of an owner's task that were ever injected, by batch."""
        self._reach("clusters")
        both = (*self.schedd.history, *self.schedd.queue)
        return {job.like.batch: job.like.cluster for job in both if (job.like.task, job.like.owner) == (task, owner)}

    def submit(self, text: str, items: Sequence[Mapping[str, str]]) -> int:
        """Inject one cluster, a job for each of `items`, one if there is none. Returns its id."""
        with self._breaking("submit"):
            found = [described_job(text, item) for item in items or ({},)]
            self.schedd.clusters += 1
            said = "submitted on hold at user's request"
            for proc, each in enumerate(found):
                own = replace(each.like, cluster=self.schedd.clusters, owner=self.user, oldest=int(self._now()))
                reason = said if own.state is JobState.HELD else ""
                self.schedd.queue.append(FakeJob(proc, each.job, own, reason=reason))
                self._tell(EventKind.SUBMITTED, self.schedd.queue[-1])
            return self.schedd.clusters

    def remove(self, task: str, reason: str) -> int:
        """Remove the jobs of a task. Returns how many."""
        with self._breaking("remove"):
            removed = [job for job in self.schedd.queue if job.like.task == task and self._may_act(job)]
            for job in removed:
                self._end(job, JobState.REMOVED, None, f"{reason} (by user {self.user})")
            return len(removed)

    def withdraw(self, task: str, jobs: Sequence[str], reason: str) -> int:
        """Remove these jobs of a task, as far as they are held. Returns how many."""
        with self._breaking("withdraw"):
            mine = [job for job in self.schedd.queue if job.like.task == task and job.job in jobs]
            held = [job for job in mine if job.like.state is JobState.HELD and self._may_act(job)]
            for job in held:
                self._end(job, JobState.REMOVED, None, f"{reason} (by user {self.user})")
            return len(held)

    def retry(self, task: str, reason: str) -> int:
        """Release the failed jobs of a task. Returns how many."""
        with self._breaking("retry"):
            own = [job for job in self.schedd.queue if job.like.task == task]
            return self._release(job for job in own if job.like.hold_code != SUBMITTED_ON_HOLD)

    def ask_elsewhere(self, jobs: Asked, reason: str) -> int:
        """Hold waiting and failed jobs so that the router sends them to other sites. Returns how many."""
        with self._breaking("ask_elsewhere"):
            asked = [job for job in self.schedd.queue if _is_asked(job, jobs) and self._may_act(job)]
            self._release(job for job in asked if job.like.hold_code != SUBMITTED_ON_HOLD)
            held = [job for job in asked if job.like.state is JobState.IDLE and job.like.sites is not None]
            for job in held:
                _hold(job, BY_HAND, ASKED_ELSEWHERE, f"{reason} (by user {self.user})")
                self._tell(EventKind.HELD, job, "", f"hold-{BY_HAND}")
            return len(held)

    # What happens in a pool

    def add_glidein(self, glidein: FakeGlidein) -> FakeGlidein:
        """Let a glidein join."""
        self.schedd.glideins.append(glidein)
        return glidein

    def refuse_node(self, failure: ValidationFailure) -> None:
        """Let a glidein say that it refused its node."""
        self.schedd.refused.append(failure)

    def negotiate(self) -> int:
        """Start every idle job for which a glidein at one of its sites has the cores. Returns how many."""
        started = 0
        for job in self.schedd.queue:
            if job.like.state is JobState.IDLE and (glidein := self._match(job)):
                job.like = replace(job.like, state=JobState.RUNNING, site=glidein.site)
                job.glidein, job.started = glidein, self._now()
                job.starts += 1
                started += 1
                self._tell(EventKind.STARTED, job, glidein.site)
        return started

    def finish(self, site: str, count: int | None = None) -> list[EndedJob]:
        """Let running jobs at a site end well, `count` of them or all."""
        ended = self._running_at(site)[:count]
        for job in ended:
            self._end(job, JobState.FINISHED, 0, "")
        return [_ended(job) for job in ended]

    def fail(self, site: str, count: int | None = None, exit_code: int = 1, hold_code: int = FAILED) -> int:
        """Let running jobs at a site fail, `count` of them or all: they are held, as their own policy says."""
        failed = self._running_at(site)[:count]
        for job in failed:
            _hold(job, hold_code, exit_code, f"exit code {exit_code}")
            self._tell(EventKind.HELD, job, site, f"hold-{hold_code}.{exit_code}")
        return len(failed)

    def evict(self, site: str, count: int | None = None) -> int:
        """Let running jobs at a site lose their slots, `count` of them or all: they are idle again."""
        evicted = self._running_at(site)[:count]
        for job in evicted:
            self._evict(job)
        return len(evicted)

    def hold(self, cluster: int, reason: str) -> int:
        """Let the owner hold the jobs of a cluster. Returns how many."""
        held = [job for job in self._of(cluster) if job.like.state is not JobState.HELD and self._may_act(job)]
        for job in held:
            _hold(job, BY_HAND, 0, f"{reason} (by user {self.user})")
        return len(held)

    # Behind it

    def _now(self) -> float:
        return self.schedd.clock.now()

    def _reach(self, point: str) -> None:
        if waiting := self.schedd.faults.get(point):
            raise waiting.popleft()

    @contextmanager
    def _breaking(self, call: str) -> Iterator[None]:
        self._reach(call)
        yield
        self._reach(f"{call} applied")

    def _of(self, cluster: int) -> list[FakeJob]:
        return [job for job in self.schedd.queue if job.like.cluster == cluster]

    def _carried(self, action: Place) -> int:
        made = action.decision.carried
        return sum(job.like.decision == made and job.like.sites == made.sites for job in self._of(action.cluster))

    def _may_act(self, job: FakeJob) -> bool:
        return self.user in (ROUTER, job.like.owner)

    def _diagnose(self, action: Diagnose) -> int:
        with self._breaking("diagnose"):
            made = action.remedy.carried
            for job in self._held_as(action.cluster, action.hold, action.old):
                job.like = replace(job.like, remedy=made)
            return sum(job.like.remedy == made for job in self._of(action.cluster))

    def _mend(self, action: Mend) -> int:
        with self._breaking("mend"):
            remedy = action.remedy
            jobs = self._held_as(action.cluster, action.hold, remedy) if remedy.cure is not Cure.NONE else []
            for job in jobs:
                had = job.like.requests
                memory, walltime = remedy.memory_mb or had.memory_mb, remedy.walltime_s or had.walltime_s
                sites = None if remedy.cure is Cure.ELSEWHERE else job.like.sites
                job.like = replace(
                    job.like, requests=replace(had, memory_mb=memory, walltime_s=walltime), sites=sites
                )  # fmt: skip
            self._reach("mend edited")
            self._release(jobs)
            carried = [job.like for job in self._of(action.cluster) if job.like.remedy == remedy]
            return sum(like.state is not JobState.HELD for like in carried)

    def _vacate(self, action: Vacate) -> int:
        with self._breaking("vacate"):
            made, runs = action.decision.carried, set(action.jobs)
            jobs = [job for job in self._of(action.cluster) if (job.proc, int(job.started)) in runs]
            as_seen = [job for job in jobs if self.user == ROUTER and job.like.state is JobState.RUNNING]
            taken = [job for job in as_seen if (job.like.sites, job.like.decision) == (action.old, action.last)]
            for job in taken:
                job.like = replace(job.like, decision=made, sites=None)
            self._reach("vacate edited")
            for job in taken:
                self._evict(job)
            return sum(job.like.decision == made and job.like.sites is None for job in jobs)

    def _evict(self, job: FakeJob) -> None:
        site = job.like.site
        job.like, job.glidein = replace(job.like, state=JobState.IDLE, site=""), None
        self._tell(EventKind.EVICTED, job, site)

    def _held_as(self, cluster: int, hold: Hold, remedy: Remedy | None) -> list[FakeJob]:
        """Held jobs that are as a decision saw them; none for whoever may not edit them."""
        if self.user != ROUTER:
            return []
        held = [job for job in self._of(cluster) if job.like.state is JobState.HELD]
        return [job for job in held if job.like.hold == hold and job.like.remedy == remedy]

    def _release(self, jobs: Iterable[FakeJob]) -> int:
        released = [job for job in jobs if job.like.state is JobState.HELD and self._may_act(job)]
        for job in released:
            job.like = replace(
                job.like, state=JobState.IDLE, site="", hold_code=0, hold_subcode=0, starts=0
            )  # fmt: skip
            job.reason = ""
            self._tell(EventKind.RELEASED, job)
        return len(released)

    def _match(self, job: FakeJob) -> FakeGlidein | None:
        wanted = {site.lower() for site in job.like.sites or ()}
        for glidein in self.schedd.glideins:
            if glidein.site.lower() in wanted and self._idle_cores(glidein) >= job.like.requests.cpus:
                return glidein
        return None

    def _idle_cores(self, glidein: FakeGlidein) -> int:
        return glidein.cores - sum(job.like.requests.cpus for job in self.schedd.queue if job.glidein is glidein)

    def _running_at(self, site: str) -> list[FakeJob]:
        return [job for job in self.schedd.queue if job.like.state is JobState.RUNNING and job.like.site == site]

    def _tell(self, kind: EventKind, job: FakeJob, site: str = "", cause: str = "") -> None:
        first = kind is EventKind.STARTED and job.starts == 1
        like = replace(job.like, decision=None)
        ended = (job.job, job.exit_code, job.reason if kind is EventKind.REMOVED else "")
        told = JobEvent(kind, self._now(), job.proc, like, job.before, site, job.started, first, *ended, cause)
        self.schedd.events.append(told)
        job.before = like.state

    def _end(self, job: FakeJob, state: JobState, exit_code: int | None, reason: str) -> None:
        job.like = replace(job.like, state=state)
        job.glidein, job.exit_code, job.reason, job.ended = None, exit_code, reason, self._now()
        self._tell(EventKind.FINISHED if state is JobState.FINISHED else EventKind.REMOVED, job, job.like.site)
        self.schedd.queue.remove(job)
        self.schedd.history.append(job)

    def _slot_group(self, site: str, entry: str, glideins: list[FakeGlidein]) -> SlotGroup:
        busy = [job for job in self.schedd.queue if job.glidein in glideins]
        cores = sum(glidein.cores for glidein in glideins)
        return SlotGroup(
            site=site,
            entry=entry,
            glideins=len(glideins),
            cores=cores,
            idle_cores=cores - sum(job.like.requests.cpus for job in busy),
            memory_mb=max(glidein.memory_mb for glidein in glideins),
            disk_mb=max(glidein.disk_mb for glidein in glideins),
            slot_cpus=max(glidein.cores for glidein in glideins),
            running_jobs=len(busy),
            idle_glideins=len(glideins) - len({id(job.glidein) for job in busy}),
        )


def _is_asked(job: FakeJob, jobs: Asked) -> bool:
    if jobs.task:
        return job.like.task == jobs.task
    return job.like.cluster == jobs.cluster and jobs.proc in (None, job.proc)


def _run(job: FakeJob) -> Attempt:
    like = job.like
    return Attempt(
        like.cluster,
        job.proc,
        int(job.started),
        like.site,
        told=int(job.told),
        task=like.task,
        batch=like.batch,
        sites=like.sites,
        decision=like.decision,
        fixed=like.fixed,
        walltime_s=like.requests.walltime_s,
        cpu_s=job.cpu_s,
        disk_mb=job.disk_mb,
        ends=job.glidein.ends if job.glidein else 0,
    )


def _hold(job: FakeJob, code: int, subcode: int, reason: str) -> None:
    like = job.like
    job.like = replace(
        like, state=JobState.HELD, hold_code=code, hold_subcode=subcode, holds=like.holds + 1, starts=job.starts
    )  # fmt: skip
    job.glidein, job.reason = None, reason


def _is_as_seen(job: FakeJob, action: Place) -> bool:
    like = job.like
    return like.state is JobState.IDLE and like.sites == action.old and action.kind in (None, like.kind)


def _counted(groups: Iterable[JobGroup]) -> tuple[JobGroup, ...]:
    counts: dict[JobGroup, int] = {}
    for group in groups:
        counts[group] = counts.get(group, 0) + 1
    return tuple(replace(group, count=count) for group, count in counts.items())


def _ended(job: FakeJob) -> EndedJob:
    return EndedJob(
        cluster=job.like.cluster,
        proc=job.proc,
        task=job.like.task,
        batch=job.like.batch,
        job=job.job,
        owner=job.like.owner,
        state=job.like.state,
        exit_code=job.exit_code,
        site=job.like.site,
        ended=job.ended,
        wall_s=job.ended - job.started if job.started else 0.0,
        reason=job.reason,
    )


def _line(job: FakeJob) -> JobLine:
    like = job.like
    said = like.decision.words if like.decision else ""
    return JobLine(
        cluster=like.cluster,
        proc=job.proc,
        owner=like.owner,
        batch=like.batch,
        job=job.job,
        state=str(like.state),
        site=like.site,
        sites=like.sites or (),
        reason=job.reason if like.state is JobState.HELD else said,
        started=job.started,
        given_up=like.state is JobState.HELD and like.remedy is not None and like.remedy.gives_up(like.holds),
    )
