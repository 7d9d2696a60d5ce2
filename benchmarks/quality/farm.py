"""Slots: glideins come when jobs wait for them, take time to come, and leave when idle; outages take them away."""

import math
import random
from collections import deque
from collections.abc import Iterable

from benchmarks.quality.agenda import Agenda
from benchmarks.quality.grid import Grid, Supply
from benchmarks.quality.queue import SiteSet
from router.model.site import Outcomes

MINUTE = 60.0
SPREAD = 0.5
"""Standard deviation of the logarithm of a glidein's time to join."""


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
        self.births = 0
        """Grows with each outage: glideins asked for before never come."""
        self.least_idle = 0
        """Fewest idle cores since they were last reduced."""
        self._ended: deque[tuple[float, bool]] = deque()

    @property
    def free(self) -> int:
        """Cores a job can start on."""
        return 0 if self.down else max(self.present - self.used, 0)

    def ended(self, now: float, *, well: bool) -> None:
        """A job ended here."""
        self._ended.append((now, well))

    def outcomes(self, since: float) -> Outcomes:
        """How jobs ended since then; older ones are forgotten."""
        while self._ended and self._ended[0][0] < since:
            self._ended.popleft()
        good = sum(well for _, well in self._ended)
        return Outcomes(good, len(self._ended) - good)


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
            if each.idle:
                part = each.idle * each.cores / max(len(each.sites), 1)
                for site in each.sites:
                    wanted[site] += part
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
