"""What no policy can beat: pooled FIFO for waits, and a linear programme for makespan and bytes.

Pooled FIFO: all slots are one site that has all data, always up, without any delay. Data: what single copies can serve
at best. Both in the order of submission; only policies that favour short jobs could wait less on average.

The programme lets jobs be cut at will and moves them freely: work of a batch runs at a replica's site, or reads from a
replica's storage and runs anywhere. Slots (less what outages take) and egress bound both. Its optimum over makespans
is T*; at a given makespan it gives the fewest bytes. Solved by GLOP of OR-tools; without it T* is work over slots.
"""

import heapq
import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.quality.grid import Floats, Setting

CORE_S, BYTES = 3.6e6, 1e12
"""Units of the programme: thousand core hours and terabytes, so that its numbers are neither huge nor tiny."""
PRECISION = 0.005
"""To which T* is found."""


def pooled_waits(setting: Setting) -> Floats:
    """Hours that each job waits in one pool of all slots, first come first served."""
    workload = setting.workload
    free, ends = setting.grid.slots, list[tuple[float, int]]()
    waits = np.zeros(len(workload))
    cores, submit, runtime = workload.cores.tolist(), workload.submit.tolist(), workload.runtime.tolist()
    start = 0.0
    for job, need in enumerate(cores):
        start = max(start, submit[job])
        while ends and (ends[0][0] <= start or free < need):
            end, back = heapq.heappop(ends)
            free += back
            start = max(start, end)
        free -= need
        waits[job] = (start - submit[job]) / 3600
        heapq.heappush(ends, (start + runtime[job], need))
    return waits


def data_waits(setting: Setting) -> Floats:
    """Hours that jobs wait for their data at least, in the order they came: see `_Copy`.

    Jobs with one copy wait for its site's slots or for its egress, as if these served nobody else, and the slots
    elsewhere were free; jobs with several copies only while no storage that has one serves.
    """
    workload, grid = setting.workload, setting.grid
    copies = [_Copy(setting, site) for site in range(len(grid.sites))]
    waits = np.zeros(len(workload))
    columns = (workload.batch.tolist(), workload.submit.tolist(), workload.runtime.tolist(), workload.bytes.tolist())
    for job, (batch, submit, runtime, size) in enumerate(zip(*columns, strict=True)):
        spec = workload.batches[batch]
        if not size or not spec.replicas:
            continue
        if len(spec.replicas) == 1 and spec.cores == 1:
            ready = copies[spec.replicas[0]].serve(submit, runtime, size)
        else:
            ready = min(copies[site].readable(submit) for site in spec.replicas)
        waits[job] = (ready - submit) / 3600
    return waits


class _Copy:
    """One site's slots and egress, for jobs whose only copy it has; each takes what gives it its input first."""

    def __init__(self, setting: Setting, site: int) -> None:
        given = setting.grid.sites[site]
        outages = [outage for outage in setting.grid.outages if outage.site == site]
        self._closed = [(outage.start, outage.end) for outage in outages]
        self._mute = [(outage.start, outage.end) for outage in outages if outage.kind == "stall"]
        self._slots = [0.0] * given.slots
        self._egress, self._served = given.egress, 0.0

    def readable(self, now: float) -> float:
        """When the storage serves, from then on."""
        return _after(self._mute, now)

    def serve(self, submit: float, runtime: float, size: float) -> float:
        """When a job has its input, in seconds."""
        here = _after(self._closed, max(submit, self._slots[0]))
        far = _after(self._mute, max(submit, self._served)) + size / self._egress
        if here <= far:
            heapq.heapreplace(self._slots, here + runtime)
            return here
        self._served = far
        return far


def _after(times: list[tuple[float, float]], now: float) -> float:
    """The first moment from `now` on that is in none of the times."""
    return next((end for start, end in times if start <= now < end), now)


@dataclass(frozen=True)
class _Flow:
    """The programme's numbers, by batch and by site."""

    work: Floats
    """By batch, in units of CORE_S; `bytes` in units of BYTES."""
    bytes: Floats
    staging: Floats
    """What reading from elsewhere takes of slots at best, by batch, in units of CORE_S."""
    replicas: tuple[tuple[int, ...], ...]


class Bounds:
    """The bounds of one setting."""

    def __init__(self, setting: Setting, *, cut: bool = True) -> None:
        self._setting = setting
        self._flow = _flow(setting)
        self._solver: Any = None
        if cut and importlib.util.find_spec("ortools"):
            self._solver = importlib.import_module("ortools.linear_solver.pywraplp").Solver
        self.by_flow = self._solver is not None
        """Whether T* is known. Without OR-tools the makespan is what the slots need for the work, and no more."""
        self.makespan_s = self._makespan()
        """T*: seconds from the first submission; no schedule ends before it."""

    def least_bytes(self, makespan_s: float) -> float | None:
        """The fewest bytes that must be read from other sites; None: not known without OR-tools."""
        return self._solve(makespan_s) if self._solver else None

    def _makespan(self) -> float:
        workload, grid = self._setting.workload, self._setting.grid
        if not len(workload):
            return 0.0
        first = float(workload.submit.min())
        alone = float((workload.submit - first + workload.runtime).max())
        low = max(float(self._flow.work.sum()) * CORE_S / grid.slots, alone)
        if not self._solver:
            return low
        high = low
        while self._solve(high) is None:
            low, high = high, high * 1.3
        while high / low > 1 + PRECISION:
            middle = (low + high) / 2
            low, high = (low, middle) if self._solve(middle) is not None else (middle, high)
        return low

    def _solve(self, makespan_s: float) -> float | None:
        """The fewest bytes within that makespan; None when it cannot be met."""
        flow = self._flow
        first = float(self._setting.workload.submit.min())
        room, serves = _room(self._setting, first, first + makespan_s)
        solver = self._solver.CreateSolver("GLOP")
        anywhere = solver.Constraint(0.0, float(room.sum()))
        sites = [solver.Constraint(0.0, float(each)) for each in room]
        egress = [solver.Constraint(0.0, float(min(each, 1e18))) for each in serves]
        cost = solver.Objective()
        for number, replicas in enumerate(flow.replicas):
            whole = solver.Constraint(1.0, 1.0)
            for site in replicas:
                here, far = solver.NumVar(0.0, 1.0, ""), solver.NumVar(0.0, 1.0, "")
                whole.SetCoefficient(here, 1.0)
                whole.SetCoefficient(far, 1.0)
                sites[site].SetCoefficient(here, float(flow.work[number]))
                anywhere.SetCoefficient(here, float(flow.work[number]))
                anywhere.SetCoefficient(far, float(flow.work[number] + flow.staging[number]))
                egress[site].SetCoefficient(far, float(flow.bytes[number]))
                cost.SetCoefficient(far, float(flow.bytes[number]))
            if not replicas:
                free = solver.NumVar(0.0, 1.0, "")
                whole.SetCoefficient(free, 1.0)
                anywhere.SetCoefficient(free, float(flow.work[number]))
        cost.SetMinimization()
        if solver.Solve() != self._solver.OPTIMAL:
            return None
        return max(float(cost.Value()), 0.0) * BYTES


def _flow(setting: Setting) -> _Flow:
    workload = setting.workload
    count = len(workload.batches)
    work = np.bincount(workload.batch, workload.runtime * workload.cores, count).astype(np.float64)
    size = np.bincount(workload.batch, workload.bytes, count).astype(np.float64)
    cores = np.array([batch.cores for batch in workload.batches], dtype=np.float64)
    replicas = tuple(batch.replicas if size[n] > 0 else () for n, batch in enumerate(workload.batches))
    return _Flow(work / CORE_S, size / BYTES, size * cores / setting.grid.network.wan / CORE_S, replicas)


def _room(setting: Setting, start: float, end: float) -> tuple[Floats, Floats]:
    """What each site can give of slots and egress in a time, less what outages take, in CORE_S and BYTES."""
    up = np.full(len(setting.grid.sites), end - start)
    serving = up.copy()
    for outage in setting.grid.outages:
        lost = max(min(outage.end, end) - max(outage.start, start), 0.0)
        up[outage.site] -= lost
        if outage.kind == "stall":
            serving[outage.site] -= lost
    slots = np.array([site.slots for site in setting.grid.sites], dtype=np.float64)
    egress = np.array([site.egress for site in setting.grid.sites])
    return slots * np.maximum(up, 0.0) / CORE_S, egress * np.maximum(serving, 0.0) / BYTES
