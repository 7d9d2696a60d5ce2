"""Which datasets get a further copy, where, and which of these copies go again.

The estimates are the broker's own: a dataset is hot where its next job would wait long at the best of all sites, remote
ones included, and a site is good where the broker would have that job begin much sooner with the input there. What has
been decided shows in the next world, so that one look makes one copy at most.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from router.decide.broker import Brokerage
from router.decide.estimate import NEVER
from router.decide.reconcile import shape_of
from router.model.job import JobGroup, JobState
from router.model.placement import Expire, Holding, Hot, PlacementPolicy, Replicate
from router.model.site import MB, Site
from router.model.task import Inputs, Shape
from router.model.world import World

DAY_S = 86400.0
MOST_HOT = 5
"""Datasets that one look goes into; the hottest first."""


class Demand:
    """The idle jobs of a world by the datasets that they read, and what brokerage says of them."""

    def __init__(self, world: World, brokerage: Brokerage) -> None:
        """See `world`, over whose sites `brokerage` decides."""
        self.brokerage = brokerage
        inputs = dict(world.inputs)
        self._groups: dict[str, list[JobGroup]] = {}
        for group in world.jobs:
            if group.dataset and group.state is JobState.IDLE and group.source in inputs:
                self._groups.setdefault(group.dataset, []).append(group)
        self._read = {
            name: sum({group.source: inputs[group.source].size for group in groups}.values())
            for name, groups in self._groups.items()
        }
        most = {
            name: max(groups, key=lambda group: (group.count, -group.cluster)) for name, groups in self._groups.items()
        }
        self._shapes = {name: shape_of(group, inputs) for name, group in most.items()}
        self._sites = {name: group.sites or () for name, group in most.items()}

    def jobs(self, dataset: str) -> int:
        """Idle jobs that read a dataset."""
        return sum(group.count for group in self._groups.get(dataset, ()))

    def shape(self, dataset: str) -> Shape:
        """What most of them ask for."""
        return self._shapes[dataset]

    def hot(self, policy: PlacementPolicy) -> list[Hot]:
        """The datasets whose jobs wait long, the most waiting time first."""
        names = [name for name in sorted(self._groups) if self.jobs(name) >= policy.least_jobs]
        waits = (wait_s(self.brokerage, self._shapes[name], self._sites[name]) for name in names)
        found = [
            Hot(name, self.jobs(name), self._read[name], wait)
            for name, wait in zip(names, waits, strict=True)
            if policy.wait_s <= wait < NEVER
        ]
        return sorted(found, key=lambda each: (-each.jobs * each.wait_s, each.dataset))[:MOST_HOT]


def wait_s(brokerage: Brokerage, shape: Shape, sites: Iterable[str] = ()) -> float:
    """The fewest seconds until a job of a shape that has `sites` begins to compute; NEVER where it can run nowhere.

    Its own sites count although they take no newcomers: where many wait, they are just those that take no more.
    """
    ruling = brokerage.rule([shape], brokerage.columns([shape]))
    codes = ruling.codes[0].copy()
    own = [brokerage.place[site] for site in sites if site in brokerage.place]
    codes[own] = np.where(brokerage.newcomers[codes[own]], 0, codes[own])
    far = np.where(ruling.local[0] < 1, ruling.far[0], np.float32(0))
    seconds = ruling.wait[0] + ruling.read[0] + ruling.lost[0] + far
    return float(np.where(codes == 0, seconds, NEVER).min(initial=NEVER))


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is besides jobs and sites when a copy is decided on."""

    now: float
    """Seconds since the epoch."""
    whole: Mapping[str, Inputs]
    """How large each dataset is, and where it lies."""
    holdings: Sequence[Holding]
    elements: Mapping[str, str]
    """The storage element of each site that the stage-out agent can write to."""

    def left(self, site: str, policy: PlacementPolicy) -> int:
        """Bytes that may still be copied to a site today: of its own budget, and of that of all."""
        lately = [each for each in self.holdings if each.asked > self.now - DAY_S]
        own = (policy.site_per_day_mb or policy.per_day_mb) * MB
        there = own - sum(each.bytes for each in lately if each.site == site)
        return min(there, policy.per_day_mb * MB - sum(each.bytes for each in lately))


def place(demand: Demand, hot: Sequence[Hot], supply: Supply, policy: PlacementPolicy) -> Replicate | None:
    """The copy that is worth most, if any is."""
    under_way = {each.dataset for each in supply.holdings if each.waiting and not each.leaving}
    if len(under_way) >= policy.most_open:
        return None
    found = [
        (each.jobs * made.gain_s, made)
        for each in hot
        if each.dataset not in under_way and each.read >= policy.least_read * _size(supply, each)
        for made in _copies(demand, each, supply, policy)
    ]
    return min(found, key=lambda pair: (-pair[0], pair[1].dataset, pair[1].se))[1] if found else None


def _size(supply: Supply, hot: Hot) -> float:
    inputs = supply.whole.get(hot.dataset)
    return inputs.size if inputs and inputs.size else math.inf


def _copies(demand: Demand, hot: Hot, supply: Supply, policy: PlacementPolicy) -> Iterator[Replicate]:
    """Every copy of a dataset that has room and gains enough."""
    inputs = supply.whole[hot.dataset]
    for site in demand.brokerage.sites:
        se = supply.elements.get(site.name)
        if se is None or not _takes(site, inputs) or supply.left(site.name, policy) < inputs.size:
            continue
        copy_s = inputs.size / 1e6 / policy.mb_s
        then = max(_with_copy(demand, hot.dataset, site), copy_s)
        gain = hot.wait_s - then
        if gain >= max(policy.least_gain_s, policy.least_gain * hot.wait_s):
            words = _words(hot, inputs, site, (copy_s, then))
            yield Replicate(hot.dataset, se, site.name, inputs.size, gain, words)


def _takes(site: Site, inputs: Inputs) -> bool:
    """Whether a dataset can lie at a site where it does not lie whole already."""
    storage = site.storage
    if not storage.present or storage.tape or inputs.fraction_at(site.name) >= 1:
        return False
    return not storage.space_mb or (storage.free_mb - storage.reserve_mb) * MB >= inputs.size


def _with_copy(demand: Demand, dataset: str, site: Site) -> float:
    """Seconds until the next job would begin to compute at a site that had its input."""
    shape = demand.shape(dataset)
    held = {**dict(shape.inputs.at_sites), site.name: shape.inputs.size}
    there = Inputs(shape.inputs.size, tuple(sorted(held.items())), shape.inputs.jobs)
    changed = replace(shape, inputs=there)
    ruling = demand.brokerage.rule([changed], demand.brokerage.columns([changed]))
    return float(ruling.total[0, demand.brokerage.place[site.name]])


def _words(hot: Hot, inputs: Inputs, site: Site, seconds: tuple[float, float]) -> str:
    where = " and ".join(name for name, size in inputs.at_sites if size >= inputs.size) or "no site as a whole"
    copy_s, then_s = seconds
    return (
        f"{hot.jobs:,} jobs wait for it, which lies at {where}, the next for about {told(hot.wait_s)}; with a copy at "
        f"{site.name}, made in about {told(copy_s)}, for about {told(then_s)}"
    )


def in_use(world: World, holdings: Iterable[Holding]) -> list[Holding]:
    """The copies that jobs have: they run there, or wait with the site in their set."""
    used = set()
    for group in world.jobs:
        if group.state is JobState.IDLE:
            used |= {(group.dataset, site) for site in group.sites or ()}
        elif group.state is JobState.RUNNING:
            used.add((group.dataset, group.site))
    return [each for each in holdings if (each.dataset, each.site) in used]


def expire(holdings: Iterable[Holding], now: float, policy: PlacementPolicy) -> Iterator[Expire]:
    """The copies that nobody has used for long: one of a dataset at a time, and none that is the only one."""
    seen: set[str] = set()
    for each in sorted(holdings, key=lambda each: (each.used, each.dataset, each.se)):
        idle_s = now - each.used
        if each.leaving or each.dataset in seen or idle_s < policy.keep_s or not each.may_go:
            continue
        seen.add(each.dataset)
        yield Expire(each.dataset, each.se, each.site, f"no job has had it for {told(idle_s)}")


def told(seconds: float) -> str:
    """A time in words."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or unit == "min":
            return f"{max(1, round(seconds / length))} {unit}"
    return ""
