"""What the schedd's event log tells of each job, checked: started once for each reason to, and ended once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from router.model.event import EventKind, JobEvent

ENDS = (EventKind.FINISHED, EventKind.REMOVED)


@dataclass
class _Life:
    """One job, as far as its events tell."""

    runs: bool = False
    end: EventKind | None = None
    wrong: list[str] = field(default_factory=list)

    def see(self, event: JobEvent) -> None:
        """The next event of the job."""
        if self.end is event.kind:  # of one run: a schedd that dies before it knows has the shadow tell it again
            return
        if self.end:
            self.wrong.append(f"{event.kind} after it was {self.end}")
        if event.kind is EventKind.STARTED:
            if self.runs:
                self.wrong.append(f"started at {event.site} while it ran")
            if event.like.sites is not None and event.site not in event.like.sites:
                self.wrong.append(f"started at {event.site}, and was at {event.like.sites}")
            self.runs = True
        elif event.kind in (EventKind.EVICTED, EventKind.HELD, *ENDS):
            self.runs = False
        if event.kind in ENDS:
            self.end = event.kind


def violations(events: Iterable[JobEvent]) -> list[str]:
    """What no job may have done: one line for each."""
    lives: dict[tuple[int, int], _Life] = {}
    for event in events:
        lives.setdefault((event.like.cluster, event.proc), _Life()).see(event)
    return [f"{cluster}.{proc} {told}" for (cluster, proc), life in lives.items() for told in life.wrong]
