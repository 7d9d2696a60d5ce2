"""Downtimes: times that a site announced to be closed for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from router.model.record import SiteState
from router.model.site import SiteStatus


@dataclass(frozen=True, slots=True)
class Downtime:
    """One announcement."""

    site: str
    begins: float
    """Seconds since the epoch, as is `ends`."""
    ends: float
    status: SiteStatus
    """What the site is meanwhile."""
    reason: str
    by: str
    at: float
    """When it was announced, seconds since the epoch."""

    def state(self) -> SiteState:
        """What it makes of the site while it lasts."""
        until = datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return SiteState(self.site, self.status, f"in downtime until {until}: {self.reason}", self.by, self.at)


def in_force(states: Mapping[str, SiteState], downtimes: Iterable[Downtime], now: float) -> dict[str, SiteState]:
    """What is true of sites at `now`, in seconds since the epoch: what operators said, else a downtime that lasts."""
    found = {
        each.site: each.state()
        for each in sorted(downtimes, key=lambda one: (one.ends, one.begins))
        if each.begins <= now < each.ends
    }
    return found | {site: each for site, each in states.items() if each.status is not SiteStatus.ONLINE}


def closes_in_s(downtimes: Iterable[Downtime], now: float) -> dict[str, float]:
    """Seconds until the next downtime of each site that has one before it."""
    found: dict[str, float] = {}
    for each in downtimes:
        if each.begins > now:
            found[each.site] = min(found.get(each.site, each.begins - now), each.begins - now)
    return found
