"""What the router itself holds against sites: it sees jobs fail in a row, be thrown out, or never start there.

These are opinions: they may be wrong, and all sites may look ill at once for a reason that lies elsewhere. So they
never close more than a share of the sites, and a few jobs are sent to find out when a site is well again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.model.job import JobGroup, JobState
from router.model.policy import BrokerPolicy
from router.model.site import Outcomes, Site, SiteStatus

HOLE, PROBED, EVICTING, NO_STARTS, FAILING = "black-hole", "on-probation", "evicting", "no-starts", "failing"
"""Tags."""

OPINIONS = frozenset({HOLE, PROBED, EVICTING, NO_STARTS, FAILING})

FEW_TASKS = 2
"""Failures of fewer tasks than this may be the task's fault."""
MOST_DOUBLINGS = 4


@dataclass(frozen=True, slots=True)
class Ailment:
    """What is held against a site."""

    tag: str
    words: str


@dataclass(frozen=True, slots=True)
class Health:
    """What is held against the sites of one instant."""

    ailing: Mapping[str, Ailment] = field(default_factory=dict)
    """By site."""
    spared: frozenset[str] = frozenset()
    """Sites that stay open all the same, since too many others are closed: the circuit breaker."""

    @property
    def closed(self) -> Mapping[str, Ailment]:
        """What keeps jobs from sites, by site."""
        return {name: each for name, each in self.ailing.items() if name not in self.spared}

    def of(self, tag: str) -> dict[str, str]:
        """The words of the sites that a tag closes."""
        return {name: each.words for name, each in self.closed.items() if each.tag == tag}

    @property
    def warning(self) -> str:
        """What operators should know of the breaker; empty while it need not act."""
        if not self.spared:
            return ""
        return (
            "So many sites look ill at once that the reason may lie elsewhere (a broken release or check, a "
            f"service that all use). They stay open all the same: {', '.join(sorted(self.spared))}. "
            "Look at `glideroute sites`."
        )


HEALTHY = Health()


def health(sites: Iterable[Site], jobs: Iterable[JobGroup], policy: BrokerPolicy, now: float) -> Health:
    """What is held against `sites`; `now` is in seconds since the epoch."""
    online = [site for site in sites if site.status is SiteStatus.ONLINE]
    asked = _asked_since(jobs)
    active = any(site.outcomes.starts for site in online)
    ailing = {
        site.name: found
        for site in online
        if (found := _ailment(site, asked.get(site.name, now) if active else now, policy, now))
    }
    return Health(ailing, _spared(online, ailing, policy))


def _spared(online: Sequence[Site], ailing: Mapping[str, Ailment], policy: BrokerPolicy) -> frozenset[str]:
    """Where more are ill than may be closed: all whose nodes are refused, then the least ill of the others.

    Where nodes are refused no job is lost, and jobs that wait there keep their place. A site that is the only one is
    not spared for that: who waits there should read why.
    """
    ill = [site for site in online if site.name in ailing and ailing[site.name].tag != PROBED]
    refusing = [site for site in online if site.failure and site not in ill and len(online) > 1]
    over = len(ill) + len(refusing) - int(policy.most_closed * len(online))
    if over <= 0:
        return frozenset()
    ill.sort(key=lambda site: (site.outcomes.failure_rate, -site.outcomes.succeeded, site.name))
    return frozenset(site.name for site in (*refusing, *ill[: max(0, over - len(refusing))]))


def _asked_since(jobs: Iterable[JobGroup]) -> dict[str, float]:
    """Since when jobs wait at each site, by the decisions that sent them there."""
    found: dict[str, float] = {}
    for group in jobs:
        if group.state is JobState.IDLE and group.decision:
            for site in group.sites or ():
                found[site] = min(found.get(site, group.decision.at), group.decision.at)
    return found


def _ailment(site: Site, asked: float, policy: BrokerPolicy, now: float) -> Ailment | None:
    """What is held against one site, at which jobs wait since `asked`."""
    seen = site.outcomes
    if seen.streak >= policy.hole_failures and seen.streak_tasks >= FEW_TASKS:
        return _hole(seen, policy, now)
    ended = seen.succeeded + seen.failed
    if ended >= policy.failure_sample and seen.failure_rate > policy.failure_rate:
        most = f", most often {seen.causes[0][0]}" if seen.causes else ""
        share = f"failed {seen.failure_rate:.0%} of its last {ended} jobs"
        return Ailment(FAILING, f"{share}, over the limit of {policy.failure_rate:.0%}{most}")
    if seen.starts >= policy.failure_sample and seen.evictions > policy.evicted_rate * seen.starts:
        return Ailment(EVICTING, f"threw out {seen.evictions} jobs of the last {seen.starts} that it started")
    idle = site.idle_cores and not site.running_jobs and not seen.starts
    if idle and now - asked > policy.start_limit_s:
        hours = (now - asked) / 3600
        return Ailment(NO_STARTS, f"has started none of the jobs that wait for {hours:.1f} h, with idle cores")
    return None


def _hole(seen: Outcomes, policy: BrokerPolicy, now: float) -> Ailment:
    """A site where nothing ends well; after a while, longer with each job that is lost for it, it is tried again."""
    words = f"failed {seen.streak} jobs in a row, of several tasks"
    lost = (seen.streak - policy.hole_failures) // max(1, policy.probe_jobs)
    if now - seen.streak_at < policy.probe_after_s * 2 ** min(lost, MOST_DOUBLINGS):
        return Ailment(HOLE, words)
    return Ailment(PROBED, f"{words}; it is tried with a job or two before others follow")
