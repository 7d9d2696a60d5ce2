"""Slots: glideins come when jobs wait for them, take time to come, and leave when idle; outages take them away."""

import math
import random
from collections import deque
from collections.abc import Iterable
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
        self._ended: deque[_Ended] = deque()

    @property
    def free(self) -> int:
        """Cores a job can start on."""
        return 0 if self.down else max(self.present - self.used, 0)

    def ended(self, now: float, began: float, cores: int, *, well: bool) -> None:
        """A job ended here."""
        self._ended.append(_Ended(now, now - began, cores, well))

    def lately(self, now: float) -> tuple[Outcomes, Pace | None]:
        """How jobs ended in the last WINDOW_S, and how fast, as the product's own records would tell."""
        while self._ended and self._ended[0].at < now - 2 * WINDOW_S:
            self._ended.popleft()
        if not self._ended:
            return Outcomes(), None
        recent = [each for each in self._ended if each.at >= now - WINDOW_S]
        good = [each for each in recent if each.well]
        pace = None
        if first := next((each for each in self._ended if each.well), None):
            freed = sum(each.cores for each in good) * 3600.0 / WINDOW_S if first.at < now - WINDOW_S else None
            pace = Pace(freed, sum(each.wall_s for each in good) / len(good) if good else 0.0)
        return Outcomes(len(good), len(recent) - len(good)), pace

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
