"""Slots: glideins come when jobs wait for them, take time to come, and leave when idle; outages take them away."""

import math
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.quality.agenda import Agenda
from benchmarks.quality.grid import Grid, Supply
from benchmarks.quality.queue import SiteSet
from router.model.site import Outcomes, Pace

WINDOW_S = 3600.0
"""How long endings count, as BrokerPolicy.failure_window_s."""
SPREAD = 0.5
"""Standard deviation of the logarithm of a glidein's time to join."""


class _Ended(NamedTuple):
    """A job that left its slot."""

    at: float
    wall_s: float
    cores: int
    well: bool


@dataclass(slots=True)
class _Sums:
    """Endings added up, so that a look does not read each of them again."""

    well: int = 0
    ill: int = 0
    cores: int = 0
    """Of those that ended well, as `wall_s`."""
    wall_s: float = 0.0

    def add(self, one: _Ended, sign: int) -> None:
        """Count an ending, or with -1 no longer."""
        if one.well:
            self.well += sign
            self.cores += sign * one.cores
            self.wall_s = self.wall_s + sign * one.wall_s if self.well else 0.0
        else:
            self.ill += sign


class Slots:
    """The glideins of one site, in cores, and how its jobs ended lately."""

    def __init__(self, capacity: int, *, present: bool) -> None:
        self.capacity = capacity
        self.present = capacity if present else 0
        self.used = 0
        self.pending = 0
        """Asked for, not there yet."""
        self.down = False
        self.stalled_until = 0.0
        self.hole_until = 0.0
        self.births = 0
        """Grows with each outage: glideins asked for before never come."""
        self.least_idle = 0
        """Fewest idle cores since they were last reduced."""
        self.seen = 0.0
        """When there was a glidein last."""
        self.asked = 0.0
        """Since when jobs ask in vain; 0: they do not."""
        self._recent: deque[_Ended] = deque()
        """In the last WINDOW_S."""
        self._older: deque[_Ended] = deque()
        """In the WINDOW_S before."""
        self._lately, self._before = _Sums(), _Sums()
        self._row, self._row_at = 0, 0.0
        """Failures since the last job that ended well, and when the last of them was."""
        self._row_tasks: set[str] = set()

    @property
    def free(self) -> int:
        """Cores a job can start on."""
        return 0 if self.down else max(self.present - self.used, 0)

    def ended(self, now: float, began: float, cores: int, *, well: bool, task: str = "") -> None:
        """A job ended here; `task` is that of a job that failed."""
        self._row, self._row_at = (0, now) if well else (self._row + 1, now)
        self._row_tasks = set() if well else {*self._row_tasks, task}
        one = _Ended(now, now - began, cores, well)
        self._recent.append(one)
        self._lately.add(one, 1)

    def lately(self, now: float) -> tuple[Outcomes, Pace | None]:
        """How jobs ended in the last WINDOW_S, and how fast, as the product's own records would tell."""
        while self._recent and self._recent[0].at < now - WINDOW_S:
            self._lately.add(self._recent[0], -1)
            self._before.add(self._recent[0], 1)
            self._older.append(self._recent.popleft())
        while self._older and self._older[0].at < now - 2 * WINDOW_S:
            self._before.add(self._older.popleft(), -1)
        good, pace = self._lately, None
        if good.well or self._before.well:
            freed = good.cores * 3600.0 / WINDOW_S if self._before.well else None
            pace = Pace(freed, good.wall_s / good.well if good.well else 0.0)
        row = (self._row, len(self._row_tasks), self._row_at) if self._row else (0, 0, 0.0)
        return Outcomes(good.well, good.ill, streak=row[0], streak_tasks=row[1], streak_at=row[2]), pace

    def silence(self, now: float, waiting: int) -> float:
        """How long there has been no glidein although jobs asked, in seconds."""
        if self.present:
            self.seen, self.asked = now, 0.0
        else:
            self.asked = (self.asked or now) if waiting else 0.0
        return now - max(self.seen, self.asked) if self.asked else 0.0


class Farm:
    """The slots of all sites."""

    def __init__(self, agenda: Agenda, grid: Grid, chance: random.Random) -> None:
        self.supply: Supply = grid.supply
        self.sites = [Slots(site.slots, present=grid.supply.ramp_s == 0) for site in grid.sites]
        self._agenda = agenda
        self._chance = chance
        self._reduced = 0.0

    def free(self) -> list[int]:
        """Free cores by site."""
        return [site.free for site in self.sites]

    def adjust(self, sets: Iterable[SiteSet]) -> None:
        """Ask for glideins where jobs wait, each job counted in parts over its sites as GlideinWMS does; drop idle."""
        if self.supply.ramp_s == 0:
            return
        wanted = [0.0] * len(self.sites)
        for each in sets:
            part = each.idle * each.cores / max(len(each.sites), 1)
            for place in each.sites:
                wanted[place] += part
        for number, site in enumerate(self.sites):
            goal = min(site.capacity, site.used + math.ceil(wanted[number]))
            if not site.down and goal > site.present + site.pending:
                self._ask(number, goal - site.present - site.pending)
            site.least_idle = min(site.least_idle, site.present - site.used)
        if self._agenda.now - self._reduced >= self.supply.idle_s:
            self._reduce()

    def fail(self, number: int) -> None:
        """All glideins of a site are gone and none comes until `mend`."""
        site = self.sites[number]
        site.down, site.present, site.used, site.pending = True, 0, 0, 0
        site.births += 1

    def mend(self, number: int) -> None:
        """Glideins can come again."""
        site = self.sites[number]
        site.down = False
        if self.supply.ramp_s == 0:
            site.present = site.capacity

    def _ask(self, number: int, cores: int) -> None:
        delay = self.supply.ramp_s * math.exp(self._chance.gauss(0.0, SPREAD))
        self.sites[number].pending += cores
        self._agenda.at(self._agenda.now + delay, self._join, number, cores, self.sites[number].births)

    def _join(self, number: int, cores: int, births: int) -> None:
        site = self.sites[number]
        if births == site.births:
            site.pending -= cores
            site.present += cores

    def _reduce(self) -> None:
        self._reduced = self._agenda.now
        for site in self.sites:
            site.present -= max(site.least_idle, 0)
            site.least_idle = site.present - site.used
