"""The policies that are compared: each is a function from a World to placements; the simulator knows no more of them.

`ours` is the product's own code. The others are what is in use elsewhere, or what is simplest.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from benchmarks.quality.engine import Decider
from benchmarks.quality.grid import Grid
from benchmarks.quality.panda import Panda
from router.decide.reconcile import decide
from router.errors import UserError
from router.model.action import Action, Place
from router.model.job import Decision, JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Inputs
from router.model.world import World

Choose = Callable[[JobGroup, Inputs, World], tuple[str, ...]]


def place(group: JobGroup, sites: Iterable[str], tag: str, now: float, count: int | None = None) -> Place:
    """The action that gives a group (or `count` of its jobs) these sites."""
    last = group.decision
    came_from = group.sites or ()
    epoch, moves = (last.epoch + 1, last.moves + 1) if last else (1, 0)
    decision = Decision(epoch, moves, tuple(sorted(sites)), came_from, tag, tag, int(now))
    return Place(group.cluster, group.task, group.batch, group.count if count is None else count, group.sites, decision)


def unplaced(world: World) -> Iterator[JobGroup]:
    """Idle groups that have no sites."""
    return (group for group in world.jobs if group.state is JobState.IDLE and not group.sites)


def once(choose: Choose) -> Decider:
    """A decider that places each group as `choose` says and never touches it again."""

    def decider(world: World) -> Iterator[Action]:
        inputs = dict(world.inputs)
        for group in unplaced(world):
            sites = choose(group, inputs.get(group.cluster, Inputs()), world)
            if sites:
                yield place(group, sites, "placed", world.now)

    return decider


def fits(group: JobGroup, site: Site) -> bool:
    """Whether a slot there is large enough; everything that HTCondor's own matchmaking would ask."""
    wants, has = group.requests, site.limits
    return wants.cpus <= has.cpus and wants.memory_mb <= has.memory_mb


def any_site(group: JobGroup, _: Inputs, world: World) -> tuple[str, ...]:
    """All sites: plain HTCondor."""
    return tuple(site.name for site in world.sites if fits(group, site))


def replica_sites(group: JobGroup, inputs: Inputs, world: World) -> tuple[str, ...]:
    """All sites that hold the whole input; else those that hold most of it."""
    if not inputs.size:
        return any_site(group, inputs, world)
    held = {site: size for site, size in inputs.at_sites if size}
    most = max(held.values(), default=0)
    found = tuple(s.name for s in world.sites if held.get(s.name) == most and most and fits(group, s))
    return found or any_site(group, inputs, world)


def random_site(seed: int) -> Choose:
    """One site, drawn by its size."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret

    def choose(group: JobGroup, _: Inputs, world: World) -> tuple[str, ...]:
        names = [site.name for site in world.sites if fits(group, site)]
        return (chance.choice(names),) if names else ()

    return choose


def least_loaded(group: JobGroup, _: Inputs, world: World) -> tuple[str, ...]:
    """The site with the fewest jobs waiting for each one running."""
    fit = [site for site in world.sites if fits(group, site)]
    best = min(fit, key=lambda s: ((s.waiting_jobs + 1) / (s.running_jobs + s.idle_cores + 1), s.name), default=None)
    return (best.name,) if best else ()


@dataclass
class Overflow:
    """CRAB: all replica sites at submission, and its Overflow rule.

    JobAutoTuner.py: after 20 minutes idle, a job with exactly one desired site, that being one of five Tier-1 sites,
    gets two to four Tier-2 sites of the same country, once.
    """

    tier1: frozenset[str]
    neighbours: dict[str, tuple[str, ...]]
    """Tier-2 sites in a Tier-1's country, at most four."""
    idle_s: float = 1200.0
    _done: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, grid: Grid) -> "Overflow":
        """The rule's lists for a grid: its largest Tier-1 sites and the largest Tier-2 sites of their regions."""
        tier1 = sorted((s for s in grid.sites if s.tier == 1), key=lambda s: -s.slots)[:5]
        near = {
            t1.name: tuple(
                s.name for s in sorted(grid.sites, key=lambda s: -s.slots) if s.tier == 2 and s.region == t1.region
            )[:4]
            for t1 in tier1
        }
        return cls(frozenset(site.name for site in tier1), near)

    def __call__(self, world: World) -> Iterator[Action]:
        """Place what is new, overflow what is stuck."""
        inputs = dict(world.inputs)
        for group in world.jobs:
            if group.state is not JobState.IDLE:
                continue
            if not group.sites:
                sites = replica_sites(group, inputs.get(group.cluster, Inputs()), world)
                if sites:
                    yield place(group, sites, "placed", world.now)
            elif self._stuck(group, world.now):
                self._done.add(group.cluster)
                yield place(group, {*group.sites, *self.neighbours[group.sites[0]]}, "overflow", world.now)

    def _stuck(self, group: JobGroup, now: float) -> bool:
        sites = group.sites or ()
        return (
            len(sites) == 1
            and sites[0] in self.tier1
            and group.cluster not in self._done
            and now - group.oldest > self.idle_s
            and bool(self.neighbours[sites[0]])
        )


def ours(policy: BrokerPolicy) -> Decider:
    """The product's decision."""
    return lambda world: decide(world, policy)


POLICIES: dict[str, Callable[[Grid, int], Decider]] = {
    "ours": lambda grid, seed: ours(BrokerPolicy()),
    "panda": lambda grid, seed: Panda(seed),
    "overflow": lambda grid, seed: Overflow.of(grid),
    "any": lambda grid, seed: once(any_site),
    "replicas": lambda grid, seed: once(replica_sites),
    "random": lambda grid, seed: once(random_site(seed)),
    "least-loaded": lambda grid, seed: once(least_loaded),
}
"""By name: what makes a fresh decider for a grid and a seed."""


def decider(name: str, grid: Grid, seed: int) -> Decider:
    """A fresh decider; `ours[remote_s=60;max_sites=4]` is ours with other thresholds. Raises UserError."""
    base, _, changes = name.partition("[")
    if base == "ours" and changes:
        return ours(_changed(changes.rstrip("]")))
    if base not in POLICIES or changes:
        raise UserError(f"no policy {name!r}; there are {', '.join(POLICIES)} and ours[threshold=value;…]")
    return POLICIES[base](grid, seed)


def _changed(changes: str) -> BrokerPolicy:
    known = {each.name: each.type for each in fields(BrokerPolicy)}
    given: dict[str, Any] = {}
    for change in changes.split(";"):
        key, _, value = change.partition("=")
        if key not in known:
            raise UserError(f"BrokerPolicy has no threshold {key!r}; it has {', '.join(known)}")
        given[key] = int(value) if known[key] is int else value == "True" if known[key] is bool else float(value)
    return replace(BrokerPolicy(), **given)
