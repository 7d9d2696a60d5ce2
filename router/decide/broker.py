"""Brokerage: which sites a shape may run at, when it would be done at each, and the set of sites to name.

A Brokerage sees the sites of one instant and the queue before them. It answers for many shapes at once, and notes what
it has given out, so that one task cannot flood one site before the pool shows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.decide.columns import Booleans, Numbers, ShapeColumns, SiteColumns, shape_columns, site_columns
from router.decide.estimate import NEVER, far_s, lost_s, read_s, wait_s
from router.decide.filter import Filter
from router.decide.filters import filters, refused
from router.decide.groups import GroupColumns, group_columns
from router.decide.health import OPINIONS, health
from router.decide.ranked import Ranked
from router.model.action import Choice, Verdict
from router.model.job import JobGroup, JobState, Source
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Inputs, Shape
from router.model.world import World

HOUR_S = 3600.0
EVERY = slice(None)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What brokerage says of some shapes at every site: the number of the filter that refuses, and the seconds."""

    shapes: Sequence[Shape]
    sites: tuple[Site, ...]
    asked: tuple[Filter, ...]
    codes: np.ndarray
    """(G, S): number of the filter that refuses, from 1; 0: it fits."""
    wait: Numbers
    """(1, S): before what a group's own jobs add to it is taken off."""
    read: Numbers
    """(G, S)"""
    lost: Numbers
    """(1, S)"""
    far: Numbers
    """(1, S): what reading from elsewhere is held to cost there, besides the time it takes."""
    total: Numbers
    """(G, S): the sum of these; NEVER where it is refused."""
    local: Numbers
    """(G, S): share of the input that lies there, 0..1."""
    late: Numbers
    """(G, S), or (G, 1) where none is: what is added to the wait of a share that gets few cores there."""

    def late_at(self, row: int, column: int) -> float:
        """That of one pair."""
        return float(self.late[row, column if self.late.shape[1] > 1 else 0])

    def verdicts(self, row: int) -> "Verdicts":
        """The verdicts on one shape; their words are made when they are read."""
        return Verdicts(self, row)

    def choice(self, row: int) -> Choice:
        """The same as a choice."""
        return Choice(self.verdicts(row))


class Verdicts(Ranked[int]):
    """One row of a ruling as verdicts."""

    __slots__ = ("_row", "_ruling")

    def __init__(self, ruling: Ruling, row: int) -> None:
        """The verdicts of row `row`."""
        super().__init__()
        self._ruling, self._row = ruling, row

    def __len__(self) -> int:
        """As many as there are sites."""
        return len(self._ruling.sites)

    def refusals(self) -> dict[str, int]:
        """How many sites each reason refuses, by its tag; no words are made."""
        found: dict[str, int] = {}
        codes = self._ruling.codes[self._row]
        for column in np.flatnonzero(codes):
            tag = self._ruling.asked[codes[column] - 1].tag_at(self._ruling.sites[column])
            found[tag] = found.get(tag, 0) + 1
        return found

    def reasons(self, most: int) -> list[str]:
        """The first `most` sites that are refused, by name, each with the words why."""
        ruling, codes = self._ruling, self._ruling.codes[self._row]
        return [
            f"{ruling.sites[column].name} "
            + ruling.asked[codes[column] - 1].words(ruling.shapes[self._row], ruling.sites[column])
            for column in np.flatnonzero(codes)[:most]
        ]

    def _ranked(self) -> Sequence[int]:
        ranked: list[int] = np.argsort(self._ruling.total[self._row], kind="stable").tolist()
        return ranked

    def _verdict(self, column: int) -> Verdict:
        ruling, site = self._ruling, self._ruling.sites[column]
        if code := int(ruling.codes[self._row, column]):
            return Verdict(site.name, ruling.asked[code - 1].refusal(ruling.shapes[self._row], site))
        total, read = float(ruling.total[self._row, column]), float(ruling.read[self._row, column])
        lost = float(ruling.lost[0, column])
        far = float(ruling.far[0, column]) if ruling.local[self._row, column] < 1 else 0.0
        late = ruling.late_at(self._row, column)
        terms = [("wait_s", total - read - lost - far - late), ("read_s", read), ("lost_s", lost)]
        terms += [(name, each) for name, each in (("far_s", far), ("share_s", late)) if each]
        return Verdict(site.name, None, score(total), tuple((name, round(each, 1) + 0.0) for name, each in terms))


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
        inputs: Mapping[Source, Inputs] | None = None,
        now: float = 0.0,
    ) -> None:
        """Broker over `sites` in any order.

        The idle ones among `jobs` that are placed wait before any other. They and the running ones read their `inputs`
        from elsewhere where their site does not hold them; `now`, in seconds since the epoch, tells how
        many of the running ones still do.
        """
        self.sites = tuple(sorted(sites, key=lambda site: site.name))
        self.policy = policy
        self.place = {site.name: number for number, site in enumerate(self.sites)}
        self._columns: SiteColumns = site_columns(self.sites, policy)
        self._lost = lost_s(self._columns, policy)
        idle = [group for group in jobs if group.state is JobState.IDLE and group.sites]
        asked = group_columns(idle, self.place).asked(self.rate)
        self.queued: Numbers = asked[np.newaxis, :]
        self._room: Numbers = self._columns.readers[0] * self._columns.storage[0]
        """(S,): jobs elsewhere that each site's storage can feed besides those that it feeds."""
        known = inputs or {}
        for group in jobs:
            if read := known.get(group.source):
                self._note_reading(group, read, now)

        waits = wait_s(self._columns, self.queued, policy)[0].tolist()
        self.health = health(self.sites, jobs, policy, now)
        self._asked = filters(policy, dict(zip(self._columns.names, waits, strict=True)), self.health)
        self.harmless = np.array([False, *(each.harmless for each in self._asked)])
        self.opinions = np.array([False, *(each.tag in OPINIONS for each in self._asked)])
        self.newcomers = np.array([False, *(each.newcomers for each in self._asked)])

    @classmethod
    def of(cls, world: World, policy: BrokerPolicy) -> "Brokerage":
        """Broker over a world, with all its jobs and their inputs."""
        return cls(world.sites, policy, world.jobs, dict(world.inputs), world.now)

    def _note_reading(self, group: JobGroup, read: Inputs, now: float) -> None:
        """Count jobs that read, or are about to, at the sites that they read from.

        An idle job counts wholly as soon as one of its sites lacks the input, a running one for the time that reading
        takes, which begins soon after it was sent there.
        """
        if group.state is JobState.IDLE:
            away = max((1.0 - read.fraction_at(site) for site in group.sites or () if site in self.place), default=0.0)
        elif group.state is JobState.RUNNING:
            away = 1.0 - read.fraction_at(group.site)
        else:
            return
        if away <= 0.0 or (group.state is JobState.RUNNING and self._has_read(group, read, now)):
            return
        held = np.array([self.place[site] for site, _ in read.at_sites if site in self.place], dtype=int)
        self._feed(held, group.count * away)

    def _has_read(self, group: JobGroup, read: Inputs, now: float) -> bool:
        took = self.policy.ramp_s + read.size / max(1, read.jobs) / 1e6 / self.policy.remote_mb_s
        return group.decision is not None and now > group.decision.at + took

    def _feed(self, held: np.ndarray, jobs: float) -> None:
        """Let jobs elsewhere read from some of the sites that hold their input, those whose storage answers."""
        held = held[self._columns.storage[0, held]]
        if len(held):
            self._room[held] -= jobs / len(held)

    def _free(self, local: Numbers) -> Numbers:
        """How many jobs elsewhere each of the sites that hold an input could still feed."""
        found: Numbers = np.where(local > 0, np.maximum(self._room, 0), np.float32(0))
        return found

    @property
    def idle(self) -> Numbers:
        """(S,): cores ready for a job that nobody waits for."""
        found: Numbers = np.maximum(self._columns.ready - self.queued, 0.0)[0]
        return found

    @property
    def rate(self) -> Numbers:
        """(S,): cores that become free per second."""
        found: Numbers = self._columns.rate[0]
        return found

    def columns(self, shapes: Sequence[Shape]) -> ShapeColumns:
        """The columns of `shapes` against these sites."""
        return shape_columns(shapes, self._columns.names)

    def rule(self, shapes: Sequence[Shape], columns: ShapeColumns) -> Ruling:
        """What is true now of some shapes."""
        codes = refused(columns, self._columns, self._asked)
        room = self._free(columns.local).sum(axis=1)
        far = columns.local < 1
        np.copyto(codes, np.uint8(len(self._asked)), where=far & (room < 1)[:, np.newaxis] & (codes == 0))
        wait = wait_s(self._columns, self.queued, self.policy)
        read, cost = read_s(columns, self._columns, self.policy), far_s(self.idle, self.policy)
        total = read + (wait + self._lost)
        total += far * cost
        if columns.late.any():
            total += columns.late
        np.copyto(total, NEVER, where=codes > 0)
        return Ruling(
            shapes, self.sites, self._asked, codes, wait, read, self._lost, cost, total, columns.local, columns.late
        )

    def choose(self, shape: Shape) -> Choice:
        """The verdict on every site for a job of a shape."""
        return Choice(self.judge(shape))

    def judge(self, shape: Shape) -> Verdicts:
        """The verdicts of that choice."""
        return self.rule([shape], self.columns([shape])).verdicts(0)

    def sites_for(self, shape: Shape, jobs: int) -> tuple[str, ...]:
        """The set that `jobs` jobs of a shape would get now, or most of them; empty when nothing fits."""
        ruling = self.rule([shape], self.columns([shape]))
        need = np.array([jobs * shape.requests.cpus], dtype=np.float32)
        sets = self.sets(ruling, need)
        if 2 * self.sent(sets, ruling, 0, jobs) < jobs:
            near = self.sets(ruling, need, near=True)
            sets = near if near.join.any() else sets
        return sets.names(self.sites)[0]

    def sets(self, ruling: Ruling, need: Numbers, rows: slice = EVERY, *, near: bool = False) -> "Sets":
        """For rows of a ruling, the sites that together complete `need` cores' worth of jobs soonest.

        Sites are taken best first while the next one would start a job before the sites taken so far have started the
        last: water filling over start times, with the idle cores of each as its head start. Further sites that read
        the input as fast as the best join as well: whichever has a core first may have the job, at no cost. With
        `near` only sites that hold all the input are taken.
        """
        total, read, local = ruling.total[rows], ruling.read[rows], ruling.local[rows]
        width = min(self.policy.max_sites, len(self.sites))
        if not width:
            none: Numbers = np.zeros((len(total), 0), dtype=np.float32)
            return Sets(none.astype(int), none.astype(bool), none, np.full(len(total), NEVER), none.sum(axis=1))
        if near:
            total = np.where(local >= 1, total, NEVER)
        here = np.arange(len(total))[:, np.newaxis]
        if width < len(self.sites):
            best = np.sort(np.argpartition(total, width - 1, axis=1)[:, :width], axis=1)
        else:
            best = np.broadcast_to(np.arange(width), (len(total), width))
        best = best[here, np.argsort(total[here, best], axis=1, kind="stable")]
        seconds = total[here, best]
        rate, idle = self.rate[best], self.idle[best]
        fit = seconds < NEVER
        last = last_s(seconds, rate, idle, need)
        join = fit.copy()
        join[:, 1:] &= (seconds[:, 1:] < last[:, :-1]) | (seconds[:, 1:] <= seconds[:, :1] + self.policy.near_s)
        join = np.logical_and.accumulate(join, axis=1)
        size = join.sum(axis=1)
        reading, held = read[here, best], local[here, best]
        join |= fit & (reading <= reading[:, :1] + self.policy.near_s) & (held >= held[:, :1])
        ends = np.where(size > 0, last[here[:, 0], np.maximum(size - 1, 0)], NEVER)
        return self._filled(best, join, ends, ruling, need, rows)

    def narrowed(self, sets: "Sets", keep: Booleans, ruling: Ruling, need: Numbers) -> "Sets":
        """The sets without those sites that are not in `keep` (G, K); some are kept of each."""
        here = np.arange(len(keep))[:, np.newaxis]
        order = np.argsort(~keep, axis=1, kind="stable")
        best, join = sets.best[here, order], keep[here, order]
        seconds = np.where(join, ruling.total[here, best], NEVER)
        last = last_s(seconds, self.rate[best], self.idle[best], need)
        fewer = (keep != sets.join).any(axis=1)
        ends = np.where(fewer, np.where(join, last, NEVER).min(axis=1, initial=float(NEVER)), sets.ends)
        return self._filled(best, join, ends, ruling, need)

    def _filled(
        self, best: np.ndarray, join: Booleans, ends: Numbers, ruling: Ruling, need: Numbers, rows: slice = EVERY
    ) -> "Sets":
        """Sets with what their groups ask of each site until `ends`."""
        here = np.arange(len(best))[:, np.newaxis]
        seconds, held = ruling.total[rows][here, best], ruling.local[rows][here, best]
        taken = np.minimum(self.idle[best] + self.rate[best] * (ends[:, np.newaxis] - seconds), need[:, np.newaxis])
        cores: Numbers = np.where(join, np.maximum(taken, 0.0), 0.0).astype(np.float32)
        away: Numbers = 1 - np.where(join, held, np.float32(1)).min(axis=1)
        return Sets(best, join, cores, ends.astype(np.float32), away)

    def sent(self, sets: "Sets", ruling: Ruling, row: int, jobs: int) -> int:
        """How many of `jobs` jobs may have the set of a row: all, unless it lets them read from a storage elsewhere."""
        away = float(sets.away[row])
        return min(jobs, int(self._free(ruling.local[row]).sum() / away)) if away > 0 else jobs

    def give(self, sets: "Sets", local: Numbers, row: int, jobs: int, part: float) -> None:
        """Note that `jobs` jobs, a part (0..1) of a row's, now wait where they were sent, and read what they lack.

        `local` is the share of their input that each site holds.
        """
        self.queued[0, sets.best[row]] += sets.cores[row] * np.float32(part)
        if away := float(sets.away[row]):
            self._feed(np.flatnonzero(local > 0), jobs * away)

    def stay(self, groups: GroupColumns, ruling: Ruling) -> Numbers:
        """(G,): seconds until the last job of each group starts where it is placed; NEVER where it cannot.

        On the way the groups' own jobs are taken out of the queue that they wait in, and of those that a storage feeds.
        """
        placed, own = groups.placed, groups.shares(self.rate)
        ruling.codes[placed & self.newcomers[ruling.codes]] = 0
        waited = np.minimum(own / self.rate, ruling.wait)
        alone = (
            ruling.wait
            - waited
            + ruling.late
            + ruling.read
            + ruling.lost
            + np.where(ruling.local < 1, ruling.far, np.float32(0))
        )
        np.copyto(ruling.total, np.where(ruling.codes > 0, NEVER, alone), where=placed)
        idle = np.maximum(self._columns.ready - (self.queued - own), 0.0)
        seconds = np.where(placed, ruling.total, NEVER)
        width = int(min(groups.sizes.max(initial=1), len(self.sites)))
        order = np.argsort(seconds, axis=1, kind="stable")[:, :width]
        rows = np.arange(len(order))[:, np.newaxis]
        seconds = seconds[rows, order]
        last = last_s(seconds, self.rate[order], idle[rows, order], groups.cores)
        found: Numbers = np.where(seconds < NEVER, last, NEVER).min(axis=1, initial=float(NEVER))
        return found


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
    away: Numbers
    """(G,): the largest share of its input that a job of the group may have to read from elsewhere, 0..1."""

    def names(self, sites: Sequence[Site]) -> list[tuple[str, ...]]:
        """Each set as sorted names."""
        # `sites` are in the order of their names, so sorted numbers are sorted names.
        chosen = np.sort(np.where(self.join, self.best, len(sites)), axis=1)
        sizes = self.join.sum(axis=1).tolist()
        names = [site.name for site in sites]
        return [
            tuple([names[number] for number in row[:size]]) for row, size in zip(chosen.tolist(), sizes, strict=True)
        ]


def last_s(seconds: Numbers, rate: Numbers, idle: Numbers, need: Numbers) -> Numbers:
    """When the last of `need` (G,) cores' worth of jobs starts at the first site, the first two, the first three …

    By row, best site first: each has `idle` cores at once after its `seconds`, and frees `rate` cores a second then.
    """
    fit = seconds < NEVER
    rates = np.cumsum(np.where(fit, rate, 0.0), axis=1)
    begun = np.cumsum(np.where(fit, rate * seconds - idle, 0.0), axis=1)
    found: Numbers = np.maximum(seconds, (need[:, np.newaxis] + begun) / np.maximum(rates, 1e-9))
    return found


def choose(shape: Shape, sites: Iterable[Site], policy: BrokerPolicy) -> Choice:
    """The verdict on every site for one shape, when nothing waits anywhere."""
    return Brokerage(sites, policy).choose(shape)
