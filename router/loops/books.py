"""Keeping the books: importing what jobs used, now and then, beside the passes of the router."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Protocol

from router.errors import TemporaryError
from router.model.audit import AuditState
from router.model.usage import DAY_S, Cell, Run, Usage, summed
from router.ports import Clock

log = logging.getLogger(__name__)

OVERLAP_S = 3600.0
"""The histories are read again this far back: shadows write as they end, and clocks are set."""
FIRST_S = 60.0
"""The first import comes so long after the first pass: jobs are placed before books are kept."""


class RunSource(Protocol):
    """The schedd's histories."""

    def runs(self, since: float) -> Iterator[list[Run]]:
        """The runs and ends of jobs since `since`, page by page."""
        ...

    def close(self) -> None:
        """Give the connection back; the next read opens another."""
        ...


class UsageMemory(Protocol):
    """Where usage is booked."""

    def usage_read(self) -> float:
        """Up to when the histories were read whole."""
        ...

    def record_runs(self, runs: Iterable[Run], read: float = 0.0) -> int:
        """Book runs, each once."""
        ...

    def forget_runs(self, before: float) -> int:
        """Forget single runs; what they used stays booked."""
        ...

    def usage(self, first: int, last: int) -> list[Cell]:
        """What was used on days from `first` to `last`."""
        ...

    def forget_audit(self, before: float) -> int:
        """Remove entries of the audit for their age."""
        ...

    def audit_state(self) -> AuditState:
        """Whether all entries of the audit hang together."""
        ...


@dataclass
class Books:
    """Imports usage every so often, and forgets what is old."""

    source: RunSource
    memory: UsageMemory
    clock: Clock
    interval_s: float
    keep_s: float
    """How long single runs are kept."""
    keep_audit_s: float
    done: float = 0.0
    """When the last import ended well, seconds since the epoch."""
    today: dict[str, Usage] | None = None
    """What was used at each site in runs that ended today, UTC; None before the first import."""
    _due: float = inf
    _checked: float = 0.0

    def update(self) -> int:
        """Import what the histories have had since the last time; returns how many runs are new or better known.

        May be cut anywhere: what was booked is booked once, and the next import reads it again.
        """
        since = max(0.0, self.memory.usage_read() - OVERLAP_S)
        began, newest, changed = self.clock.now(), 0.0, 0
        try:
            for page in self.source.runs(since):
                changed += self.memory.record_runs(page)
                newest = max(newest, *(run.ended for run in page), 0)
        finally:
            self.source.close()
        self.memory.record_runs((), min(newest, began))  # only now is nothing older missing
        self.memory.forget_runs(began - self.keep_s)
        self.done = self.clock.now()
        day = int(began // DAY_S)
        self.today = {str(site): usage for (site,), usage in summed(self.memory.usage(day, day), ("site",)).items()}
        return changed

    def step(self) -> None:
        """Do what is due; a failure is told, and tried again after the interval."""
        now = self.clock.now()
        if now < self._due:
            self._due = self._due if self._due < inf else now + min(FIRST_S, self.interval_s)
            return
        self._due = now + self.interval_s
        try:
            self.update()
        except TemporaryError as error:
            log.warning("usage is not imported this time: %s", error)
        if now >= self._checked + DAY_S:
            self._checked = now
            self._look_after_audit(now)

    def _look_after_audit(self, now: float) -> None:
        if removed := self.memory.forget_audit(now - self.keep_audit_s):
            log.info("%d entries of the audit were removed for their age", removed)
        state = self.memory.audit_state()
        if state.fault:
            log.error("the audit was changed: %s", state.fault)
        else:  # in the log, which others keep, the digest shows whether the audit was made anew
            log.info("the audit has %d entries up to number %d, digest %s", state.entries, state.last, state.digest)
