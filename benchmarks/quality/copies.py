"""Further copies of datasets, decided as the router does and made as the stage-out agent does: in a few streams."""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.quality.grid import BatchSpec, Setting
from benchmarks.quality.transfers import Transfers
from router.decide.broker import Brokerage
from router.decide.placement import Demand, Supply, place
from router.model.placement import Holding, PlacementPolicy, Replicate
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.model.world import World

POLICY = PlacementPolicy(per_day_mb=100_000_000)
"""A hundred terabytes a day: about what a link of 10 Gb/s carries."""
STREAMS = 5
"""Of 20 MB a second at most: what the policy expects of the agent."""


class Copies:
    """The copies that are made, and those that are there."""

    def __init__(
        self, setting: Setting, transfers: Transfers, broker: BrokerPolicy, come: Callable[[str, int], None]
    ) -> None:
        """Copy between the sites of `setting`; `come` hears of each dataset that has come to a site."""
        self._setting, self._transfers, self._broker, self._come = setting, transfers, broker, come
        self._sites = {site.name: number for number, site in enumerate(setting.grid.sites)}
        self._sizes = _sizes(setting)
        self._sources = {spec.dataset: spec.replicas for spec in setting.workload.batches}
        self._made: dict[str, tuple[int, ...]] = {}
        self._holdings: dict[tuple[str, str], Holding] = {}
        self._left: dict[tuple[str, str], int] = {}
        self._looked = -POLICY.look_s

    def replicas(self, spec: BatchSpec) -> tuple[int, ...]:
        """The sites that hold a batch's input now."""
        return spec.replicas + self._made.get(spec.dataset, ()) if spec.replicas else ()

    def look(self, world: World) -> None:
        """Decide on one copy, if it is time."""
        if world.now < self._looked + POLICY.look_s:
            return
        self._looked = world.now
        demand = Demand(world, Brokerage.of(world, self._broker))
        if not (hot := demand.hot(POLICY)):
            return
        whole = {each.dataset: self._inputs(each.dataset) for each in hot}
        supply = Supply(world.now, whole, tuple(self._holdings.values()), {name: name for name in self._sites})
        if wanted := place(demand, hot, supply, POLICY):
            self._begin(wanted, world.now)

    def _inputs(self, dataset: str) -> Inputs:
        size = self._sizes[dataset]
        names = tuple(self._sites)
        held = sorted(names[site] for site in {*self._sources[dataset], *self._made.get(dataset, ())})
        return Inputs(size, tuple((name, size) for name in held))

    def _begin(self, wanted: Replicate, now: float) -> None:
        key = (wanted.dataset, wanted.site)
        told = (wanted.dataset, wanted.se, wanted.site, wanted.words)
        self._holdings[key] = Holding(*told, asked=now, used=now, files=STREAMS, bytes=wanted.bytes, waiting=STREAMS)
        self._left[key] = STREAMS
        for _ in range(STREAMS):
            size, sources = wanted.bytes / STREAMS, self._sources[wanted.dataset]
            self._transfers.start(size, sources, self._sites[wanted.site], partial(self._ended, key, now))

    def _ended(self, key: tuple[str, str], asked: float) -> None:
        self._left[key] -= 1
        if self._left[key]:
            return
        dataset, site = key
        held = self._holdings[key]
        told = (held.dataset, held.se, held.site, held.words)
        self._holdings[key] = Holding(*told, asked=asked, used=asked, files=STREAMS, bytes=held.bytes)
        self._made[dataset] = (*self._made.get(dataset, ()), self._sites[site])
        self._come(dataset, self._sites[site])


def _sizes(setting: Setting) -> dict[str, int]:
    """Bytes of each dataset: the most that one task reads of it."""
    work = setting.workload
    read = np.bincount(work.batch, weights=work.bytes, minlength=len(work.batches)).tolist()
    of_task: dict[tuple[str, str], float] = {}
    for spec, size in zip(work.batches, read, strict=True):
        of_task[spec.dataset, spec.task] = of_task.get((spec.dataset, spec.task), 0.0) + size
    found: dict[str, int] = {}
    for (dataset, _), size in of_task.items():
        found[dataset] = max(found.get(dataset, 0), int(size))
    return found
