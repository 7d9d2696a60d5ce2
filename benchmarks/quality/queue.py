"""The schedd and the negotiator: idle jobs by batch and site set, and who starts where in a negotiation cycle.

As HTCondor does it: users in the order of their effective priority get slices of the free cores, their jobs run in the
order of submission, on a random free slot of a site in the job's set; what found nothing is not tried again.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.quality.grid import BatchSpec
from benchmarks.quality.transfers import Transfer
from router.model.job import Decision

HALF_LIFE_S = 86_400.0
"""HTCondor's default PRIORITY_HALFLIFE."""


@dataclass(slots=True, eq=False)
class SiteSet:
    """What the negotiator cannot tell apart: jobs of the same cores with the same sites."""

    sites: tuple[int, ...]
    cores: int
    idle: int = 0
    """Jobs."""


@dataclass(slots=True, eq=False)
class Bunch:
    """The idle jobs of one cluster that have the same decision."""

    cluster: int
    spec: BatchSpec
    submitted: float
    decision: Decision | None = None
    siteset: SiteSet | None = None
    """None: not placed, and so nowhere to run."""
    jobs: deque[int] = field(default_factory=deque)
    coming: dict[int, Transfer] = field(default_factory=dict)
    """Jobs that wait for a copy of their input before they may start."""
    queued: bool = False
    """Whether the negotiator's heap holds it."""

    @property
    def sites(self) -> tuple[str, ...] | None:
        """DESIRED_Sites."""
        return self.decision.sites if self.decision else None

    @property
    def count(self) -> int:
        """Jobs, also those that wait for a copy."""
        return len(self.jobs) + len(self.coming)

    def __lt__(self, other: "Bunch") -> bool:
        return (self.submitted, self.cluster) < (other.submitted, other.cluster)


@dataclass(slots=True)
class _User:
    """One submitter."""

    group: str
    priority: float = 0.5
    """HTCondor's real user priority: decayed mean of the cores in use, never under one half; lower is better."""
    running: int = 0
    """Cores."""
    idle: int = 0
    """Placed jobs that wait."""
    waiting: dict[SiteSet, list[Bunch]] = field(default_factory=dict)


Start = Callable[[int, int, Bunch], None]


class Queue:
    """All idle jobs."""

    def __init__(self, specs: tuple[BatchSpec, ...], sites: tuple[str, ...], quotas: dict[str, float]) -> None:
        self.users = {spec.user: _User(spec.group) for spec in specs}
        self._sets: dict[tuple[tuple[str, ...], int], SiteSet] = {}
        self._asking: dict[SiteSet, None] = {}
        self.idle = 0
        """Jobs."""
        self._specs = specs
        self._index = {name: number for number, name in enumerate(sites)}
        self._bunches: list[dict[Decision | None, Bunch]] = [{} for _ in specs]
        self._live: dict[int, None] = {}
        self._submitted: dict[int, float] = {}
        self._quotas = quotas

    @property
    def waiting(self) -> bool:
        """Whether any bunch has jobs."""
        return any(True for _ in self.bunches())

    def asking(self) -> tuple[SiteSet, ...]:
        """The site sets that jobs wait for."""
        for siteset in [each for each in self._asking if not each.idle]:
            del self._asking[siteset]
        return tuple(self._asking)

    def bunches(self) -> Iterator[Bunch]:
        """Those that have jobs, by cluster."""
        for cluster in sorted(self._live):
            found = [bunch for bunch in self._bunches[cluster].values() if bunch.count]
            if not found:
                del self._live[cluster]
            yield from found

    def of(self, cluster: int) -> list[Bunch]:
        """The bunches of one cluster that have jobs, oldest decision first."""
        return [bunch for bunch in self._bunches[cluster].values() if bunch.count]

    def add(self, job: int, cluster: int, decision: Decision | None, now: float, *, first: bool = False) -> None:
        """A job becomes idle; `first`: it had started and keeps its place before those that had not."""
        bunch = self._bunch(cluster, decision, now)
        if first:
            bunch.jobs.appendleft(job)
        else:
            bunch.jobs.append(job)
        self._grown(bunch, 1)

    def move(self, bunch: Bunch, count: int, decision: Decision, now: float) -> Bunch:
        """Give `count` of a bunch's jobs another decision; returns where they are now."""
        target = self._bunch(bunch.cluster, decision, now)
        taken = bunch.jobs if count == len(bunch.jobs) else [bunch.jobs.popleft() for _ in range(count)]
        target.jobs.extend(taken)
        if taken is bunch.jobs:
            bunch.jobs = deque()
        self._shrunk(bunch, count)
        self._grown(target, count)
        return target

    def hold_back(self, bunch: Bunch) -> None:
        """Take the jobs that wait for a copy out of the negotiator's hands."""
        ready = deque(job for job in bunch.jobs if job not in bunch.coming)
        count = len(bunch.jobs) - len(ready)
        bunch.jobs = ready
        self._shrunk(bunch, count)

    def let_go(self, job: int, bunch: Bunch) -> None:
        """A job need not wait for its copy any longer."""
        del bunch.coming[job]
        bunch.jobs.append(job)
        self._grown(bunch, 1)

    def _bunch(self, cluster: int, decision: Decision | None, now: float) -> Bunch:
        bunch = self._bunches[cluster].get(decision)
        if bunch is None:
            spec = self._specs[cluster]
            siteset = self._set(decision.sites, spec.cores) if decision else None
            bunch = Bunch(cluster, spec, self._submitted.setdefault(cluster, now), decision, siteset)
            self._bunches[cluster][decision] = bunch
        self._live[cluster] = None
        return bunch

    def _set(self, names: tuple[str, ...], cores: int) -> SiteSet:
        found = self._sets.get((names, cores))
        if found is None:
            sites = tuple(self._index[name] for name in names if name in self._index)
            found = self._sets[names, cores] = SiteSet(sites, cores)
        return found

    def _grown(self, bunch: Bunch, count: int) -> None:
        self.idle += count
        if bunch.siteset is None:
            return
        bunch.siteset.idle += count
        self._asking[bunch.siteset] = None
        self.users[bunch.spec.user].idle += count
        if not bunch.queued:
            bunch.queued = True
            heapq.heappush(self.users[bunch.spec.user].waiting.setdefault(bunch.siteset, []), bunch)

    def _shrunk(self, bunch: Bunch, count: int) -> None:
        self.idle -= count
        if bunch.siteset is not None:
            bunch.siteset.idle -= count
            self.users[bunch.spec.user].idle -= count
        if not bunch.count:
            # A decision once left does not come back; a job still running with it makes its bunch anew.
            self._bunches[bunch.cluster].pop(bunch.decision, None)

    def age(self, seconds: float) -> None:
        """Let the users' priorities follow what they use."""
        keep = 0.5 ** (seconds / HALF_LIFE_S)
        for user in self.users.values():
            user.priority = max(0.5, user.priority * keep + user.running * (1 - keep))

    def negotiate(self, free: list[int], start: Start, chance: random.Random) -> None:
        """Start what fits into the `free` cores of each site, which is changed on the way."""
        if self._quotas:
            self._within_quotas(free, start, chance)
        self._share(list(self.users.values()), sum(free), free, start, chance)

    def _within_quotas(self, free: list[int], start: Start, chance: random.Random) -> None:
        """Each group first gets what it is promised; what is left over is everybody's."""
        used = dict.fromkeys(self._quotas, 0)
        for user in self.users.values():
            if user.group in used:
                used[user.group] += user.running
        total = sum(used.values()) + sum(free)
        for group in sorted(used, key=lambda each: (used[each] / self._quotas[each], each)):
            members = [user for user in self.users.values() if user.group == group]
            self._share(members, int(self._quotas[group] * total) - used[group], free, start, chance)

    def _share(self, users: list[_User], cores: int, free: list[int], start: Start, chance: random.Random) -> None:
        """Slices by priority, twice; what remains goes in the order of priority."""
        cores = min(cores, sum(free))
        wanting = sorted((user for user in users if user.waiting), key=lambda each: each.priority)
        for spin in range(3):
            if cores <= 0 or not wanting:
                return
            pie, total = cores, sum(1 / user.priority for user in wanting)
            for user in wanting:
                piece = cores if spin == 2 else min(cores, -int(-pie / user.priority / total // 1))
                cores -= self._serve(user, piece, free, start, chance)

    def _serve(self, user: _User, cores: int, free: list[int], start: Start, chance: random.Random) -> int:
        """Start a user's jobs, oldest first, on at most `cores`; returns the cores used."""
        heads = [self._head(user, each) for each in list(user.waiting) if _room(each, free)]
        ready = [bunch for bunch in heads if bunch]
        heapq.heapify(ready)
        used = 0
        while ready and used < cores:
            bunch = heapq.heappop(ready)
            siteset = _placed(bunch)
            count = self._start(bunch, (cores - used) // siteset.cores, free, start, chance)
            used += count * siteset.cores
            user.running += count * siteset.cores
            if used < cores and _room(siteset, free) and (count or not bunch.jobs):
                head = self._head(user, siteset)
                if head:
                    heapq.heappush(ready, head)
        return used

    def _head(self, user: _User, siteset: SiteSet) -> Bunch | None:
        """The oldest bunch of a set that has jobs; sets without any are forgotten."""
        heap = user.waiting[siteset]
        while heap and not heap[0].jobs:
            heapq.heappop(heap).queued = False
        if not heap:
            del user.waiting[siteset]
            return None
        return heap[0]

    def _start(self, bunch: Bunch, most: int, free: list[int], start: Start, chance: random.Random) -> int:
        """Start up to `most` jobs, each on a random one of the free slots."""
        siteset = _placed(bunch)
        cores, count = siteset.cores, 0
        open_sites = [site for site in siteset.sites if free[site] >= cores]
        for _ in range(min(most, len(bunch.jobs))):
            if not open_sites:
                break
            site = _draw(open_sites, free, chance)
            start(bunch.jobs.popleft(), site, bunch)
            free[site] -= cores
            count += 1
            if free[site] < cores:
                open_sites.remove(site)
        self._shrunk(bunch, count)
        return count


def _placed(bunch: Bunch) -> SiteSet:
    """The sites of a bunch that the negotiator knows."""
    if bunch.siteset is None:
        raise ValueError(f"cluster {bunch.cluster} is in the negotiator's queue and has no sites")
    return bunch.siteset


def _room(siteset: SiteSet, free: list[int]) -> bool:
    cores = siteset.cores
    return any(free[site] >= cores for site in siteset.sites)


def _draw(sites: list[int], free: list[int], chance: random.Random) -> int:
    """A site, by its share of the free cores."""
    if len(sites) == 1:
        return sites[0]
    point = chance.random() * sum(free[site] for site in sites)
    for site in sites:
        point -= free[site]
        if point < 0:
            return site
    return sites[-1]
