"""The World that the router gets: counts by batch, site and state, never by job, as old as the scenario says."""

from collections import deque

from benchmarks.quality.farm import Farm, Slots
from benchmarks.quality.grid import BatchSpec, Grid, GridSite, Setting
from benchmarks.quality.queue import Bunch, Queue
from router.model.job import JobGroup, JobState
from router.model.payload import Requests
from router.model.site import Limits, Site, SiteStatus
from router.model.task import Inputs
from router.model.world import World

WINDOW_S = 3600.0
"""How long outcomes count, as BrokerPolicy.failure_window_s."""

Running = dict[int, dict[int, int]]
"""Jobs by cluster and site."""


class View:
    """Assembles Worlds. What it tells of queues is fresh; what it tells of sites is as old as the setting's lag."""

    def __init__(self, setting: Setting, farm: Farm, queue: Queue, running: Running) -> None:
        self._setting, self._farm, self._queue, self._running = setting, farm, queue, running
        self._names = tuple(site.name for site in setting.grid.sites)
        total = _batch_bytes(setting)
        self._inputs = [self._inputs_of(spec, total[n]) for n, spec in enumerate(setting.workload.batches)]
        self._groups: dict[Bunch, JobGroup] = {}
        self._runs: dict[tuple[int, int], JobGroup] = {}
        self._seen: deque[tuple[float, tuple[Site, ...], tuple[JobGroup, ...]]] = deque()

    def world(self, now: float) -> World:
        """What the router sees now."""
        self._seen.append((now, self._sites(now), self._running_groups()))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._setting.lag_s:
            self._seen.popleft()
        _, sites, running = self._seen[0]
        idle = self._idle_groups()
        clusters = dict.fromkeys(group.cluster for group in idle)
        return World(now, sites, idle + running, tuple((cluster, self._inputs[cluster]) for cluster in clusters))

    def _sites(self, now: float) -> tuple[Site, ...]:
        waiting = [0] * len(self._names)
        for each in self._queue.sets.values():
            if each.idle:
                for site in each.sites:
                    waiting[site] += each.idle
        busy = [0] * len(self._names)
        for sites in self._running.values():
            for site, count in sites.items():
                busy[site] += count
        offline = {o.site for o in self._setting.grid.outages if o.announced <= now < o.end}
        return tuple(
            self._site(number, given, slots, (waiting[number], busy[number]), now, offline)
            for number, (given, slots) in enumerate(zip(self._setting.grid.sites, self._farm.sites, strict=True))
        )

    def _site(
        self, number: int, given: GridSite, slots: Slots, load: tuple[int, int], now: float, offline: set[int]
    ) -> Site:
        return Site(
            name=given.name,
            limits=Limits(8, given.memory_mb, 1_000_000, 7 * 86_400),
            status=SiteStatus.OFFLINE if number in offline else SiteStatus.ONLINE,
            cores=slots.present,
            idle_cores=slots.free,
            waiting_jobs=load[0],
            running_jobs=load[1],
            outcomes=slots.outcomes(now - WINDOW_S),
        )

    def _idle_groups(self) -> tuple[JobGroup, ...]:
        kept: dict[Bunch, JobGroup] = {}
        for bunch in self._queue.bunches():
            group = self._groups.get(bunch)
            if group is None or group.count != len(bunch.jobs):
                group = _group(bunch.cluster, bunch.spec, JobState.IDLE, len(bunch.jobs), bunch=bunch)
            kept[bunch] = group
        self._groups = kept
        return tuple(kept.values())

    def _running_groups(self) -> tuple[JobGroup, ...]:
        kept: dict[tuple[int, int], JobGroup] = {}
        specs = self._setting.workload.batches
        for cluster, sites in self._running.items():
            for site, count in sites.items():
                group = self._runs.get((cluster, site))
                if group is None or group.count != count:
                    group = _group(cluster, specs[cluster], JobState.RUNNING, count, site=self._names[site])
                kept[cluster, site] = group
        self._runs = kept
        return tuple(kept.values())

    def _inputs_of(self, spec: BatchSpec, size: float) -> Inputs:
        held = {**{site: 1.0 for site in spec.replicas}, **dict(spec.partial)}
        if not held or size <= 0:
            return Inputs()
        return Inputs(int(size), tuple(sorted((self._names[s], int(size * share)) for s, share in held.items())))


def _group(
    cluster: int, spec: BatchSpec, state: JobState, count: int, bunch: Bunch | None = None, site: str = ""
) -> JobGroup:
    return JobGroup(
        cluster,
        spec.user,
        state,
        count,
        task=spec.task,
        batch=str(cluster),
        requests=Requests(spec.cores, spec.memory_mb, 1024, spec.walltime_s),
        dataset=spec.dataset,
        group=spec.group,
        sites=bunch.sites if bunch else None,
        decision=bunch.decision if bunch else None,
        site=site,
        oldest=int(bunch.submitted) if bunch else 0,
    )


def _batch_bytes(setting: Setting) -> list[float]:
    """Bytes of each batch in all."""
    totals = [0.0] * len(setting.workload.batches)
    for cluster, size in zip(setting.workload.batch.tolist(), setting.workload.bytes.tolist(), strict=True):
        totals[cluster] += size
    return totals


def grid_names(grid: Grid) -> tuple[str, ...]:
    """The sites' names in their order."""
    return tuple(site.name for site in grid.sites)
