"""Decides now and then which dataset gets a further copy and which such copy goes, beside the passes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from router.decide.broker import Brokerage
from router.decide.placement import Demand, Supply, expire, in_use, place
from router.model.files import StorageElement
from router.model.placement import Holding, PlacementPolicy
from router.model.policy import BrokerPolicy
from router.model.world import World
from router.ports import Clock
from router.ports.placement import PlacementMemory

log = logging.getLogger(__name__)


@dataclass
class Placing:
    """The copies as the route loop sees them."""

    memory: PlacementMemory
    elements: Mapping[str, StorageElement]
    """By site; those that the stage-out agent reads and writes."""
    policy: PlacementPolicy
    broker: BrokerPolicy
    clock: Clock
    holdings: tuple[Holding, ...] = ()
    """As the last look found them."""
    decided: dict[tuple[str, str], int] = field(default_factory=dict)
    """Decisions since the start, by what was decided and the site."""
    _looked: float = 0.0
    _mark: float | None = None

    def step(self, world: World) -> bool:
        """Look, if it is time; returns whether a copy came or went since the last pass."""
        mark = self.memory.placed_mark()
        changed, self._mark = self._mark is not None and mark != self._mark, mark
        now = self.clock.now()
        if not self._looked <= now < self._looked + self.policy.look_s:
            self._looked = now
            self._look(world, now)
        return changed

    def _look(self, world: World, now: float) -> None:
        if not (known := self.memory.placements()) and not self.policy.per_day_mb:
            self.holdings = ()
            return
        if any(each.waiting for each in known):
            self.memory.mend_sources(self._by_name, now)
        self.memory.note_used(in_use(world, known), now)
        for gone in expire(self.memory.placements(), now, self.policy):
            count = self.memory.expire_placement(gone, now)
            log.info("%d file(s) of %s leave %s: %s", count, gone.dataset, gone.se, gone.words)
            self._count("expire", gone.site)
        self.holdings = tuple(self.memory.placements())
        if self.policy.per_day_mb and self.broker.bind:
            self._place(world, now)

    def _place(self, world: World, now: float) -> None:
        demand = Demand(world, Brokerage.of(world, self.broker))
        if not (hot := demand.hot(self.policy)):
            return
        whole = self.memory.dataset_places(each.dataset for each in hot)
        names = {site: element.name for site, element in self.elements.items()}
        wanted = place(demand, hot, Supply(now, whole, self.holdings, names), self.policy)
        if wanted is None:
            return
        if count := self.memory.open_placement(wanted, self._by_name, now):
            log.info("%d file(s) of %s are copied to %s: %s", count, wanted.dataset, wanted.se, wanted.words)
            self._count("place", wanted.site)
            self.holdings = tuple(self.memory.placements())

    @property
    def _by_name(self) -> dict[str, StorageElement]:
        return {element.name: element for element in self.elements.values()}

    def _count(self, what: str, site: str) -> None:
        self.decided[what, site] = self.decided.get((what, site), 0) + 1
