"""Which runs are stopped, so that their jobs start anew at another site: rarely, for what is lost is lost for sure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import floor

from router.decide.bars import Bars, left_after
from router.decide.broker import Brokerage
from router.decide.health import EVICTING, FAILING, HOLE
from router.decide.reconcile import rounded, shape_of
from router.model.action import Choice, Vacate
from router.model.attempt import Attempt
from router.model.job import Decision, JobGroup, JobState, Source
from router.model.policy import BrokerPolicy, RunningPolicy
from router.model.site import Site
from router.model.task import Inputs
from router.model.world import World

STUCK, ENDING = "stuck", "glidein-ending"
"""Tags; a site that is held to be ill gives its own."""

DYING = frozenset({HOLE, FAILING, EVICTING})
"""What a run at a site is not likely to survive."""


def stops(world: World, policy: BrokerPolicy, running: RunningPolicy) -> Iterator[Vacate]:
    """The runs to be stopped now, of those in the world.

    Never more than a share of the jobs that run at a site, nor of those of a task, but one of each; never a job that no
    other site fits, that was moved often, or whose owner fixed it.
    """
    if not running.stop or not world.runs:
        return
    brokerage = Brokerage.of(world, policy)
    sites = {site.name: site for site in world.sites}
    case = _Case(world, brokerage, running, sites, dict(world.inputs), Bars.of(world, brokerage))
    found = [stop for run in world.runs if (stop := case.judged(run))]
    found.sort(key=lambda stop: (-stop.gain, stop.run.key))
    yield from _actions(_admitted(found, case), case)


@dataclass(frozen=True, slots=True)
class _Stop:
    """A run that had better be stopped."""

    run: Attempt
    tag: str
    words: str
    gain: float
    """Seconds of a core that are not wasted then."""


@dataclass(frozen=True, slots=True)
class _Case:
    """All that decides what becomes of runs."""

    world: World
    brokerage: Brokerage
    policy: RunningPolicy
    sites: Mapping[str, Site]
    inputs: dict[Source, Inputs]
    bars: Bars

    def judged(self, run: Attempt) -> _Stop | None:
        """Why a run had better be stopped; None: it goes on."""
        moves = run.decision.moves if run.decision else 0
        if run.fixed or moves >= self.brokerage.policy.most_moves:
            return None
        return self._stuck(run) or self._ending(run) or self._dying(run)

    def _stuck(self, run: Attempt) -> _Stop | None:
        if run.still_s < self.policy.stuck_s:
            return None
        words = f"it has used no processor time and written nothing for {_hours(run.still_s)}"
        return _Stop(run, STUCK, words, self._rest(run) or run.still_s)

    def _ending(self, run: Attempt) -> _Stop | None:
        """Whether its glidein ends, or its site closes, long before it does."""
        life = self._life(run)
        if life is None or life < self.policy.least_gain_s or self._rest(run) <= self.policy.margin * life:
            return None
        rest, left = rounded(self._rest(run)), rounded(life)
        return _Stop(run, ENDING, f"its glidein ends in {left}, and it in {rest}, by what is usual there", life)

    def _dying(self, run: Attempt) -> _Stop | None:
        """Whether it is at most half done where runs are not likely to end well."""
        ill = self.brokerage.health.closed.get(run.site)
        rest, ran = self._rest(run), self.world.now - run.started
        if ill is None or ill.tag not in DYING or rest < max(ran, self.policy.least_gain_s):
            return None
        return _Stop(run, ill.tag, f"the site {ill.words}", rest - ran)

    def _life(self, run: Attempt) -> float | None:
        """Seconds that are left to its glidein; None: nobody says."""
        site = self.sites.get(run.site)
        ends = [run.ends - self.world.now] if run.ends else []
        ends += [site.closes_in_s] if site and site.closes_in_s is not None else []
        return min(ends, default=None)

    def _rest(self, run: Attempt) -> float:
        """Seconds that it still takes, by what is usual at its site, else by what it asks for."""
        site = self.sites.get(run.site)
        usual = (site.mean_run_s if site else 0.0) or run.walltime_s
        return max(0.0, usual - (self.world.now - run.started))

    def fits_elsewhere(self, group: JobGroup) -> bool:
        """Whether a site would take a group's jobs other than the one where they run."""
        shape = shape_of(group, self.inputs, self.bars)
        return any(verdict.site != group.site for verdict in self.brokerage.choose(shape).fit)


def _admitted(found: Iterable[_Stop], case: _Case) -> Iterator[tuple[_Stop, JobGroup]]:
    """The first of `found` that the limits and the other sites allow, each with the group of its job."""
    running = [group for group in case.world.jobs if group.state is JobState.RUNNING]
    groups = {(group.cluster, group.site): group for group in running}
    room: Counter[str] = Counter()
    for group in running:
        room.update({f"site {group.site}": group.count, f"task {group.task or group.cluster}": group.count})
    room = Counter({name: max(1, int(case.policy.most_share * count)) for name, count in room.items()})
    fits: dict[JobGroup, bool] = {}
    for stop in found:
        if (own := groups.get((stop.run.cluster, stop.run.site))) is None:
            continue
        names = f"site {own.site}", f"task {own.task or own.cluster}"
        if own not in fits:
            fits[own] = case.fits_elsewhere(own)
        if fits[own] and all(room[name] > 0 for name in names):
            room.subtract(names)
            yield stop, own


def _actions(admitted: Iterable[tuple[_Stop, JobGroup]], case: _Case) -> Iterator[Vacate]:
    """Stops that nothing tells apart but their job, as one action each."""
    alike: dict[object, list[tuple[_Stop, JobGroup]]] = {}
    for stop, group in admitted:
        run = stop.run
        alike.setdefault((run.cluster, run.site, run.sites, run.decision, stop.words), []).append((stop, group))
    for stops_alike in alike.values():
        (stop, group), run = stops_alike[0], stops_alike[0][0].run
        jobs = tuple(sorted((each.run.proc, each.run.started) for each, _ in stops_alike))
        decision = _decision(stop, group, case)
        yield Vacate(run.cluster, run.task, run.batch, run.site, run.sites, run.decision, jobs, decision)


def _decision(stop: _Stop, group: JobGroup, case: _Case) -> Decision:
    """A decision that names no sites: the job gets some like a new one, but not those that it leaves."""
    run, now = stop.run, int(case.world.now)
    last = run.decision
    as_run = replace(group, sites=(run.site,), decision=last)
    left = left_after(as_run, (), Choice(()), now, case.brokerage.policy)
    words = f"taken from {run.site} while it ran: {stop.words}"
    epoch, moves = (last.epoch, last.moves) if last else (0, 0)
    return Decision(epoch + 1, moves + 1, (), (run.site,), stop.tag, words, now, left)


def _hours(seconds: float) -> str:
    """A time in whole hours, or minutes when it is shorter, so that many decisions have equal words."""
    return f"{floor(seconds / 3600)} h" if seconds >= 7200 else f"{floor(seconds / 60)} min"
