"""Failures in a row at each site, and which of them speak against it: what fails everywhere fails by itself."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from router.model.cause import Fault
from router.model.event import EventKind, JobEvent, is_users, may_be_sites

MOST_KEPT = 20
"""Programs of a streak that are told apart."""

NEVER_THE_PROGRAMS = frozenset({"hold-3.74", "hold-3.75", "hold-7"})
"""Classes of failures that no program brings about: outputs cannot be stored, the node ends the job, has no files."""


@dataclass(frozen=True, slots=True)
class Program:
    """What jobs run: the program of a task or, of jobs of no task, of a cluster."""

    owner: str
    task: str
    cluster: int
    """0 for that of a task."""


@dataclass(frozen=True, slots=True)
class Failing:
    """Failures of one program."""

    program: Program
    fault: Fault
    """SITE: no program brings them about. USER: most often it is the program. SYSTEM: nobody can tell."""
    failures: int


@dataclass(frozen=True, slots=True)
class Streak:
    """The last failures at one site that nothing that ended well came between."""

    site: str
    broken: bool
    """A job ended well before them, so that what was before does not count any more."""
    failures: int
    of: tuple[Failing, ...]
    """The first MOST_KEPT programs of them."""
    at: float
    """When the last of them was, seconds since the epoch."""

    def after(self, before: "Streak") -> "Streak":
        """This one as what follows `before`."""
        if self.broken:
            return self
        added: dict[tuple[Program, Fault], int] = {}
        for each in (*before.of, *self.of):
            added[each.program, each.fault] = added.get((each.program, each.fault), 0) + each.failures
        of = tuple(Failing(*key, count) for key, count in added.items())[:MOST_KEPT]
        return Streak(self.site, before.broken, before.failures + self.failures, of, max(before.at, self.at))


@dataclass(frozen=True, slots=True)
class Case:
    """What speaks against one site."""

    failures: int
    witnesses: int
    """Programs and, of those that fail as wrong programs do and never ended well, owners."""
    at: float
    """When the last failure was, seconds since the epoch."""


def streaks(events: Iterable[JobEvent]) -> tuple[Streak, ...]:
    """What `events`, in their order, add to the failures in a row at each site."""
    found: dict[str, Streak] = {}
    for event in events:
        if event.site and event.kind is EventKind.FINISHED and not event.cause:
            found[event.site] = Streak(event.site, True, 0, (), 0.0)
        elif event.site and event.kind is EventKind.HELD and event.cause and may_be_sites(event.cause):
            like = event.like
            program = Program(like.owner, like.task, 0 if like.task else like.cluster)
            failing = Failing(program, _fault(event.cause), 1)
            one = Streak(event.site, False, 1, (failing,), event.at)
            found[event.site] = one.after(found[event.site]) if event.site in found else one
    return tuple(found.values())


def _fault(cause: str) -> Fault:
    if cause in NEVER_THE_PROGRAMS:
        return Fault.SITE
    return Fault.USER if is_users(cause) else Fault.SYSTEM


def cases(all_streaks: Iterable[Streak], proven: Container[Program]) -> dict[str, Case]:
    """What speaks against each site; `proven` are the programs of which a job ever ended well.

    A program that fails at several sites and ended well at none speaks against itself.
    """
    known = [streak for streak in all_streaks if streak.failures]
    sites: dict[Program, set[str]] = {}
    for streak in known:
        for each in streak.of:
            if each.fault is not Fault.SITE and each.program not in proven:
                sites.setdefault(each.program, set()).add(streak.site)
    return {streak.site: _case(streak, sites) for streak in known}


def _case(streak: Streak, unproven: dict[Program, set[str]]) -> Case:
    told = [each for each in streak.of if each.fault is Fault.SITE or len(unproven.get(each.program, ())) < 2]
    blamed = sum(each.failures for each in streak.of) - sum(each.failures for each in told)
    # One owner's programs may all be wrong in the same way.
    witnesses = {
        each.program.owner if each.fault is Fault.USER and each.program in unproven else each.program for each in told
    }
    return Case(streak.failures - blamed, len(witnesses), streak.at)
