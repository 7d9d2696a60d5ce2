"""What is done about failed jobs: by group, from the catalogue of causes, within the limits of the policy.

A remedy is first written into the held jobs, where their owner can read it, and carried out when it is due.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from router.decide.causes import ASKED, cause_of_group
from router.model.action import Diagnose, Mend, Treatment
from router.model.answer import Failure
from router.model.cause import Cause, Cure, Fault
from router.model.job import SUBMITTED_HELD, JobGroup, JobState, Remedy
from router.model.payload import Requests
from router.model.policy import RetryPolicy
from router.model.site import Limits, Site, SiteStatus
from router.model.world import World

MEMORY_STEP_MB = 64
"""Memory is asked for in steps: each distinct request is an autocluster to the negotiator."""


def treat(world: World, policy: RetryPolicy) -> Iterator[Treatment]:
    """What to do about held jobs now. A world that it was applied to gives nothing until a remedy is due."""
    for group in world.jobs:
        if group.state is not JobState.HELD:
            continue
        cause = cause_of_group(group)
        if cause.cure is Cure.LEAVE or not (policy.retry or cause is ASKED):
            continue
        names = (group.cluster, group.task, group.batch, group.count, group.hold)
        if group.remedy is None or group.remedy.hold != group.holds:
            case = _Case(group, cause, world, policy)
            remedy = case.as_asked() if cause is ASKED else case.remedy()
            yield Diagnose(*names, group.remedy, remedy)
        elif group.remedy.cure is not Cure.NONE and world.now >= group.remedy.due:
            yield Mend(*names, group.remedy)


@dataclass(frozen=True, slots=True)
class _Case:
    """One group of failed jobs, and all that decides what becomes of them."""

    group: JobGroup
    cause: Cause
    world: World
    policy: RetryPolicy

    def remedy(self) -> Remedy:
        """What to do."""
        if self.cause.cure is Cure.NONE:
            return self._give_up("another try would fail alike")
        if self.tries >= self.limit:
            return self._give_up(f"it has been retried {self.tries} time(s)")
        return self._retried()

    def _retried(self) -> Remedy:
        match self.cause.cure:
            case Cure.MEMORY:
                return self._more_memory()
            case Cure.WALLTIME:
                return self._more_walltime()
            case Cure.ELSEWHERE:
                return self._elsewhere()
        return self._again("at the same sites")

    @property
    def last(self) -> Remedy | None:
        """What was done about the hold before; None when a person has released the jobs since: they start afresh.

        Released jobs have run, which the schedd counts; the number of a hold their owner may write as well.
        """
        last = self.group.remedy
        afresh = last is not None and last.cure is Cure.NONE and self.group.starts > last.starts
        return None if afresh else last

    @property
    def tries(self) -> int:
        """Retries so far."""
        return self.last.tries if self.last else 0

    @property
    def limit(self) -> int:
        """Retries that the jobs get: fewer where the same cause comes back that is worth few."""
        if self.last and self.last.cause != self.cause.tag:
            return self.policy.tries
        return min(self.policy.tries, self.cause.tries)

    @property
    def avoid(self) -> tuple[str, ...]:
        """Sites they are kept away from already."""
        return self.last.avoid if self.last and self.world.now < self.last.until else ()

    def _elsewhere(self) -> Remedy:
        avoid = tuple(sorted({*self.avoid, self.group.site} - {""}))
        others = [site for site in _usable(self.world.sites, self.group) if site.name not in avoid]
        if self.group.fixed:
            return self._again("at the same site, since its owner asked that it never moves")
        if not others:
            return self._again("at the same sites, since no other can run it")
        return replace(self._retry(Cure.ELSEWHERE, "it goes to another site"), avoid=avoid, until=self._until)

    def as_asked(self) -> Remedy:
        """Away from all sites that the jobs have or were at, at once, and not counted: nothing has failed."""
        were = tuple(sorted({*self.avoid, *(self.group.sites or ()), self.group.site} - {""}))
        if not any(site.name not in were for site in _usable(self.world.sites, self.group)):
            words = f"{self.cause.words}; it stays, since no other site can run it"
            return self._made(Cure.AGAIN, self.tries, words)
        words = f"{self.cause.words}: it leaves {', '.join(were)}"
        made = self._made(Cure.ELSEWHERE, self.tries, words)
        return replace(made, avoid=were, until=self._until)

    def _again(self, where: str) -> Remedy:
        wait = min(self.policy.delay_s * 2**self.tries, self.policy.most_delay_s)
        pause = f"{wait / 60:.0f} min" if wait >= 120 else f"{wait:.0f} s"
        made = self._retry(Cure.AGAIN, f"it runs again after {pause} {where}")
        return replace(made, due=int(self.world.now + wait))

    def _more_memory(self) -> Remedy:
        had = self.group.requests.memory_mb
        wanted = -(-int(had * self.policy.growth) // MEMORY_STEP_MB) * MEMORY_STEP_MB
        most = min(
            self.policy.most_memory_mb,
            self._most(replace(self.group.requests, memory_mb=0), lambda limits: limits.memory_mb),
        )
        if most <= had:
            return self._give_up(f"it asks for {had:,} MB already, and no retry gets more than {most:,} MB")
        gets = min(wanted, most)
        made = self._retry(Cure.MEMORY, f"it gets {gets:,} MB of memory instead of {had:,} MB")
        return replace(made, memory_mb=gets)

    def _more_walltime(self) -> Remedy:
        had = self.group.requests.walltime_s // 60
        wanted = -int(-had * self.policy.growth // 1)
        most = (
            min(
                self.policy.most_walltime_s,
                self._most(replace(self.group.requests, walltime_s=0), lambda limits: limits.walltime_s),
            )
            // 60
        )
        if most <= had:
            return self._give_up(f"it asks for {had:,} min already, and no retry gets more than {most:,} min")
        gets = min(wanted, most)
        made = self._retry(Cure.WALLTIME, f"it gets {gets:,} min instead of {had:,} min")
        return replace(made, walltime_s=60 * gets)

    def _most(self, others: Requests, of: Callable[[Limits], int]) -> int:
        """The most of one request that any site gives that has room for the others."""
        return max(
            (of(site.limits) for site in _usable(self.world.sites, replace(self.group, requests=others))), default=0
        )

    def _retry(self, cure: Cure, what: str) -> Remedy:
        words = f"{self._what}; {what} (retry {self.tries + 1} of {self.limit})"
        return self._made(cure, self.tries + 1, words)

    def _give_up(self, why: str) -> Remedy:
        return self._made(Cure.NONE, self.tries, f"{self._what}; not retried, for {why}. {self.cause.advice}")

    def _made(self, cure: Cure, tries: int, words: str) -> Remedy:
        now = int(self.world.now)
        until = self.last.until if self.avoid and self.last else 0
        return Remedy(
            self.group.holds, tries, self.cause.tag, cure, self.group.site, self.avoid, until, words, due=now,
            starts=self.group.starts,
        )  # fmt: skip

    @property
    def _what(self) -> str:
        at = f" at {self.group.site}" if self.group.site else ""
        whose = "" if self.cause.fault is Fault.USER else f" (a fault of the {self.cause.fault})"
        return f"failed{at}{whose}: {self.cause.words}"

    @property
    def _until(self) -> int:
        return int(self.world.now + self.policy.avoid_s)


def failures(groups: Iterable[JobGroup]) -> tuple[Failure, ...]:
    """What held jobs failed of and what becomes of them, the most jobs first; those that wait by design are none."""
    found: dict[Failure, int] = {}
    for group in groups:
        if group.state is JobState.HELD and group.hold_code != SUBMITTED_HELD:
            cause = cause_of_group(group)
            told = group.remedy if group.remedy and group.remedy.hold == group.holds else None
            tries = group.remedy.tries if group.remedy else 0
            # A retry counts from when the remedy is written; before it is carried out, it has not been had.
            tries -= int(told is not None and told.cure is not Cure.NONE)
            due = float(told.due) if told and told.cure is not Cure.NONE else 0.0
            words = told.words if told else ""
            alike = Failure(cause.tag, cause.words, cause.fault, 0, group.site, tries, words, due)
            found[alike] = found.get(alike, 0) + group.count
    made = (replace(failure, jobs=jobs) for failure, jobs in found.items())
    return tuple(sorted(made, key=lambda failure: (-failure.jobs, failure.cause, failure.site)))


def _usable(sites: Sequence[Site], group: JobGroup) -> list[Site]:
    """Sites that take work now and that the jobs may run at, as far as their owner and what they ask for say."""
    return [
        site
        for site in sites
        if site.status is SiteStatus.ONLINE
        and (not group.allow or site.name in group.allow)
        and site.name not in group.block
        and _holds(site.limits, group)
    ]


def _holds(limits: Limits, group: JobGroup) -> bool:
    asked = group.requests
    return (
        asked.cpus <= limits.cpus
        and asked.memory_mb <= limits.memory_mb
        and asked.disk_mb <= limits.disk_mb
        and asked.walltime_s <= limits.walltime_s
    )
