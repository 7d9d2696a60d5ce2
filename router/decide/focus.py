"""What a pass looks at: groups that nobody has decided yet, unless something has changed for all of them.

Jobs that are placed keep their sites unless a site falls away or they wait long; both are seen when all groups are
decided again, at once when a site's condition changes, and otherwise every few minutes.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from router.decide.health import health
from router.model.job import JobGroup, JobState, kind_of
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.world import World

EVERY_S = 300.0
"""All groups are decided again after so many seconds; patience is a matter of 20 minutes."""


@dataclass
class Focus:
    """What was decided when all groups were looked at last."""

    at: float = 0.0
    """When that was, seconds since the epoch."""
    _conditions: tuple[Hashable, ...] = ()
    _decided: set[Hashable] = field(default_factory=set)
    _fixed: dict[int, tuple[JobGroup, JobGroup]] = field(default_factory=dict)
    """By identity: a group that did not change is the same object from pass to pass, and its fixed likeness too."""

    def on(self, world: World, policy: BrokerPolicy) -> World:
        """The world with the groups fixed that need no look in this pass."""
        held = health(world.sites, world.jobs, policy, world.now)
        tags = {name: (each.tag, name in held.spared) for name, each in held.ailing.items()}
        conditions = tuple((_condition(site, policy), tags.get(site.name)) for site in world.sites)
        if not self.at <= world.now < self.at + EVERY_S or conditions != self._conditions:
            self.at, self._conditions = world.now, conditions
            self._decided = {kind_of(group) for group in world.jobs if _is_placed(group)}
            self._fixed = {}
            return world
        seen = {id(group): (group, self._seen(group)) for group in world.jobs}
        self._fixed = seen
        return replace(world, jobs=tuple(fixed for _, fixed in seen.values()))

    def _seen(self, group: JobGroup) -> JobGroup:
        """A group as this pass sees it: fixed where it was decided before."""
        if (kept := self._fixed.get(id(group))) and kept[0] is group:
            return kept[1]
        settled = _is_placed(group) and not group.fixed and kind_of(group) in self._decided
        return replace(group, fixed=True) if settled else group


def is_open(world: World) -> bool:
    """Whether there is anything to decide: jobs to place or look at, or merge jobs that wait."""
    if world.progress:
        return True
    return any(group.state is JobState.IDLE and not (group.fixed and group.sites) for group in world.jobs)


def _is_placed(group: JobGroup) -> bool:
    return group.state is JobState.IDLE and bool(group.sites)


def _condition(site: Site, policy: BrokerPolicy) -> Hashable:
    """What of a site may make placed jobs leave it, or come to it in numbers."""
    silent = site.silent_s > policy.silent_limit_s
    known = (site.name, site.status, site.limits, site.offers, site.access)
    return *known, site.failure is None, silent, site.vanished, site.cores > 0
