"""One daemon of a kind acts at a time: it holds a lease in the store, and others stand by.

No two clocks are compared. Whoever stands by watches the lease's beat by its own clock, and takes a lease that has not
beaten for half its length; its holder trusts it for as long after its own last beat, and so stops first.
"""

import fcntl
import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from router.errors import LeaseLost, TemporaryError
from router.model.record import Lease
from router.ports import Clock, Leases

log = logging.getLogger(__name__)


class Leader(Protocol):
    """Says whether this daemon is the one that acts."""

    @property
    def term(self) -> int:
        """Grows with every change of the holder; 0 where nobody counts."""
        ...

    @property
    def leads(self) -> bool:
        """Whether the lease was ours when last asked."""
        ...

    def lead(self) -> bool:
        """Renew the lease, or take it where it is free. Returns whether it is ours."""
        ...

    def until(self) -> float:
        """The monotonic time until which changes may be made. Raises LeaseLost past it."""
        ...

    def saw(self, term: int) -> None:
        """Compare with the highest term that jobs carry. Raises LeaseLost where another router made it."""
        ...

    def resign(self) -> None:
        """Leave the lease to whoever stands by."""
        ...


class Alone:
    """For a loop that has no rival."""

    term = 0
    leads = True

    def lead(self) -> bool:
        """Always."""
        return True

    def until(self) -> float:
        """For ever."""
        return float("inf")

    def saw(self, term: int) -> None:
        """Of no interest."""

    def resign(self) -> None:
        """Nobody waits."""


@dataclass
class Leadership:
    """One candidate for the lease `name`."""

    leases: Leases
    name: str
    holder: str
    """Who we are, in words: they are told to whoever is refused."""
    lease_s: float
    """Within this time after the holder's last sign of life another one takes over, in seconds."""
    clock: Clock
    monotonic: Callable[[], float]
    gone: Callable[[str], bool] = lambda _: False
    """Whether a holder is known to have ended."""
    fenced: bool = False
    """Another router, with a store of its own, routes the same schedd; only a restart ends this."""
    _held: Lease | None = None
    _until: float = float("-inf")
    _watched: tuple[Lease | None, float] = (None, 0.0)
    _proved: bool = False
    """Whether the jobs' terms were compared with ours since we hold the lease."""

    @property
    def term(self) -> int:
        """The term of the lease we hold, or held last."""
        return self._held.term if self._held else 0

    @property
    def leads(self) -> bool:
        """Whether the lease was ours when last asked."""
        return self._held is not None

    def lead(self) -> bool:
        """Renew the lease, or take it where it is free. Returns whether it is ours."""
        asked = self.monotonic()
        found = self.leases.lease(self.name)
        ours = found is not None and found.holder == self.holder
        if self._held and not ours:
            rival = found.holder if found else "nobody"
            log.warning("the lease of the %s is lost to %s: standing by", self.name, rival)
            self._held = None
        if self.fenced or not (ours or self._free(found, asked)):
            return False
        last = found or Lease("", 0, 0)
        wanted = Lease(self.holder, last.term, last.beat + 1) if ours else self._next(last)
        if not self.leases.swap_lease(self.name, found, wanted):
            return False
        if not ours:
            log.info("holding the lease of the %s, term %d", self.name, wanted.term)
            self._proved = False
        self._held, self._until = wanted, asked + self.lease_s / 2
        return True

    def until(self) -> float:
        """The monotonic time until which changes may be made. Raises LeaseLost past it."""
        if self._held is None or self.monotonic() >= self._until:
            raise LeaseLost(
                f"The lease of the {self.name} has run out: this pass took longer than {self.lease_s / 2:g} s, or "
                "another one took over. Nothing more is changed in this pass."
            )
        return self._until

    def saw(self, term: int) -> None:
        """Compare with the highest term that jobs carry. Raises LeaseLost where another router made it.

        Routers with one store never meet: the term of the later one is higher from the start. A term that was there
        when we began is of a store that is lost, and is passed; one that comes later is of a rival.
        """
        if self._held and term > self._held.term:
            if self._proved:
                self.fenced, self._held = True, None
                raise LeaseLost(
                    f"Jobs carry decisions of term {term}, which is not ours: another router, with another database, "
                    "routes this schedd. This one makes no more changes. End one of the two, and restart the other."
                )
            wanted = Lease(self.holder, term + 1, self._held.beat + 1)
            if not self.leases.swap_lease(self.name, self._held, wanted):
                raise LeaseLost(f"The lease of the {self.name} was taken by another one.")
            self._held = wanted
        self._proved = True

    def resign(self) -> None:
        """Leave the lease to whoever stands by."""
        held, self._held = self._held, None
        if held:
            with suppress(TemporaryError):  # it then runs out
                self.leases.swap_lease(self.name, held, Lease("", held.term, held.beat))

    def _free(self, found: Lease | None, now: float) -> bool:
        """Whether nobody holds the lease, or its holder has been silent for too long."""
        if found != self._watched[0]:
            self._watched = (found, now)
        if found is None or not found.holder or self.gone(found.holder):
            return True
        return now - self._watched[1] >= self.lease_s / 2

    def _next(self, last: Lease) -> Lease:
        # The time as a term tells two stores apart that both begin to count.
        return Lease(self.holder, max(last.term + 1, int(self.clock.now())), 0)


@dataclass
class Station:
    """One process's place on this machine: a file that it has locked for as long as it lives."""

    name: str
    home: Path
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    """Process ids are used again, and in containers they are all alike."""
    _lock: int | None = field(default=None, repr=False)

    @property
    def holder(self) -> str:
        """This process in words; the first call takes its place."""
        if self._lock is None:
            path = self._path(self.token)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path, os.O_CREAT)
            for other in path.parent.glob(f"{self.name}-*.lock"):
                _remove_if_free(other)
        return f"{self._prefix}process {os.getpid()} ({self.token})"

    def gone(self, holder: str) -> bool:
        """Whether `holder` was a process here and has ended: the kernel has freed its lock."""
        token = holder.removesuffix(")").rpartition("(")[2]
        if not holder.startswith(self._prefix) or token == self.token:
            return False
        return _remove_if_free(self._path(token))

    def _path(self, token: str) -> Path:
        return self.home / "run" / f"{self.name}-{token}.lock"

    @property
    def _prefix(self) -> str:
        return f"{socket.gethostname()}:{self.home}, "


def _remove_if_free(path: Path) -> bool:
    """Remove a lock file whose process has ended; returns whether it has."""
    try:
        os.close(_locked(path))
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    path.unlink(missing_ok=True)
    return True


def _locked(path: Path, flags: int = 0) -> int:
    """An open descriptor that has the lock of a file. Raises BlockingIOError where another process has it."""
    found = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(found)
        raise
    return found
