"""What operators say of sites: closed, open, or in downtime for a time."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from router.errors import NotFound, UserError
from router.model import names
from router.model.downtime import Downtime
from router.model.record import SiteState
from router.model.site import SiteStatus
from router.model.world import World
from router.ports import Clock, UserMemory


@dataclass(frozen=True)
class Closures:
    """Closes and opens sites for one operator."""

    memory: UserMemory
    user: str
    clock: Clock
    declared: Collection[str]
    world: Callable[[], World]
    """Tells of sites that are only seen."""

    def announce(self, site: str, begins: float, ends: float, status: SiteStatus, reason: str) -> Downtime:
        """Announce a downtime between two times, in seconds since the epoch.

        Raises UserError for times that are over or not in their order, NotFound for a site that nobody knows.
        """
        now = self.clock.now()
        if ends <= max(begins, now):
            raise UserError("A downtime ends after it begins, and not in the past; times are UTC.")
        announced = Downtime(self._known(site), begins, ends, status, _plain(reason), self.user, now)
        self.memory.add_downtime(announced)
        return announced

    def set(self, site: str, status: SiteStatus, reason: str) -> SiteState:
        """Drain, close or open a site; opening it cancels its downtimes. Raises NotFound for one that nobody knows."""
        state = SiteState(self._known(site), status, _plain(reason), self.user, self.clock.now())
        if status is SiteStatus.ONLINE:
            self.memory.forget_downtimes(site, state.at)
        self.memory.set_site_state(state)
        return state

    def _known(self, site: str) -> str:
        known = set(self.declared) | set(self.memory.site_states())
        if site not in known:
            known |= {each.name for each in self.world().sites}
        if site not in known:
            raise NotFound(f"There is no site {site}. There are: {', '.join(sorted(known)) or 'none'}.")
        return site


def _plain(reason: str) -> str:
    try:
        return names.plain(reason)
    except ValueError as error:
        raise UserError(f"The reason {error}.") from None
