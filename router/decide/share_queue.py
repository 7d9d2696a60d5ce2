"""Shares whose queue is too long at one site: their jobs start there far later than others' do.

Brokerage expects that who waits longest starts first. The negotiator gives cores by shares; where it gives one of them
few, that share's jobs wait much longer than the queue of the site tells.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from router.model.job import JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.world import World

Late = tuple[tuple[str, int], ...]
"""Sites where a share's jobs start later than others', and by how many seconds; sorted."""


@dataclass(slots=True)
class _Queue:
    """Cores of jobs at one site, or of a share's at one site."""

    idle: float = 0.0
    running: float = 0.0
    since: float = field(default=float("inf"))
    """When the first of those that wait was sent there, seconds since the epoch."""

    @property
    def ratio(self) -> float:
        """Cores waited for, for each that they have."""
        return self.idle / max(1.0, self.running)

    def without(self, other: "_Queue") -> "_Queue":
        """What is left without others."""
        return _Queue(self.idle - other.idle, self.running - other.running)


def share_of(group: str, owner: str) -> str:
    """The share that jobs belong to: their accounting group, or where they have none their owner."""
    return group or owner


def late_shares(world: World, policy: BrokerPolicy) -> Mapping[str, Late]:
    """By share, the sites where its queue is too long.

    It is where it has many times more jobs waiting for one that runs than all jobs have there, and than it has itself
    elsewhere: a share that is at its quota waits as long everywhere, and gains nothing by other sites.
    """
    shares, sites, totals = _queues(world.jobs)
    run_s = {site.name: site.mean_run_s or policy.typical_run_s for site in world.sites}
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for (share, site), own in sorted(shares.items()):
        if own.idle <= policy.share_queue or world.now - own.since < policy.share_wait_s or site not in run_s:
            continue
        here, elsewhere = sites[site], totals[share].without(own)
        nowhere_else = elsewhere.idle >= 1.0 > elsewhere.running
        if not nowhere_else and own.ratio > policy.share_ratio * max(1.0, here.ratio, elsewhere.ratio):
            found[share].append((site, int((own.ratio - here.ratio) * run_s[site])))
    return {share: tuple(late) for share, late in found.items()}


def _queues(
    jobs: Iterable[JobGroup],
) -> tuple[Mapping[tuple[str, str], _Queue], Mapping[str, _Queue], Mapping[str, _Queue]]:
    """The queues of each share at each site, of each site, and of each share; a job with k sites counts 1/k at each."""
    shares: dict[tuple[str, str], _Queue] = defaultdict(_Queue)
    sites: dict[str, _Queue] = defaultdict(_Queue)
    totals: dict[str, _Queue] = defaultdict(_Queue)
    for group in jobs:
        share, cores = share_of(group.group, group.owner), group.count * group.requests.cpus
        if group.state is JobState.RUNNING and group.site:
            for queue in (shares[share, group.site], sites[group.site], totals[share]):
                queue.running += cores
        elif group.is_idle and group.sites:
            for site in group.sites:
                since = group.decision.at if group.decision else group.oldest
                for queue in (shares[share, site], sites[site], totals[share]):
                    queue.idle += cores / len(group.sites)
                    queue.since = min(queue.since, since)
    return shares, sites, totals
