"""Reading from other sites: each storage's outgoing bandwidth is shared by the transfers it serves.

A transfer ends when its storage has served its bytes (equal shares of the egress, none faster than the network's
limit for one job) and not before its link could have carried them. The equal shares are exact: a storage keeps the
bytes that a transfer present since the beginning would have got, so that a change touches one number only.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.quality.agenda import Agenda
from benchmarks.quality.grid import Grid


@dataclass(slots=True)
class Transfer:
    """One job's input on its way."""

    source: int
    due: float
    """What its storage will have served to each by its end, in bytes."""
    earliest: float
    """Its link cannot carry it sooner, in seconds."""
    then: Callable[[], None]
    alive: bool = True


@dataclass(slots=True)
class _Storage:
    capacity: float
    limit: float
    up: bool = True
    served: float = 0.0
    """Bytes that a transfer present since the beginning would have got."""
    seen: float = 0.0
    active: int = 0
    version: int = 0
    queue: list[tuple[float, int, Transfer]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Bytes a second of each transfer."""
        if not self.up or not self.active:
            return 0.0
        return min(self.limit, self.capacity / self.active)

    def advance(self, now: float) -> None:
        self.served += self.rate * (now - self.seen)
        self.seen = now


class Transfers:
    """All transfers between sites."""

    def __init__(self, agenda: Agenda, grid: Grid) -> None:
        self.moved = 0.0
        """Bytes, in all; of transfers on their way too."""
        self._agenda = agenda
        self._wan = grid.network.wan
        self._links = {(source, target): rate for source, target, rate in grid.network.links}
        self._storages = [_Storage(site.egress, grid.network.wan) for site in grid.sites]
        self._serial = 0

    def start(self, size: float, sources: Sequence[int], target: int, then: Callable[[], None]) -> Transfer:
        """Read `size` bytes at `target` from the source that promises most; call `then` when they are there."""
        source = max(sources, key=lambda each: (self._promise(each, target), -each))
        link = min(self._links.get((source, target), self._wan), self._wan)
        storage = self._storages[source]
        storage.advance(self._agenda.now)
        transfer = Transfer(source, storage.served + size, self._agenda.now + size / link, then)
        storage.active += 1
        self._serial += 1
        heapq.heappush(storage.queue, (transfer.due, self._serial, transfer))
        self.moved += size
        self._plan(source)
        return transfer

    def cancel(self, transfer: Transfer) -> None:
        """Stop a transfer whose job was lost."""
        if transfer.alive:
            storage = self._storages[transfer.source]
            storage.advance(self._agenda.now)
            transfer.alive = False
            storage.active -= 1
            self.moved -= max(transfer.due - storage.served, 0.0)
            self._plan(transfer.source)

    def switch(self, site: int, *, up: bool) -> None:
        """A site's storage stops or starts serving; its transfers wait meanwhile."""
        storage = self._storages[site]
        storage.advance(self._agenda.now)
        storage.up = up
        self._plan(site)

    def _promise(self, source: int, target: int) -> float:
        storage = self._storages[source]
        if not storage.up:
            return 0.0
        return min(self._links.get((source, target), self._wan), storage.capacity / (storage.active + 1))

    def _plan(self, source: int) -> None:
        """Set the storage's next event: the end of its next transfer at today's rate."""
        storage = self._storages[source]
        storage.version += 1
        while storage.queue and not storage.queue[0][2].alive:
            heapq.heappop(storage.queue)
        if storage.queue and (rate := storage.rate):
            left = max(storage.queue[0][0] - storage.served, 0.0)
            self._agenda.at(self._agenda.now + left / rate, self._ended, source, storage.version)

    def _ended(self, source: int, version: int) -> None:
        storage = self._storages[source]
        if version != storage.version:
            return
        storage.advance(self._agenda.now)
        _, _, transfer = heapq.heappop(storage.queue)
        transfer.alive = False
        storage.active -= 1
        self._plan(source)
        if transfer.earliest <= self._agenda.now:
            transfer.then()
        else:
            self._agenda.at(transfer.earliest, transfer.then)
