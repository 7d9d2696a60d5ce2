"""What a policy would have given whom: HTCondor's accountant and negotiation cycle, run over a load.

Sources: Accountant.cpp (UpdateOnePriority) and matchmaker.cpp (negotiateWithGroup, calculateSubmitterLimit,
SubmitterLimitPermits) of HTCondor 25, without preemption. A core is a core: every job fits any free ones, so what
brokerage and sites add to a wait is not in here.
"""

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from router.decide import share_quota
from router.decide.share_quota import Node
from router.model.share_load import Course, Submission, Wait
from router.model.shares import ROOT, UNLIMITED, Quota, SharePolicy

LEAST_PRIORITY = 0.5
ROUNDS = 3
MAX_SPINS = 1000


@dataclass(slots=True)
class Submitter:
    """One user in one group, as the accountant knows it."""

    name: str
    group: str
    factor: float
    ceiling: float
    floor: float
    priority: float = LEAST_PRIORITY
    used: float = 0.0
    core_s: float = 0.0
    """Core seconds since the last cycle."""
    queue: deque[list[float]] = field(default_factory=deque)
    """Waiting jobs: when submitted, how many, seconds each, cores each."""
    waiting: float = 0.0

    @property
    def effective(self) -> float:
        """What the negotiator compares; smaller is better."""
        return self.priority * self.factor


class Model:
    """A pool under a policy; `step` is one negotiation cycle."""

    def __init__(self, policy: SharePolicy, cores: float) -> None:
        """Begin with nobody having used anything."""
        self.policy, self.cores, self.now = policy, cores, 0.0
        self.nodes = share_quota.tree(policy)
        self.submitters: dict[str, Submitter] = {}
        self.waits: list[Wait] = []
        self._running: list[tuple[float, int, str, float]] = []
        self._free = cores
        self._serial = 0

    def submit(self, work: Submission) -> None:
        """Put jobs into the queue."""
        who = self._submitter(work.submitter)
        who.queue.append([work.at_s, work.jobs, work.run_s, work.cores])
        who.waiting += work.jobs * work.cores

    def enter(self, name: str, priority: float) -> Submitter:
        """Know a submitter with what it is remembered to have used."""
        who = self._submitter(name)
        who.priority = max(LEAST_PRIORITY, priority)
        return who

    def occupy(self, name: str, cores: float, until: float) -> None:
        """Let jobs of a submitter run from the start until a time."""
        if cores > 0:
            self._serial += 1
            heapq.heappush(self._running, (until, self._serial, name, cores))
            self._submitter(name).used += cores
            self._free -= cores

    def step(self, now: float) -> None:
        """End what has run, age the priorities, negotiate."""
        self._end_jobs(now)
        self._age(now)
        self.now = now
        requested = self._by_group(lambda who: who.used + who.waiting)
        for _ in range(ROUNDS):
            used = self._by_group(lambda who: who.used)
            share_quota.allocate(self.nodes, self.cores, requested, used)
            given = {name: node.allocated for name, node in self.nodes.items()}
            for node in share_quota.in_order(self.nodes.values()):
                if node.allocated > 0:
                    self._negotiate(node)
            used = self._by_group(lambda who: who.used)
            if all(used.get(name, 0.0) >= wanted - share_quota.TINY for name, wanted in given.items()):
                return
            for name, wanted in given.items():
                if used.get(name, 0.0) < wanted:
                    requested[name] = used.get(name, 0.0)

    def _submitter(self, name: str) -> Submitter:
        if name not in self.submitters:
            found, (group, _) = self.policy.setting(name), self.policy.booked(name)
            ceiling = float("inf") if found.ceiling == UNLIMITED else float(found.ceiling)
            self.submitters[name] = Submitter(name, group or ROOT, found.factor, ceiling, float(found.floor))
        return self.submitters[name]

    def _by_group(self, what: Callable[[Submitter], float]) -> dict[str, float]:
        found: dict[str, float] = {}
        for who in self.submitters.values():
            found[who.group] = found.get(who.group, 0.0) + what(who)
        return found

    def _end_jobs(self, now: float) -> None:
        for who in self.submitters.values():
            who.core_s += who.used * (now - self.now)
        while self._running and self._running[0][0] <= now:
            end, _, name, cores = heapq.heappop(self._running)
            who = self.submitters[name]
            who.core_s -= cores * (now - end)
            who.used -= cores
            self._free += cores

    def _age(self, now: float) -> None:
        passed = now - self.now
        if passed <= 0:
            return
        keep = 0.5 ** (passed / self.policy.half_life_s)
        for who in self.submitters.values():
            who.priority = max(LEAST_PRIORITY, who.priority * keep + who.core_s / passed * (1 - keep))
            who.core_s = 0.0

    def _negotiate(self, node: Node) -> None:
        most = int(share_quota.limit(node))
        own = [who for who in self.submitters.values() if who.group == node.name]
        below = [who for who in own if who.floor > 0 and who.used < who.floor]
        self._spin(node, most, below, floors=True)
        for _ in range(MAX_SPINS):
            if not self._spin(node, most, own, floors=False):
                return

    def _spin(self, node: Node, most: float, own: Sequence[Submitter], *, floors: bool) -> bool:
        """Offer every submitter its part of the pie once. Returns whether another spin may give more."""
        # Who can take nothing, for a ceiling or the size of the jobs, leaves the pie to the others.
        able = (who for who in own if who.queue and min(self._free, who.ceiling - who.used) >= who.queue[0][3])
        takers = sorted(able, key=lambda who: (who.effective, who.used, who.name))
        used = sum(who.used for who in self.submitters.values() if who.group == node.name)
        if not takers or used >= most or self._free <= 0:
            return False
        pie = min(self.cores, most)
        shares = _shares(takers)
        left = {who.name: max(0.0, min(shares[who.name] * pie - who.used, most - used)) for who in takers}
        pie_left = sum(left.values())
        took_any = False
        for who in takers:
            part = min(left[who.name], pie_left, max(0.0, most - used))
            if floors:
                # Who is below the floor is offered all of it anew, not what is missing (measured, HTCondor 25.14).
                part = min(part, who.floor)
            took = self._start(who, part)
            used += took
            pie_left -= took
            took_any = took_any or took > 0
        return took_any

    def _start(self, who: Submitter, part: float) -> float:
        """Start jobs worth `part` cores; one job may round it up, as the negotiator lets it."""
        took = 0.0
        headroom = min(self._free, who.ceiling - who.used)
        while who.queue:
            at, jobs, run_s, cores = who.queue[0]
            fits = min(jobs, int((part - took) / cores + share_quota.TINY), int(headroom / cores + share_quota.TINY))
            if fits <= 0 and took <= 0 < part and headroom >= cores:
                fits = 1
            if fits <= 0:
                break
            self._run(who, at, int(fits), run_s, cores)
            took += fits * cores
            headroom -= fits * cores
            who.queue[0][1] -= fits
            if who.queue[0][1] <= 0:
                who.queue.popleft()
        return took

    def _run(self, who: Submitter, at: float, jobs: int, run_s: float, cores: float) -> None:
        self.waits.append(Wait(who.name, jobs, self.now - at))
        for _ in range(jobs):
            self._serial += 1
            heapq.heappush(self._running, (self.now + run_s, self._serial, who.name, cores))
        who.used += jobs * cores
        who.waiting -= jobs * cores
        self._free -= jobs * cores


def _shares(takers: Sequence[Submitter]) -> dict[str, float]:
    """Each one's part of the pie: inverse to its effective priority."""
    total = sum(1 / who.effective for who in takers)
    return {who.name: 1 / who.effective / total for who in takers}


def simulate(
    policy: SharePolicy, load: Sequence[Submission], cores: float, seconds: float, cycle_s: float = 60.0
) -> Course:
    """What a pool of so many cores does with a load, a cycle at a time."""
    model = Model(policy, cores)
    coming = deque(sorted(load, key=lambda each: each.at_s))
    times: list[float] = []
    used: dict[str, list[float]] = {}
    waiting: dict[str, list[float]] = {}
    starved: dict[str, float] = {}
    for cycle in range(int(seconds / cycle_s) + 1):
        now = cycle * cycle_s
        while coming and coming[0].at_s <= now:
            model.submit(coming.popleft())
        model.step(now)
        times.append(now)
        for name, who in model.submitters.items():
            _grown(used, name, cycle).append(who.used)
            _grown(waiting, name, cycle).append(who.waiting)
            if who.queue and who.used <= 0:
                starved[name] = starved.get(name, 0.0) + cycle_s
    return Course(
        times=tuple(times),
        used={name: tuple(values) for name, values in used.items()},
        waiting={name: tuple(values) for name, values in waiting.items()},
        groups={name: who.group for name, who in model.submitters.items()},
        waits=tuple(model.waits),
        starved_s=starved,
        left={name: who.waiting for name, who in model.submitters.items()},
        quotas=share_quota.entitlements(policy, cores),
    )


def _grown(rows: dict[str, list[float]], name: str, cycles: int) -> list[float]:
    """The row of a submitter; one who comes later has had nothing before."""
    return rows.setdefault(name, [0.0] * cycles)


def scaled(policy: SharePolicy, ratio: float, half_life_s: int) -> SharePolicy:
    """The policy for a pool smaller or larger by `ratio`, with another half-life: what is in parts stays as it is."""

    def sized(cores: int) -> int:
        return max(1, round(cores * ratio)) if cores > 0 else cores

    fixed = [each if each.quota.dynamic else replace(each, quota=_times(each.quota, ratio)) for each in policy.groups]
    people = [replace(each, ceiling=sized(each.ceiling), floor=sized(each.floor)) for each in policy.people]
    return replace(policy, groups=tuple(fixed), people=tuple(people), half_life_s=half_life_s)


def _times(quota: Quota, ratio: float) -> Quota:
    return Quota(quota.amount * ratio, quota.dynamic)


def parts(course: Course, since_s: float = 0.0) -> Mapping[str, float]:
    """Each submitter's part of all the cores that were used from a time on."""
    rows = [i for i, at in enumerate(course.times) if at >= since_s]
    sums = {name: sum(values[i] for i in rows) for name, values in course.used.items()}
    total = sum(sums.values()) or 1.0
    return {name: value / total for name, value in sums.items()}
