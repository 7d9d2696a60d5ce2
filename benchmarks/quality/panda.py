"""PanDA's analysis brokerage and rebrokerage, as its source has them, where they have a meaning here.

Modelled on AtlasAnalJobBroker of panda-server 1.0.3: filters, weight, choice. One site for each 25 jobs, drawn from
the ten best by weight. Left out, for want of anything to stand for it: gshare throttles, storage quotas, disk I/O,
releases, hospital queues, scouts, express tail. Assumed where the code has no default: a task that no site with its
data takes is brokered without regard to data after DATA_CHECK_TIMEOUT_S. Failures are those of all tasks at the site,
as a World has no others; PanDA counts the task's own.
"""

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from router.model.action import Action, Place
from router.model.job import Decision, JobGroup, JobState
from router.model.site import Site, SiteStatus
from router.model.task import Inputs
from router.model.world import World

HOUR = 3600.0
WINDOW_S = 6 * HOUR
"""Over which the to-running rate is taken, and for which a left site is closed to the task."""
PENDING_RETRY_S = 20 * 60.0
"""A task without candidates is tried again after this."""
DATA_CHECK_TIMEOUT_S = 2 * HOUR
CHUNK = 25
"""Jobs that share one draw."""
BEST = 10
"""Candidates kept."""
REBROKER_S = 2 * HOUR
"""Waiting for this long without a start brings rebrokerage (12 h by default, 2 h is the fast setting)."""
COPY_S = 12 * HOUR
"""The same for jobs whose input is being copied: PanDA's own time for jobs in the state `assigned`."""
QUIET_S = 1800.0
"""No job of the group started for this long (3 h for the default of 12 h)."""
PERIOD_S = 2400.0
"""Time between two runs of the daemon that rebrokers."""
NO_PILOT_S = 3 * HOUR


@dataclass(slots=True)
class _Queue:
    """What PanDA's counters say of one site."""

    site: Site
    queued: int = 0
    running: int = 0
    rate: float = 0.0
    """Jobs an hour that left the queue, over the last six hours."""
    by_user: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    running_by_user: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def longest(self) -> float:
        """The longest queue that is still good: static ratio, or twelve hours of starts."""
        return max(100.0, 2.0 * self.running, 12.0 * self.rate)

    def longest_of(self, user: str) -> float:
        """The longest queue of one user that is still good."""
        users = {*self.by_user, *self.running_by_user}
        part = max(1 / max(len(users) + 1, 1), self.running_by_user[user] / self.running if self.running else 0.0)
        return max(5.0, 0.05 * self.running, self.longest * part)

    def room_for(self, user: str) -> float:
        """How many more of a user's jobs are good."""
        return max(self.longest_of(user) - self.by_user[user], 0.0)


class Panda:
    """One PanDA server; remembers what its database would."""

    prestages = True
    """Input is copied to the site before the job is released to it, and no slot waits for that."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._starts: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._last: dict[tuple[int, Decision], int] = {}
        """Idle jobs of each group at the last look."""
        self._moved: dict[tuple[int, Decision], int] = {}
        """Jobs taken from a group since."""
        self._quiet: dict[tuple[int, Decision], float] = {}
        """When a group last had a start, or was made."""
        self._closed: dict[tuple[str, str], float] = {}
        """Task and site: until when it is closed."""
        self._used: dict[str, set[str]] = defaultdict(set)
        self._retry: dict[int, float] = {}
        self._good: dict[int, float] = {}
        """Clusters: when brokerage was first tried in vain."""
        self._rebrokered = 0.0

    def __call__(self, world: World) -> Iterator[Action]:
        """Broker what is new or pending; now and then rebroker what is stuck."""
        idle = [group for group in world.jobs if group.state is JobState.IDLE]
        queues = self._look(world, idle)
        inputs = dict(world.inputs)
        for group in idle:
            if not group.sites and self._retry.get(group.cluster, 0.0) <= world.now:
                yield from self._broker(group, group.count, inputs.get(group.cluster, Inputs()), queues, world.now)
        if world.now - self._rebrokered >= PERIOD_S:
            self._rebrokered = world.now
            yield from self._rebroker(idle, inputs, queues, world.now)

    def _look(self, world: World, idle: Iterable[JobGroup]) -> dict[str, _Queue]:
        """The counters, and who started since the last look."""
        queues = {site.name: _Queue(site) for site in world.sites}
        now_idle: dict[tuple[int, Decision], int] = {}
        for group in idle:
            if group.decision:
                key = (group.cluster, group.decision)
                now_idle[key] = group.count
                queue = queues[group.decision.sites[0]]
                queue.queued += group.count
                queue.by_user[group.owner] += group.count
        for group in world.jobs:
            if group.state is JobState.RUNNING and group.site in queues:
                queues[group.site].running += group.count
                queues[group.site].running_by_user[group.owner] += group.count
        self._count_starts(now_idle, world.now)
        for name, queue in queues.items():
            queue.rate = self._rate(name, world.now)
        return queues

    def _count_starts(self, idle: dict[tuple[int, Decision], int], now: float) -> None:
        for key, before in self._last.items():
            started = before - self._moved.get(key, 0) - idle.get(key, 0)
            if started > 0:
                self._starts[key[1].sites[0]].append((now, started))
                self._quiet[key] = now
        self._quiet = {key: self._quiet.get(key, now) for key in idle}
        self._last, self._moved = idle, {}

    def _rate(self, site: str, now: float) -> float:
        starts = self._starts[site]
        while starts and starts[0][0] < now - WINDOW_S:
            starts.popleft()
        return sum(count for _, count in starts) / (min(max(now, HOUR), WINDOW_S) / HOUR)

    def _broker(
        self, group: JobGroup, count: int, inputs: Inputs, queues: dict[str, _Queue], now: float
    ) -> Iterator[Place]:
        """Draw a site for each 25 jobs; none when no candidate is left, and then again after a while."""
        weights = self._candidates(group, count, inputs, queues, now)
        if not weights:
            self._retry[group.cluster] = now + PENDING_RETRY_S
            self._good.setdefault(group.cluster, now)
            return
        self._good.pop(group.cluster, None)
        drawn: dict[str, int] = defaultdict(int)
        while count > 0:
            drawn[self._draw(weights)] += min(CHUNK, count)
            count -= CHUNK
        for site, jobs in drawn.items():
            self._used[group.task].add(site)
            yield self._place(group, site, jobs, now)

    def _place(self, group: JobGroup, site: str, jobs: int, now: float) -> Place:
        last = group.decision
        epoch, moves = (last.epoch + 1, last.moves + 1) if last else (1, 0)
        if last:
            key = (group.cluster, last)
            self._moved[key] = self._moved.get(key, 0) + jobs
        decision = Decision(epoch, moves, (site,), group.sites or (), "panda", "panda", int(now))
        return Place(group.cluster, group.task, group.batch, jobs, group.sites, decision)

    def _draw(self, weights: dict[str, float]) -> str:
        point = self._chance.random() * sum(weights.values())
        for site, weight in weights.items():
            point -= weight
            if point <= 0:
                return site
        return next(reversed(weights))

    def _candidates(
        self, group: JobGroup, jobs: int, inputs: Inputs, queues: dict[str, _Queue], now: float
    ) -> dict[str, float]:
        """The ten best sites and their weights: first those with the data, in need all."""
        held = {site: size for site, size in inputs.at_sites if size and site in queues}
        whole = {site for site, size in held.items() if size >= inputs.size}
        start = [queues[site] for site in sorted(whole or held)] if inputs.size else list(queues.values())
        fit = self._filter(group, start, queues, now)
        local = True
        if not fit and now - self._good.get(group.cluster, now) >= DATA_CHECK_TIMEOUT_S:
            fit, local = self._filter(group, list(queues.values()), queues, now), False
        by_data = inputs.size and not (local and whole)
        weights = _weights(fit, group.owner, jobs)
        if by_data:
            weights = {site: w * (1 + held.get(site, 0) / 1e10) for site, w in weights.items()}
        used = self._used[group.task]
        best = sorted(weights, key=lambda site: (site not in used, -weights[site], self._chance.random()))
        good = [site for site in best if not _problematic(queues[site], group.owner)]
        return {site: weights[site] for site in good[:BEST]}

    def _filter(self, group: JobGroup, start: Iterable[_Queue], queues: dict[str, _Queue], now: float) -> list[_Queue]:
        """PanDA's filters in its order: status, closed, memory, pilots, overload."""
        fit = [queue for queue in start if self._usable(group, queue, now)]
        total_queued = sum(queue.queued for queue in queues.values())
        total_running = sum(queue.running for queue in queues.values())
        ratio = total_queued / total_running if total_running else 0.0
        calm = [queue for queue in fit if not _overloaded(queue, ratio)]
        return calm or fit

    def _usable(self, group: JobGroup, queue: _Queue, now: float) -> bool:
        site = queue.site
        return (
            site.status is SiteStatus.ONLINE
            and self._closed.get((group.task, site.name), 0.0) <= now
            and group.requests.cpus <= site.limits.cpus
            and group.requests.memory_mb <= site.limits.memory_mb
            and site.silent_s < NO_PILOT_S
        )

    def _rebroker(
        self, idle: Iterable[JobGroup], inputs: dict[int, Inputs], queues: dict[str, _Queue], now: float
    ) -> Iterator[Action]:
        """Whole groups that are stuck, and what is over three times the running jobs of a site with a long queue."""
        total = sum(queue.queued for queue in queues.values())
        excess = {
            name: queue.queued - 3 * queue.running
            for name, queue in queues.items()
            if queue.queued > 3 * queue.running and queue.queued > 0.3 * total and queue.queued > 100
        }
        for group in idle:
            if group.decision is None:
                continue
            site, known = group.decision.sites[0], inputs.get(group.cluster, Inputs())
            here = known.fraction_at(site) == 1.0
            if self._stuck(group, group.decision, queues[site].site, here, now):
                self._closed[group.task, site] = now + WINDOW_S
                yield from self._broker(group, group.count, known, queues, now)
            elif here and excess.get(site, 0) > 0:
                jobs = min(group.count, excess[site])
                excess[site] -= jobs
                yield from self._broker(group, jobs, known, queues, now)

    def _stuck(self, group: JobGroup, decision: Decision, site: Site, here: bool, now: float) -> bool:
        """Whether a group has waited too long; one that waits for its copies is given more time."""
        age = now - decision.at
        if site.status is not SiteStatus.ONLINE:
            return age > QUIET_S
        return (
            age > (REBROKER_S if here else COPY_S) and now - self._quiet.get((group.cluster, decision), now) > QUIET_S
        )


def _overloaded(queue: _Queue, ratio: float) -> bool:
    """Filter 21: a long queue, and more of it for each running job than the grid has."""
    return queue.queued > 20 and (queue.running == 0 or queue.queued / queue.running > ratio * 1.2)


def _problematic(queue: _Queue, user: str) -> bool:
    """Filters 22 and 23; failures count only where the queue is not short, as in PanDA's code."""
    if queue.queued < 100 or queue.queued < 8 * queue.rate or not queue.by_user[user]:
        return False
    outcomes = queue.site.outcomes
    return queue.by_user[user] > queue.longest_of(user) or outcomes.failed > max(2 * outcomes.succeeded, 5)


def _weights(fit: list[_Queue], user: str, jobs: int) -> dict[str, float]:
    """The weight in use since November 2022, for a task whose class prefers fast sites."""
    classes = _classes(fit)
    room = {queue.site.name: queue.room_for(user) for queue in fit}
    total = {c: sum(room[q.site.name] for q in fit if classes[q.site.name] == c) for c in (1, 0, -1)}
    members = {c: sum(each == c for each in classes.values()) for c in (1, 0, -1)}
    wanted = min(float(jobs), sum(total.values()))
    part = {1: min(wanted, total[1])}
    part[0] = min(wanted - part[1], total[0])
    part[-1] = wanted - part[1] - part[0]
    if part[1] > 0:
        part = {1: part[1] - 0.052, 0: part[0] + 0.05, -1: part[-1] + 0.002}
    part = {c: max(each, 0.001) for c, each in part.items()}
    return {
        name: part[c] * _within(room[name], part[c], total[c], members[c]) + 2.0**-20 for name, c in classes.items()
    }


def _within(room: float, part: float, total: float, members: int) -> float:
    """A site's part of what its class gets."""
    if total > part:
        return max(room - part / members, 0.001 * part) / (total - part)
    return room / total if total > 0 else 1 / members


def _classes(fit: list[_Queue]) -> dict[str, int]:
    """1 fast, -1 slow, by the expected wait against the others' thirds and against one and three hours."""
    waits = {q.site.name: q.queued / q.rate if q.rate else (HOUR if q.queued else 0.0) for q in fit}
    ordered = sorted(waits.values())
    if not ordered:
        return {}
    low, high = ordered[len(ordered) // 3], ordered[(2 * len(ordered)) // 3]
    return {site: 1 if wait <= max(low, 1.0) else -1 if wait > max(high, 3.0) else 0 for site, wait in waits.items()}
