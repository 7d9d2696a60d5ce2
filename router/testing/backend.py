"""A factory in memory, whose glideins join when the test says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from router.errors import RouterError
from router.model.pilot import Entry, EntryState, GlideinState


@dataclass
class FakeBackend:
    """Starts and stops glideins that exist only here."""

    glideins: dict[str, tuple[str, GlideinState]] = field(default_factory=dict)
    """Entry and state, by id."""
    faults: dict[str, RouterError] = field(default_factory=dict)
    """What `start` raises, by entry."""
    submitted: int = 0

    def states(self, entries: Iterable[Entry]) -> tuple[EntryState, ...]:
        """Glideins of each entry."""
        return tuple(self._state(entry) for entry in entries)

    def start(self, entry: Entry, count: int) -> tuple[str, ...]:
        """Submit glideins; they wait. Returns their ids."""
        if fault := self.faults.get(entry.name):
            raise fault
        self.submitted += 1
        made = tuple(f"{self.submitted}.{proc}" for proc in range(count))
        self.glideins |= dict.fromkeys(made, (entry.name, GlideinState.WAITING))
        return made

    def stop(self, ids: Iterable[str], reason: str) -> int:
        """Remove glideins. Returns how many."""
        return sum(self.glideins.pop(each, None) is not None for each in ids)

    def become(self, entry: str, state: GlideinState) -> None:
        """Let all glideins of an entry reach a state."""
        self.glideins |= {each: (name, state) for each, (name, _) in self.glideins.items() if name == entry}

    def _state(self, entry: Entry) -> EntryState:
        own = [state for name, state in self.glideins.values() if name == entry.name]
        return EntryState(entry, tuple((state, own.count(state)) for state in GlideinState))
