"""The policies that are compared: each is a function from a World to placements; the simulator knows no more of them.

All are the product's own, as `broker.policy` names them; what a grid adds is which sites are near each other.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from benchmarks.quality.grid import Grid
from router.decide.policies import check, decide
from router.errors import UserError
from router.model.action import Action
from router.model.policy import POLICIES, BrokerPolicy
from router.model.world import World

ALIASES = {"ours": POLICIES[0]}


class Policy:
    """One policy with its thresholds."""

    def __init__(self, policy: BrokerPolicy, copies: bool) -> None:
        check(policy)
        self._policy = policy
        self.places = policy if copies else None
        """Datasets that many wait for get further copies."""
        self.prestages = policy.name == "panda"
        """PanDA copies input to a site before the job is released to it, and no slot waits for that."""

    def __call__(self, world: World) -> Iterable[Action]:
        """The policy's decision."""
        return decide(world, self._policy)


def decider(name: str, grid: Grid) -> Policy:
    """A policy by its name; `panda[panda_rebroker_s=43200]` is PanDA's with another threshold. Raises UserError.

    With `+copies`, as in `ours+copies[max_sites=4]`, datasets that many wait for get further copies.
    """
    base, _, changes = name.partition("[")
    base, plus, extra = base.partition("+")
    base = ALIASES.get(base, base)
    if base not in POLICIES or extra not in ("", "copies"):
        raise UserError(f"no policy {name!r}; there are {', '.join(POLICIES)}, each also as NAME[threshold=value;…]")
    policy = replace(BrokerPolicy(), name=base, overflow=neighbours(grid))
    return Policy(_changed(policy, changes.rstrip("]")), bool(plus))


def neighbours(grid: Grid) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """CRAB's lists for a grid: its five largest Tier-1 sites, and the four largest Tier-2 sites of their regions."""
    by_size = sorted(grid.sites, key=lambda site: -site.slots)
    tier1 = [site for site in by_size if site.tier == 1][:5]
    return tuple(
        sorted(
            (each.name, tuple(site.name for site in by_size if site.tier == 2 and site.region == each.region)[:4])
            for each in tier1
        )
    )


def _changed(policy: BrokerPolicy, changes: str) -> BrokerPolicy:
    known = {each.name: each.type for each in fields(BrokerPolicy) if each.type in (int, float, bool)}
    given: dict[str, Any] = {}
    for change in filter(None, changes.split(";")):
        key, _, value = change.partition("=")
        if key not in known:
            raise UserError(f"BrokerPolicy has no threshold {key!r}; it has {', '.join(known)}")
        given[key] = int(value) if known[key] is int else value == "True" if known[key] is bool else float(value)
    return replace(policy, **given)
