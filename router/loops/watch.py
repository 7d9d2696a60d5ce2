"""The queue over the passes of a loop: looked at as a whole now and then, followed by its events in between."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from router.decide.follow import SLACK_S, Followed, Look
from router.model.action import Place
from router.model.event import EventKind, Events, JobEvent
from router.model.job import JobGroup
from router.ports import Clock, Pool

log = logging.getLogger(__name__)

LOOK_EVERY_S = 600.0
"""What no event tells, such as a job that its owner edited, is seen after this many seconds at the latest."""
MOST_ASKED = 200
"""With more doubtful clusters than this a look at the whole queue is cheaper."""


@dataclass
class Watch:
    """The jobs of a pool; without events each look is at the whole queue."""

    pool: Pool
    clock: Clock
    looks: dict[str, int] = field(default_factory=lambda: {"whole": 0, "part": 0, "events": 0})
    """How often the whole queue, some clusters, and no job at all were asked for."""
    _followed: Followed = field(default_factory=Followed)
    _due: float = 0.0
    _told: float = 0.0
    """Time of the last event."""
    _mistrusted: float = 0.0
    """Until when events and looks are not compared, seconds since the epoch."""

    def happened(self, found: Events | None) -> None:
        """Take what an event log told since the last time; None, or a gap in it: look anew."""
        sure = found is not None and self._in_order(found.events)
        if found is None or not found.whole or not sure:
            self.forget()
        elif self._due:
            self._followed.follow(found.events)

    def _in_order(self, events: Sequence[JobEvent]) -> bool:
        """Whether no clock was set while they were written: their times cannot be compared with a look then."""
        now, clear = self.clock.now(), True
        for event in events:
            latest = max(event.at, event.began) if event.kind is EventKind.STARTED else event.at
            clear = clear and self._told - SLACK_S <= event.at and latest <= now + SLACK_S
            self._told = event.at
        return clear

    def forget(self) -> None:
        """Look at the whole queue the next time."""
        self._due = 0.0

    def mistrust(self) -> None:
        """Look anew for as long as events may carry times of a clock that was set meanwhile."""
        self.forget()
        self._told = 0.0
        self._mistrusted = self.clock.now() + SLACK_S

    def placed(self, actions: Sequence[Place], counts: Sequence[int]) -> None:
        """Take over what the router has written itself."""
        self._followed.placed(actions, counts)

    def doubt(self, clusters: Iterable[int]) -> None:
        """Ask the schedd for some clusters the next time."""
        self._followed.doubtful.update(clusters)

    def jobs(self) -> tuple[JobGroup, ...]:
        """All vanilla jobs in the queue, grouped. Raises TemporaryError where the schedd must be asked and is away."""
        doubtful = sorted(self._followed.doubtful)
        begin = self.clock.now()
        if not self._due - LOOK_EVERY_S <= begin < self._due or len(doubtful) > MOST_ASKED:
            found = self.pool.jobs()
            self._followed.looked(found, Look(begin, self.clock.now()))
            self._due = begin + LOOK_EVERY_S if begin > self._mistrusted else 0.0
            self.looks["whole"] += 1
        elif doubtful:
            found = self.pool.jobs_in(doubtful)
            self._followed.asked(doubtful, found, Look(begin, self.clock.now()))
            self.looks["part"] += 1
        else:
            self.looks["events"] += 1
        return self._followed.groups
