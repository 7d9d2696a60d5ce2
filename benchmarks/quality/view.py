"""The World that the router gets: counts by batch, site and state, never by job, as old as the scenario says."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.quality.farm import Farm, Slots
from benchmarks.quality.grid import LARGEST_SLOT, BatchSpec, Grid, GridSite, Setting
from benchmarks.quality.queue import Bunch, Queue
from router.model.job import Decision, JobGroup, JobState
from router.model.payload import Requests
from router.model.site import Limits, Site, SiteStatus
from router.model.task import Inputs
from router.model.world import World

CLOSED = {"kill": SiteStatus.DRAINING, "stall": SiteStatus.OFFLINE, "hole": SiteStatus.OFFLINE}
"""What operators say of a site by the kind of its outage: declared downtimes name computing or storage."""

Running = dict[int, dict[tuple[int, Decision | None], int]]
"""Jobs by cluster, and by site and the decision that brought them there."""


class View:
    """Assembles Worlds. What it tells of queues is fresh; what it tells of sites is as old as the setting's lag."""

    def __init__(self, setting: Setting, farm: Farm, queue: Queue, running: Running) -> None:
        self._setting, self._farm, self._queue, self._running = setting, farm, queue, running
        self._names = tuple(site.name for site in setting.grid.sites)
        self._inputs = [self._inputs_of(*each) for each in _totals(setting)]
        self._groups: dict[Bunch, JobGroup] = {}
        self._runs: dict[tuple[int, int, Decision | None], JobGroup] = {}
        self._seen: deque[tuple[float, tuple[Site, ...], tuple[JobGroup, ...]]] = deque()

    def has_come(self, dataset: str, site: int) -> None:
        """A dataset lies whole at one more site."""
        for number, spec in enumerate(self._setting.workload.batches):
            known = self._inputs[number]
            if spec.dataset == dataset and known.size:
                held = {**dict(known.at_sites), self._names[site]: known.size}
                self._inputs[number] = replace(known, at_sites=tuple(sorted(held.items())))

    def world(self, now: float) -> World:
        """What the router sees now."""
        self._seen.append((now, self._sites(now), self._running_groups()))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._setting.lag_s:
            self._seen.popleft()
        _, sites, running = self._seen[0]
        idle = self._idle_groups()
        read = {group.source: self._inputs[group.cluster] for group in idle}
        return World(now, sites, idle + running, tuple(read.items()))

    def _sites(self, now: float) -> tuple[Site, ...]:
        waiting = [0] * len(self._names)
        for each in self._queue.asking():
            for site in each.sites:
                waiting[site] += each.idle
        busy = [0] * len(self._names)
        for sites in self._running.values():
            for (site, _), count in sites.items():
                busy[site] += count
        closed = {o.site: CLOSED[o.kind] for o in self._setting.grid.outages if o.announced <= now < o.end}
        return tuple(
            self._site(number, given, slots, (waiting[number], busy[number]), now, closed)
            for number, (given, slots) in enumerate(zip(self._setting.grid.sites, self._farm.sites, strict=True))
        )

    def _site(
        self,
        number: int,
        given: GridSite,
        slots: Slots,
        load: tuple[int, int],
        now: float,
        closed: dict[int, SiteStatus],
    ) -> Site:
        outcomes, pace = slots.lately(now)
        return Site(
            name=given.name,
            limits=Limits(min(given.slots, LARGEST_SLOT), given.memory_mb, 1_000_000, 7 * 86_400),
            status=closed.get(number, SiteStatus.ONLINE),
            cores=slots.present,
            max_cores=slots.capacity,
            idle_cores=slots.free,
            waiting_jobs=load[0],
            running_jobs=load[1],
            outcomes=outcomes,
            freed_per_h=pace.freed_per_h if pace else None,
            mean_run_s=pace.mean_run_s if pace else 0.0,
            silent_s=slots.silence(now, load[0]),
        )

    def _idle_groups(self) -> tuple[JobGroup, ...]:
        kept: dict[Bunch, JobGroup] = {}
        for bunch in self._queue.bunches():
            group = self._groups.get(bunch)
            if group is None or group.count != bunch.count:
                group = _group(bunch.cluster, bunch.spec, JobState.IDLE, bunch.count, bunch=bunch)
            kept[bunch] = group
        self._groups = kept
        return tuple(kept.values())

    def _running_groups(self) -> tuple[JobGroup, ...]:
        kept: dict[tuple[int, int, Decision | None], JobGroup] = {}
        specs = self._setting.workload.batches
        for cluster, sites in self._running.items():
            for (site, decision), count in sites.items():
                group = self._runs.get((cluster, site, decision))
                if group is None or group.count != count:
                    group = _group(cluster, specs[cluster], JobState.RUNNING, count, site=self._names[site])
                    group = replace(group, decision=decision, sites=decision.sites if decision else None)
                kept[cluster, site, decision] = group
        self._runs = kept
        return tuple(kept.values())

    def _inputs_of(self, spec: BatchSpec, size: int, jobs: int) -> Inputs:
        held = {**{site: 1.0 for site in spec.replicas}, **dict(spec.partial)}
        if not held or not size:
            return Inputs()
        return Inputs(size, tuple(sorted((self._names[s], int(size * share)) for s, share in held.items())), jobs)


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


def _totals(setting: Setting) -> Iterator[tuple[BatchSpec, int, int]]:
    """Each batch, the bytes it reads and the jobs that read them."""
    work = setting.workload
    count = len(work.batches)
    size = np.bincount(work.batch, weights=work.bytes, minlength=count).astype(np.int64).tolist()
    jobs = np.bincount(work.batch, minlength=count).tolist()
    return zip(work.batches, size, jobs, strict=True)


def grid_names(grid: Grid) -> tuple[str, ...]:
    """The sites' names in their order."""
    return tuple(site.name for site in grid.sites)
