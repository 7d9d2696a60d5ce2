"""`flow`: the whole backlog as one min-cost flow, solved anew in every pass.

Cores that jobs ask for flow from their groups through sites into time: first into the idle cores of a site, then into
slices of the cores that become free there, each at the cost of its wait. A unit costs the seconds until its job would
be done, so that the sum over all jobs is least; brokerage group by group gives the best to whom it asks first. Input
that is read from elsewhere flows through what its storage can feed, and only into cores that idle now.

Needs OR-tools (`pip install glideroute[flow]`): its SimpleMinCostFlow takes 0.05 s for 10,000 groups of 10 sites each.
"""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from router.decide.columns import Numbers, shape_columns
from router.decide.estimate import lost_s, read_s, wait_s
from router.decide.policies.scene import Answer, Case, Part, Scene
from router.errors import UserError

SLICES = 24
"""Steps in which the cores that become free later are seen."""
GROWTH = 1.25
"""Each slice is so much longer than the one before."""
SCALE = 10
"""Costs are whole numbers: tenths of a second."""
PLENTY = 10**9
LONGEST_S = 1e8
"""Three years; longer waits are no worse, so that no sum is too large for the solver."""


@cache
def solver() -> Any:
    """The class that solves. Raises UserError where OR-tools is not installed."""
    try:
        return importlib.import_module("ortools.graph.python.min_cost_flow").SimpleMinCostFlow
    except ImportError:
        raise UserError(
            "The policy `flow` needs OR-tools, and it is not installed: `pip install 'glideroute[flow]'`, "
            "or set another `broker.policy`."
        ) from None


def rule(scene: Scene, cases: Sequence[Case]) -> Iterator[Answer]:
    """The sites of each group through which the cheapest flow of all groups goes."""
    return iter(Problem(scene, cases).solved() if cases and scene.sites else [Answer()] * len(cases))


@dataclass
class Arcs:
    """Arcs added so far."""

    tails: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    rooms: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)

    def add(self, tail: int, head: int, room: float, seconds: float) -> int:
        """Add an arc; returns its number."""
        self.tails.append(tail)
        self.heads.append(head)
        self.rooms.append(int(room))
        self.costs.append(int(min(seconds, LONGEST_S) * SCALE))
        return len(self.tails) - 1


class Problem:
    """Groups, sites and time as a graph.

    Nodes: the groups, the queue of each site, the way in and out of each storage that others read, and the end.
    """

    def __init__(self, scene: Scene, cases: Sequence[Case]) -> None:
        """Build the graph for the groups of a scene."""
        self._scene, self._cases, self._arcs = scene, cases, Arcs()
        self._count = len(scene.sites)
        self._queue = len(cases)
        self._way = self._queue + self._count
        self._end = self._way + 2 * self._count
        self._need = [case.group.count * case.group.requests.cpus for case in cases]
        columns = shape_columns([case.shape for case in cases], scene.names)
        far = np.where(columns.local < 1, np.float32(scene.policy.remote_s), 0)
        self._read = read_s(columns, scene.columns, scene.policy) + far
        self._lost: Numbers = lost_s(scene.columns, scene.policy)[0]
        self._direct: list[dict[int, int]] = []
        """By group: sites it flows to, and the arcs."""
        self._far: dict[int, tuple[int, int]] = {}
        """By group: the storage from which others would read its input, and the arc to it."""
        self._out: list[dict[int, int]] = []
        """By storage: sites that it flows to, and the arcs."""
        self._room: list[int] = []
        """By storage: jobs that it can feed elsewhere now."""
        self._add_time()
        self._add_storages()
        for row, case in enumerate(cases):
            self._add_group(row, case)

    def _add_time(self) -> None:
        """From each queue into the idle cores of its site, and into slices of those that become free later."""
        columns = self._scene.columns
        wait = wait_s(columns, np.zeros((1, self._count), dtype=np.float32), self._scene.policy)[0]
        rate = columns.rate[0]
        for site in range(self._count):
            # As long as the site would take for everything, so that no queue ends in a slice without end.
            alone = max(60.0, sum(self._need) / float(rate[site]))
            start, length = 0.0, alone * (GROWTH - 1) / (GROWTH**SLICES - 1)
            self._arcs.add(self._queue + site, self._end, float(columns.ready[0, site]), float(wait[site]))
            owed = 0.0
            for _ in range(SLICES):
                owed += float(rate[site]) * length
                room, owed = int(owed), owed - int(owed)
                self._arcs.add(self._queue + site, self._end, room, float(wait[site]) + start + length / 2)
                start, length = start + length, length * GROWTH
            self._arcs.add(self._queue + site, self._end, PLENTY, float(wait[site]) + 2 * start)

    def _add_storages(self) -> None:
        """What each storage can feed elsewhere until all is done; and now, less what is read from it already."""
        columns, reading = self._scene.columns, _reading(self._scene)
        read_s = float(self._read.max()) - self._scene.policy.remote_s
        turns = max(sum(self._need) / max(float(columns.rate.sum()), 1e-9) / max(read_s, 1.0), 1.0)
        for site in range(self._count):
            readers = float(columns.readers[0, site]) if columns.storage[0, site] else 0.0
            self._room.append(max(int(readers - reading[site]), 0))
            out = self._way + 2 * site + 1
            self._arcs.add(out - 1, out, min(readers * turns, PLENTY), 0.0)
            self._out.append(
                {
                    to: self._arcs.add(out, self._queue + to, PLENTY, float(self._lost[to]))
                    for to in range(self._count)
                    if to != site
                }
            )

    def _add_group(self, row: int, case: Case) -> None:
        """Arcs to the queues where its input lies, or where it must run without it, and to a storage for the rest."""
        fits = case.fits & self._free(case)
        home = fits & (case.local >= 1)
        seconds = self._read[row] + self._lost
        chosen = np.flatnonzero(home if home.any() else fits).tolist()
        self._direct.append(
            {site: self._arcs.add(row, self._queue + site, PLENTY, float(seconds[site])) for site in chosen}
        )
        sources = np.flatnonzero((case.local >= 1) & self._scene.columns.storage[0])
        if case.inputs.size and home.any() and len(sources):
            source = int(sources[np.argmax(self._scene.columns.readers[0, sources])])
            far = self._arcs.add(row, self._way + 2 * source, PLENTY, float(self._read[row].max()))
            self._far[row] = (source, far)

    def _free(self, case: Case) -> np.ndarray:
        """(S,): sites between which a group may choose now; a set that is not old yet stays as it is."""
        group = case.group
        if not case.sites:
            return np.ones(self._count, dtype=bool)
        since, times = (group.decision.at, group.decision.epoch - 1) if group.decision else (group.oldest, 0)
        if self._scene.world.now - since >= self._scene.policy.patience_s * 2 ** min(times, 6):
            return np.ones(self._count, dtype=bool)
        return np.isin(np.arange(self._count), [self._scene.place[site] for site in case.sites])

    def solved(self) -> list[Answer]:
        """The answer for each group."""
        flows, room = self._solve(), list(self._room)
        left = [{to: int(flows[arc]) for to, arc in out.items()} for out in self._out]
        answers = []
        for row, case in enumerate(self._cases):
            here = {site: int(flows[arc]) for site, arc in self._direct[row].items()}
            away: dict[int, int] = {}
            if found := self._far.get(row):
                source, arc = found
                away = _taken(left[source], min(int(flows[arc]), room[source]), case)
                room[source] -= sum(away.values())
            answers.append(self._answer(case, here, away))
        return answers

    def _solve(self) -> np.ndarray:
        problem = solver()()
        arcs = self._arcs
        numbers = problem.add_arcs_with_capacity_and_unit_cost(
            np.array(arcs.tails), np.array(arcs.heads), np.array(arcs.rooms), np.array(arcs.costs)
        )
        nodes = [row for row in range(len(self._cases)) if self._direct[row]]
        for row in nodes:
            problem.set_node_supply(row, self._need[row])
        problem.set_node_supply(self._end, -sum(self._need[row] for row in nodes))
        status = problem.solve()
        if status != problem.OPTIMAL:
            raise AssertionError(f"every group has a way to the end, but the flow ended as {status}")
        found: np.ndarray = problem.flows(numbers)
        return found

    def _answer(self, case: Case, here: dict[int, int], away: dict[int, int]) -> Answer:
        cpus, names, count = case.group.requests.cpus, self._scene.names, case.group.count
        cores = {site: here.get(site, 0) + away.get(site, 0) for site in {*here, *away}}
        total = max(sum(cores.values()), 1)
        jobs_away = min(-(-sum(away.values()) // cpus), count)
        # Where all of a group should leave, and the storage cannot feed all, the others wait where their input lies.
        home = self._largest(here if any(here.values()) else dict.fromkeys(here, 1))
        there = self._largest(away)
        parts = self._widened(case, home, there, jobs_away) if case.sites else _placed(home, there, jobs_away, count)
        return Answer(
            parts,
            "widened" if case.sites else "placed",
            f"on the cheapest flow of {len(self._cases)} group(s)",
            {names[site]: each / total for site, each in cores.items()},
            {names[site]: (("flow_jobs", round(each / cpus, 1)),) for site, each in cores.items()},
        )

    def _largest(self, cores: dict[int, int]) -> tuple[str, ...]:
        """The names of the sites that get most, as many as a set may have."""
        best = sorted((site for site in cores if cores[site] > 0), key=lambda site: (-cores[site], site))
        return tuple(self._scene.names[site] for site in best[: self._scene.policy.max_sites])

    def _widened(self, case: Case, home: Sequence[str], there: Sequence[str], away: int) -> tuple[Part, ...]:
        """A set with further sites; what it has is never taken away, so that no job goes to and fro."""
        new = [site for site in (there if away else home) if site not in case.sites]
        grown = tuple(sorted((*case.sites, *new[: max(self._scene.policy.max_sites - len(case.sites), 0)])))
        return () if grown == case.sites else (Part(grown, away or case.group.count),)


def _placed(home: Sequence[str], there: Sequence[str], away: int, count: int) -> tuple[Part, ...]:
    """Jobs that read from elsewhere, and the others."""
    parts = (Part(tuple(sorted(there)), away if home else count), Part(tuple(sorted(home)), count - away))
    return tuple(part for part in parts if part.sites and part.jobs)


def _taken(left: dict[int, int], cores: int, case: Case) -> dict[int, int]:
    """Take cores of those that flow out of a storage, at sites where the group can run."""
    found: dict[int, int] = {}
    for site, room in left.items():
        took = min(room, cores)
        if took and not case.codes[site]:
            found[site] = took
            left[site] -= took
            cores -= took
    return found


def _reading(scene: Scene) -> Numbers:
    """(S,): jobs that read from each site's storage, and run, or may, where the input does not lie."""
    inputs, found = dict(scene.world.inputs), np.zeros(len(scene.sites), dtype=np.float32)
    for group in scene.world.jobs:
        at = group.sites or ((group.site,) if group.site else ())
        if (read := inputs.get(group.source)) and at:
            away = group.count * sum(1.0 - read.fraction_at(site) for site in at) / len(at)
            holders = [scene.place[site] for site, _ in read.at_sites if site in scene.place]
            if away > 0 and holders:
                found[holders] += away / len(holders)
    return found
