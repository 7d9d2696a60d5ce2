"""`panda`: PanDA's analysis brokerage and rebrokerage, with its weight as its source has it.

From AtlasAnalJobBroker of panda-server 1.0.3 (commit 9cc36033): its choice of candidates, its weight since November
2022, one site for each 25 jobs drawn by weight, and copyArchive's rebrokerage of what is stuck. What stands for its
inputs:

- activated, assigned, defined and starting jobs: idle jobs that are placed; one with several sites counts in parts;
- the gshare: User Analysis, one for all, so that its jobs at a site are all jobs there;
- the to-running rate of six hours: jobs that end per hour in the policy's window, as many as start there;
- the class of a site: its expected wait against the others' thirds and against one and three hours;
- failures of the task in six hours: those of all tasks in the policy's window;
- that no job of the group changed its state lately: that none of its cluster runs at the site;
- tasks already at a site, and sites closed to a task for six hours: what its jobs' decisions say.

Left out, as nothing stands for it: share throttles, storage quotas, disk I/O, releases, hospital queues, scouts and
express tails. A task that no site with its data takes is brokered without regard to data after two hours; PanDA has no
default for that. Jobs leave a closed site at once, as under every policy here, and not after three hours. Draws are
digests of cluster and decision, so that a world gives the same ones again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from router.decide.policies.draw import chance
from router.decide.policies.panda_weight import Queue, Weight, classes, weights
from router.decide.policies.scene import Answer, Case, Part, Scene
from router.model.action import Refusal
from router.model.job import JobGroup, JobState

HOUR = 3600.0
CLOSED_S = 6 * HOUR
"""For which a site that a task was taken from is closed to it (TW_DONE_JOB_STAT)."""
DATA_CHECK_TIMEOUT_S = 2 * HOUR
CHUNK = 25
"""Jobs that share one draw."""
BEST = 10
"""Candidates kept."""
COPY_S = 12 * HOUR
"""How long jobs whose input lies elsewhere may wait: PanDA's own time for jobs in the state `assigned`."""
PERIOD_S = 2400.0
"""Time between two runs of the daemon that rebrokers."""
NO_PILOT_S = 3 * HOUR
STUCK = "rebrokered"
EXCESS = "queue-overshoot"
"""PanDA's code 10, which does not close the site to the task."""

CLOSED = Refusal("closed", "jobs of the task were taken away from it within six hours")
NO_DATA = Refusal("no-replica", "does not hold the input")
NO_PILOT = Refusal("no-pilot", "has shown no glidein for three hours although jobs asked for them")
OVERLOADED = Refusal("overloaded", "has more jobs queued for each running one than the others")
IDLE = Refusal("badsite", "has jobs queued, and none runs")
LONG_QUEUE = Refusal("badsite", "has a long queue, and too much of it is the user's")
FAILS = Refusal("badsite", "has a long queue, and more than twice as many failed as finished jobs")
OTHERS = Refusal("not-in-best", "is not among the ten best")


def rule(scene: Scene, cases: Sequence[Case]) -> Iterator[Answer]:
    """Broker what has no site, and rebroker what is stuck."""
    counters = Counters(scene)
    for case in cases:
        if not case.sites:
            yield counters.broker(case, case.group.count, scene.world.now - case.group.oldest)
        elif len(case.sites) == 1 and case.group.decision:
            yield counters.rebroker(case)
        else:
            yield Answer()


@dataclass
class _Task:
    used: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)


class Counters:
    """What PanDA's database would say: queues by site, and what each task has been through."""

    def __init__(self, scene: Scene) -> None:
        """Count the jobs of a scene."""
        self._scene, self._now = scene, scene.world.now
        self._queues = {site.name: Queue.of(site, scene.policy) for site in scene.sites}
        self._tasks: dict[str, _Task] = defaultdict(_Task)
        self._running: set[tuple[int, str]] = set()
        for group in scene.world.jobs:
            self._count(group)
        self._classes = classes(self._queues)
        queued = sum(queue.queued for queue in self._queues.values())
        running = sum(queue.running for queue in self._queues.values())
        self._ratio = queued / running if running else 0.0
        self._excess = {
            name: queue.queued - 3 * queue.running
            for name, queue in self._queues.items()
            if queue.queued > 3 * queue.running and queue.queued > max(0.3 * queued, 100)
        }

    def _count(self, group: JobGroup) -> None:
        here: tuple[str, ...] = ()
        if group.state is JobState.IDLE and group.sites:
            here = tuple(site for site in group.sites if site in self._queues)
            for site in here:
                self._queues[site].add_queued(group.owner, group.count / len(here))
        elif group.state is JobState.RUNNING and group.site in self._queues:
            here = (group.site,)
            self._running.add((group.cluster, group.site))
            self._queues[group.site].add_running(group.owner, group.count)
        self._tasks[_task(group)].used.update(here)
        last = group.decision
        if last and last.tag != EXCESS and self._now - last.at < CLOSED_S:
            self._tasks[_task(group)].closed.update(set(last.came_from) - set(last.sites))

    # Brokerage

    def broker(self, case: Case, jobs: int, waited_s: float) -> Answer:
        """Draw a site for each 25 jobs among the ten best candidates; no parts where none is left."""
        refused: dict[str, Refusal] = {}
        fit, local = self._candidates(case, waited_s, refused)
        weighed = self._weights(case, fit, jobs, local)
        kept = self._best(case, fit, weighed, refused)
        total = sum(weighed[name].value for name in kept)
        drawn: dict[str, int] = defaultdict(int)
        for number, first in enumerate(range(0, jobs if kept else 0, CHUNK)):
            drawn[self._draw(case, kept, weighed, number)] += min(CHUNK, jobs - first)
        return Answer(
            tuple(Part((site,), count) for site, count in drawn.items()),
            words=f"drawn by weight from {len(kept)} candidate(s)" if kept else "",
            score={name: weighed[name].value / total for name in kept},
            terms={name: weighed[name].terms for name in kept},
            refusals=refused,
        )

    def _candidates(self, case: Case, waited_s: float, refused: dict[str, Refusal]) -> tuple[list[str], bool]:
        """Sites with all the data, else with some; after a time in vain all. And whether their data counts as whole."""
        names = self._scene.names
        held = {name: float(case.local[n]) for n, name in enumerate(names) if case.local[n] > 0}
        whole = [name for name, share in held.items() if share >= 1.0]
        start = whole or list(held)
        if fit := self._filtered(case, start, refused):
            refused.update({name: NO_DATA for name in names if name not in start})
            return fit, bool(whole)
        if waited_s >= DATA_CHECK_TIMEOUT_S:
            return self._filtered(case, names, refused), False
        refused.update({name: NO_DATA for name in names if name not in start})
        return [], True

    def _filtered(self, case: Case, start: Iterable[str], refused: dict[str, Refusal]) -> list[str]:
        """The filters that need PanDA's counters, in its order; if all sites are overloaded, they stay."""
        task, place = self._tasks[_task(case.group)], self._scene.place
        fit = []
        for name in start:
            if case.codes[place[name]]:
                continue
            if name in task.closed:
                refused[name] = CLOSED
            elif self._queues[name].site.silent_s > NO_PILOT_S:
                refused[name] = NO_PILOT
            else:
                fit.append(name)
        calm = [name for name in fit if not self._queues[name].overloaded(self._ratio)]
        if calm:
            refused.update({name: OVERLOADED for name in fit if name not in calm})
        return calm or fit

    def _weights(self, case: Case, fit: Sequence[str], jobs: int, local: bool) -> dict[str, Weight]:
        queues = [self._queues[name] for name in fit]
        data = [1.0] * len(fit)
        if case.inputs.size and not local:
            held = dict(case.inputs.at_sites)
            data = [1 + held.get(name, 0) / 1e10 for name in fit]
        return dict(zip(fit, weights(queues, self._classes, data, case.group.owner, jobs), strict=True))

    def _best(
        self, case: Case, fit: Sequence[str], weighed: dict[str, Weight], refused: dict[str, Refusal]
    ) -> list[str]:
        """Those the task uses already first, then by weight; problematic ones removed, ten kept."""
        used, user = self._tasks[_task(case.group)].used, case.group.owner
        order = sorted(
            fit, key=lambda name: (name not in used, -weighed[name].value, chance(case.group.cluster, "tie", name))
        )
        good = []
        for name in order:
            if self._queues[name].problematic_for(user):
                refused[name] = _problem(self._queues[name], user)
            else:
                good.append(name)
        refused.update(dict.fromkeys(good[BEST:], OTHERS))
        return good[:BEST]

    def _draw(self, case: Case, kept: Sequence[str], weighed: dict[str, Weight], number: int) -> str:
        epoch = case.group.decision.epoch if case.group.decision else 0
        point = chance(case.group.cluster, epoch, number) * sum(weighed[name].value for name in kept)
        for name in kept:
            point -= weighed[name].value
            if point <= 0:
                return name
        return kept[-1]

    # Rebrokerage

    def rebroker(self, case: Case) -> Answer:
        """Take a whole group from where it is stuck, or what a long queue has over three times its running jobs."""
        group, site = case.group, case.sites[0]
        last, here = group.decision, case.local[self._scene.place[site]] >= 1.0
        if last is None or not self._daemon_ran_since(last.at):
            return Answer()
        if self._stuck(case, site, last.at, here):
            self._tasks[_task(group)].closed.add(site)
            return _moved(
                self.broker(case, group.count, self._now - last.at), STUCK, f"no job started at {site} in time"
            )
        if here and self._excess.get(site, 0) >= 1:
            jobs = int(min(group.count, self._excess[site]))
            self._excess[site] -= jobs
            words = f"the queue of {site} is over three times its running jobs"
            return _moved(self.broker(case, jobs, 0.0), EXCESS, words)
        return Answer()

    def _daemon_ran_since(self, then: float) -> bool:
        """Whether the daemon, which runs every 40 minutes, has run since a moment."""
        return self._now // PERIOD_S > then // PERIOD_S

    def _stuck(self, case: Case, site: str, since: float, here: bool) -> bool:
        """Whether a group has waited too long; one that waits for its copies is given more time."""
        limit = self._scene.policy.panda_rebroker_s if here else COPY_S
        return self._daemon_ran_since(since + limit) and (case.group.cluster, site) not in self._running


def _task(group: JobGroup) -> str:
    """The task of a group; a cluster of its own where it has none."""
    return group.task or str(group.cluster)


def _problem(queue: Queue, user: str) -> Refusal:
    if not queue.running:
        return IDLE
    return LONG_QUEUE if queue.by_user.get(user, 0.0) > queue.longest_of(user) else FAILS


def _moved(answer: Answer, tag: str, words: str) -> Answer:
    return Answer(answer.parts, tag, words, answer.score, answer.terms, answer.refusals)
