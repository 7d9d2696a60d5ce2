"""What keeps a group's jobs from a site for a while: that they left it lately, or that their owner has many there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from router.decide.broker import Brokerage
from router.decide.filters import CLOSED
from router.decide.share_queue import Late, late_shares, share_of
from router.model.action import Choice
from router.model.job import JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.task import Shape
from router.model.world import World

Left = tuple[tuple[str, int], ...]
"""Sites, and when jobs were moved away from each, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What keeps jobs away at one instant."""

    since: float
    """Sites that were left after this keep the jobs away, in seconds since the epoch."""
    full: Mapping[str, tuple[str, ...]]
    """By owner, the loaded sites where the owner has many idle jobs already."""
    over: Mapping[str, tuple[str, ...]]
    """By owner, the sites where the owner has used up the quota for outputs."""
    now: float = 0.0
    """The instant, in seconds since the epoch."""
    late: Mapping[str, Late] = field(default_factory=dict)
    """By share, the sites where its jobs start later than others'."""

    @classmethod
    def of(cls, world: World, brokerage: Brokerage | None = None) -> "Bars":
        """The bars in a world; without a brokerage only those that are no opinion of it."""
        over: dict[str, tuple[str, ...]] = {}
        for site in sorted(world.sites, key=lambda each: each.name):
            for owner in site.storage.over:
                over[owner] = (*over.get(owner, ()), site.name)
        if brokerage is None:
            return cls(world.now, {}, over, world.now)
        policy = brokerage.policy
        late = late_shares(world, policy)
        return cls(world.now - policy.left_limit_s, full_for(world.jobs, brokerage), over, world.now, late)

    def left(self, group: JobGroup) -> tuple[str, ...]:
        """The sites that a group's jobs were moved away from lately, sorted."""
        last = group.decision
        return tuple(sorted(site for site, at in last.left if at > self.since)) if last and last.left else ()

    def on(self, shape: Shape, owner: str) -> Shape:
        """A shape with what keeps its owner's jobs away."""
        over = self.over.get(owner, ()) if shape.writes else ()
        late = self.late.get(share_of(shape.group, owner), ())
        return replace(shape, full=self.full.get(owner, ()), over=over, late=late)


NO_BARS = Bars(0.0, {}, {})


def left_after(group: JobGroup, sites: tuple[str, ...], choice: Choice, now: int, policy: BrokerPolicy) -> Left:
    """What is to be remembered when a group's jobs get `sites`: what they left lately, and what they leave now.

    A site that an operator closed is not: it is good again when the operator says so.
    """
    lately = dict(group.decision.left) if group.decision else {}
    gone = [site for site in group.sites or () if site not in sites]
    lately |= {site: now for site in gone if not choice.refusal_tag(site).startswith(CLOSED)}
    kept = {site: at for site, at in lately.items() if site not in sites and at > now - policy.left_limit_s}
    return tuple(sorted(kept.items()))


def full_for(jobs: Iterable[JobGroup], brokerage: Brokerage) -> Mapping[str, tuple[str, ...]]:
    """By owner, the loaded sites where the owner has many idle jobs already; a job with k sites counts 1/k at each.

    PanDA's rule (AtlasAnalJobBroker, "Analysis Stabilizer") with one limit for all users.
    """
    policy = brokerage.policy
    seconds = dict(zip(brokerage.place, (brokerage.queued[0] / brokerage.rate).tolist(), strict=True))
    loaded = {site for site, wait in seconds.items() if wait > policy.user_wait_s}
    idle: dict[tuple[str, str], float] = {}
    for group in jobs:
        if group.state is JobState.IDLE and group.sites:
            for site in loaded.intersection(group.sites):
                idle[group.owner, site] = idle.get((group.owner, site), 0.0) + group.count / len(group.sites)
    found: dict[str, list[str]] = {}
    for (owner, site), count in sorted(idle.items()):
        if count > policy.user_queue:
            found.setdefault(owner, []).append(site)
    return {owner: tuple(sites) for owner, sites in found.items()}
