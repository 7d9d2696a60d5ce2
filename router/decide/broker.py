"""Brokerage: which sites a shape may run at, when it would be done at each, and the set of sites to name.

A Brokerage sees the sites of one instant and the queue before them. It answers for many shapes at once, and notes what
it has given out, so that one task cannot flood one site before the pool shows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from router.decide.columns import Numbers, ShapeColumns, SiteColumns, shape_columns, site_columns
from router.decide.estimate import NEVER, lost_s, read_s, wait_s
from router.decide.filter import Filter
from router.decide.filters import filters, refused
from router.model.action import Choice, Verdict
from router.model.job import JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Inputs, Shape
from router.model.world import World

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Ruling:
    """What brokerage says of some shapes at every site: the number of the filter that refuses, and the seconds."""

    shapes: Sequence[Shape]
    sites: tuple[Site, ...]
    asked: tuple[Filter, ...]
    codes: np.ndarray
    """(G, S): number of the filter that refuses, from 1; 0: it fits."""
    wait: Numbers
    """(1, S)"""
    read: Numbers
    """(G, S)"""
    lost: Numbers
    """(1, S)"""
    total: Numbers
    """(G, S): NEVER where it is refused."""
    local: Numbers
    """(G, S): share of the input that lies there, 0..1."""
    source: np.ndarray
    """(G,): the site from which others would read the input; the least crowded that has it."""

    def choice(self, row: int) -> Choice:
        """The verdicts on one shape; their words are made when they are read."""
        return Choice(Verdicts(self, row))


class Verdicts(Sequence[Verdict]):
    """One row of a ruling as verdicts: best first, the refused ones behind by name."""

    __slots__ = ("_order", "_row", "_ruling")

    def __init__(self, ruling: Ruling, row: int) -> None:
        """The verdicts of row `row`."""
        self._ruling, self._row = ruling, row
        self._order: np.ndarray | None = None

    def __len__(self) -> int:
        """As many as there are sites."""
        return len(self._ruling.sites)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | Sequence[Verdict]:
        """The verdict at a rank."""
        if self._order is None:
            self._order = np.argsort(self._ruling.total[self._row], kind="stable")
        if isinstance(index, slice):
            return tuple(self._verdict(int(column)) for column in self._order[index])
        return self._verdict(int(self._order[index]))

    def refusals(self) -> dict[str, int]:
        """How many sites each reason refuses, by its tag; no words are made."""
        found: dict[str, int] = {}
        codes = self._ruling.codes[self._row]
        for column in np.flatnonzero(codes):
            tag = self._ruling.asked[codes[column] - 1].tag_at(self._ruling.sites[column])
            found[tag] = found.get(tag, 0) + 1
        return found

    def __eq__(self, other: object) -> bool:
        """Equal when all verdicts are."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """By the verdicts."""
        return hash(tuple(self))

    def _verdict(self, column: int) -> Verdict:
        ruling, site = self._ruling, self._ruling.sites[column]
        if code := int(ruling.codes[self._row, column]):
            return Verdict(site.name, ruling.asked[code - 1].refusal(ruling.shapes[self._row], site))
        terms = (
            ("wait_s", round(float(ruling.wait[0, column]), 1)),
            ("read_s", round(float(ruling.read[self._row, column]), 1)),
            ("lost_s", round(float(ruling.lost[0, column]), 1)),
        )
        return Verdict(site.name, None, score(float(ruling.total[self._row, column])), terms)


def score(seconds: float) -> float:
    """A figure for sorting: 1 for at once, 1/2 for in an hour, towards 0 for never."""
    return round(1.0 / (1.0 + max(seconds, 0.0) / HOUR_S), 4)


class Brokerage:
    """The sites of one instant, and the cores that are asked of each."""

    def __init__(
        self,
        sites: Iterable[Site],
        policy: BrokerPolicy,
        jobs: Iterable[JobGroup] = (),
        inputs: Mapping[int, Inputs] | None = None,
    ) -> None:
        """Broker over `sites` in any order.

        The idle ones among `jobs` that are placed wait before any other. They and the running ones read their `inputs`
        (by cluster) from elsewhere where their site does not hold them.
        """
        self.sites = tuple(sorted(sites, key=lambda site: site.name))
        self.policy = policy
        self.place = {site.name: number for number, site in enumerate(self.sites)}
        self._columns: SiteColumns = site_columns(self.sites, policy)
        self._lost = lost_s(self._columns, policy)
        self.queued: Numbers = np.zeros((1, len(self.sites)), dtype=np.float32)
        self._reading: Numbers = np.zeros(len(self.sites), dtype=np.float32)
        known = inputs or {}
        for group in jobs:
            if group.state is JobState.IDLE and group.sites:
                where, cores = self.shares(group)
                self.queued[0, where] += cores
                if read := known.get(group.cluster):
                    for site, share in zip(where, cores.tolist(), strict=True):
                        self._note_reading(self.sites[site].name, share / group.requests.cpus, read)
            elif group.state is JobState.RUNNING and (read := known.get(group.cluster)):
                self._note_reading(group.site, group.count, read)

        waits = wait_s(self._columns, self.queued, policy)[0].tolist()
        self._asked = filters(policy, dict(zip(self._columns.names, waits, strict=True)))
        self.harmless = np.array([False, *(each.harmless for each in self._asked)])
        self.newcomers = np.array([False, *(each.newcomers for each in self._asked)])

    @classmethod
    def of(cls, world: World, policy: BrokerPolicy) -> "Brokerage":
        """Broker over a world, with all its jobs and their inputs."""
        return cls(world.sites, policy, world.jobs, dict(world.inputs))

    def _note_reading(self, site: str, jobs: float, read: Inputs) -> None:
        """Count jobs that run at a site, or are about to, at the sites that they read from."""
        away = jobs * (1.0 - read.fraction_at(site))
        holders = [self.place[site] for site, _ in read.at_sites if site in self.place]
        if away > 0 and holders:
            self._reading[holders] += away / len(holders)

    @property
    def idle(self) -> Numbers:
        """(S,): cores ready for a job that nobody waits for."""
        found: Numbers = np.maximum(self._columns.ready - self.queued, 0.0)[0]
        return found

    def idle_for(self, group: JobGroup) -> Numbers:
        """(S,): idle cores that nobody but a placed group waits for."""
        where, cores = self.shares(group)
        others = self.queued[0].copy()
        others[where] -= cores
        found: Numbers = np.maximum(self._columns.ready[0] - others, 0.0)
        return found

    @property
    def rate(self) -> Numbers:
        """(S,): cores that become free per second."""
        found: Numbers = self._columns.rate[0]
        return found

    def shares(self, group: JobGroup) -> tuple[list[int], Numbers]:
        """How many cores a placed group asks of each of its sites: in proportion to how fast they become free."""
        where = [self.place[site] for site in group.sites or () if site in self.place]
        rates = self._columns.rate[0, where]
        return where, (rates * (group.count * group.requests.cpus / max(float(rates.sum()), 1e-9))).astype(np.float32)

    def columns(self, shapes: Sequence[Shape]) -> ShapeColumns:
        """The columns of `shapes` against these sites."""
        return shape_columns(shapes, self._columns.names)

    def rule(self, shapes: Sequence[Shape], columns: ShapeColumns, jobs: Sequence[int]) -> Ruling:
        """What is true now of some shapes, with so many jobs of each."""
        codes = refused(columns, self._columns, self._asked)
        wait = wait_s(self._columns, self.queued, self.policy)
        crowd, source = self._crowd(columns)
        if self.sites:
            far = (columns.local < 1) & ~self._feeds(columns, codes, source, jobs)[:, np.newaxis]
            np.copyto(codes, np.uint8(len(self._asked)), where=far & (codes == 0))
        read = read_s(columns, crowd, self.policy)
        total = read + (wait + self._lost)
        # A busy core that reads from afar is a core lost to a job that would read at home.
        total += np.where((columns.local < 1) & (self.idle <= 0), np.float32(self.policy.busy_remote_s), np.float32(0))
        np.copyto(total, NEVER, where=codes > 0)
        return Ruling(shapes, self.sites, self._asked, codes, wait, read, self._lost, total, columns.local, source)

    def _crowd(self, columns: ShapeColumns) -> tuple[Numbers, np.ndarray]:
        """How many times over the least asked storage that has each input is asked by jobs elsewhere, and whose it is.

        Of shape (G, 1) and (G,).
        """
        if not self.sites:
            return np.zeros((len(columns.local), 1), dtype=np.float32), np.zeros(len(columns.local), dtype=int)
        asked = np.where(self._columns.storage[0], self._reading / self._columns.readers[0], np.float32(1e6))
        crowds = np.where(columns.local > 0, asked, np.float32(1e6))
        source = crowds.argmin(axis=1)
        found: Numbers = crowds[np.arange(len(source)), source][:, np.newaxis].astype(np.float32)
        return found, source

    def _feeds(self, columns: ShapeColumns, codes: np.ndarray, source: np.ndarray, jobs: Sequence[int]) -> np.ndarray:
        """(G,): whether the storage that has each input can feed these jobs elsewhere.

        Ten readers get no more out of it than five, and block twice the cores. Where no site that has the input fits,
        as many as there are may go while there is room for one.
        """
        room = self._columns.readers[0, source] - self._reading[source]
        at_home = ((columns.local >= 1) & (codes == 0)).any(axis=1)
        found: np.ndarray = np.where(at_home, room >= np.asarray(jobs), room > 0)
        return found

    def choose(self, shape: Shape, jobs: int = 1) -> Choice:
        """The verdict on every site for `jobs` jobs of a shape."""
        return self.rule([shape], self.columns([shape]), [jobs]).choice(0)

    def sites_for(self, shape: Shape, jobs: int) -> tuple[str, ...]:
        """The set that `jobs` jobs of a shape would get now; empty when nothing fits."""
        ruling = self.rule([shape], self.columns([shape]), [jobs])
        need = np.array([jobs * shape.requests.cpus], dtype=np.float32)
        [chosen] = self.sets(ruling.total, ruling.read, need).names(self.sites)
        return chosen

    def sets(self, total: Numbers, read: Numbers, need: Numbers) -> "Sets":
        """For each row of `total` seconds, the sites that together complete `need` cores' worth of jobs soonest.

        Sites are taken best first while the next one would start a job before the sites taken so far have started the
        last: water filling over start times, with the idle cores of each as its head start. Further sites that read
        the input as fast as the best join as well: whichever has a core first may have the job, at no cost.
        """
        width = min(self.policy.max_sites, len(self.sites))
        if not width:
            none: Numbers = np.zeros((len(total), 0), dtype=np.float32)
            return Sets(none.astype(int), none.astype(bool), none, np.full(len(total), NEVER))
        rows = np.arange(len(total))[:, np.newaxis]
        if width < len(self.sites):
            best = np.sort(np.argpartition(total, width - 1, axis=1)[:, :width], axis=1)
        else:
            best = np.broadcast_to(np.arange(width), (len(total), width))
        best = best[rows, np.argsort(total[rows, best], axis=1, kind="stable")]
        seconds = total[rows, best]
        rate, idle = self.rate[best], self.idle[best]
        fit = seconds < NEVER
        rates = np.cumsum(np.where(fit, rate, 0.0), axis=1)
        begun = np.cumsum(np.where(fit, rate * seconds - idle, 0.0), axis=1)
        last = np.maximum(seconds, (need[:, np.newaxis] + begun) / np.maximum(rates, 1e-9))
        join = fit.copy()
        join[:, 1:] &= (seconds[:, 1:] < last[:, :-1]) | (seconds[:, 1:] <= seconds[:, :1] + self.policy.near_s)
        join = np.logical_and.accumulate(join, axis=1)
        size = join.sum(axis=1)
        reading = read[rows, best]
        join |= fit & (reading <= reading[:, :1] + self.policy.near_s)
        ends = np.where(size > 0, last[rows[:, 0], np.maximum(size - 1, 0)], NEVER)
        taken = np.minimum(idle + rate * (ends[:, np.newaxis] - seconds), need[:, np.newaxis])
        cores: Numbers = np.where(join, np.maximum(taken, 0.0), 0.0).astype(np.float32)
        return Sets(best, join, cores, ends.astype(np.float32))

    def give(self, sets: "Sets", ruling: Ruling, rows: Sequence[int]) -> None:
        """Note that the jobs of these rows now wait where they were sent, and will read from where their input lies."""
        best, cores = sets.best[rows], sets.cores[rows]
        np.add.at(self.queued[0], best.ravel(), cores.ravel())
        away = (cores * (1 - ruling.local[np.asarray(rows, dtype=int)[:, np.newaxis], best])).sum(axis=1)
        np.add.at(self._reading, ruling.source[rows], away)


@dataclass(frozen=True, slots=True)
class Sets:
    """The sets of sites chosen for some groups; `best`, `join` and `cores` are (G, K), best site first."""

    best: np.ndarray
    """Numbers of sites."""
    join: np.ndarray
    """Whether the site is in the set."""
    cores: Numbers
    """Cores that the group asks of it."""
    ends: Numbers
    """(G,): seconds until the group's last job starts; NEVER when nothing fits."""

    def names(self, sites: Sequence[Site]) -> list[tuple[str, ...]]:
        """Each set as sorted names."""
        # `sites` are in the order of their names, so sorted numbers are sorted names.
        chosen = np.sort(np.where(self.join, self.best, len(sites)), axis=1)
        sizes = self.join.sum(axis=1).tolist()
        names = [site.name for site in sites]
        return [
            tuple([names[number] for number in row[:size]]) for row, size in zip(chosen.tolist(), sizes, strict=True)
        ]


def choose(shape: Shape, sites: Iterable[Site], policy: BrokerPolicy) -> Choice:
    """The verdict on every site for one shape, when nothing waits anywhere."""
    return Brokerage(sites, policy).choose(shape)
