"""What the route loop remembers, and which daemon acts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from router.model.action import Action
from router.model.downtime import Downtime
from router.model.event import Tally
from router.model.files import Located
from router.model.job import EndedJob
from router.model.node_outcomes import NodeTally
from router.model.provenance import Maker
from router.model.record import DecisionRecord, Lease, OpenDecision, SiteState
from router.model.site import Outcomes, Pace
from router.model.streak import Streak
from router.model.task import Inputs, Task
from router.model.transfer import Transfer
from router.model.world import TaskProgress
from router.ports.fetches import FetchMemory
from router.ports.runs import RunMemory


class Memory(RunMemory, FetchMemory, Protocol):
    """What the route loop remembers and looks up: the catalogue, the ledger and the decision log."""

    def inputs(self, batches: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Inputs]:
        """What each (task, batch) reads, and where that lies now."""
        ...

    def dataset_inputs(self, wanted: Iterable[str]) -> Mapping[str, Inputs]:
        """The same for whole datasets; unknown ones are left out."""
        ...

    def stored(self) -> Mapping[str, Mapping[str, int]]:
        """Bytes that each site holds, by the files' owners."""

    def register(self, found: Sequence[Located], owner: str, now: float, maker: Maker | None = None) -> None:
        """Add files with their copies to the catalogue, and the job that made them."""
        ...

    def record_ended(self, jobs: Iterable[EndedJob]) -> None:
        """Remember how jobs ended; saying it twice is saying it once."""
        ...

    def record_history(self, jobs: Sequence[EndedJob]) -> None:
        """The same for jobs of the history, newest first, and that it was read up to the first of them."""
        ...

    def history_read(self) -> tuple[int, int] | None:
        """The cluster and proc of the job up to which the history was read; None when it never was."""
        ...

    def hand_over(self, wanted: Sequence[Transfer], now: float) -> frozenset[str]:
        """Remember that outputs are to move; returns the names of those that have arrived already."""
        ...

    def note_joined(self, task: str, merged: str, parts: Sequence[str]) -> None:
        """Remember that parts of a task are in a file, or will be, and need not be kept then."""
        ...

    def unread_reports(self) -> Sequence[tuple[EndedJob, Task]]:
        """Jobs that ended well and whose report nobody has read, with their tasks."""
        ...

    def set_report(self, job: EndedJob, usable: bool) -> None:
        """Remember that a job's report was read, or that none can be used."""
        ...

    def outcomes(self, since: float) -> Mapping[str, Outcomes]:
        """How jobs ended at each site after `since`."""
        ...

    def event_position(self) -> str:
        """How far the event log was read; empty when it never was."""
        ...

    def record_events(
        self,
        added: Sequence[Tally],
        position: str,
        now: float,
        in_a_row: Sequence[Streak] = (),
        at_nodes: Sequence[NodeTally] = (),
    ) -> None:
        """Add to the outcomes of sites, and remember the position that was read up to: all of it, or nothing."""
        ...

    def events_read(self) -> float:
        """When the event log was last read, seconds since the epoch; 0: never."""
        ...

    def windows(self, since: float) -> Mapping[str, Outcomes]:
        """The outcomes of sites after `since`, as the event log told them."""
        ...

    def paces(self, since: float, now: float) -> Mapping[str, Pace]:
        """How fast jobs ended at each site after `since`."""
        ...

    def silences(self, now: float) -> Mapping[str, float]:
        """Seconds that each site has shown no glidein although jobs asked for them."""
        ...

    def vanished(self) -> frozenset[str]:
        """Sites whose glideins went away while jobs asked for them, where none has come since."""
        ...

    def note_glideins(self, present: Iterable[str], asked: Iterable[str], now: float) -> None:
        """Remember which sites have glideins, and of which jobs ask for some."""
        ...

    def progress(self) -> tuple[TaskProgress, ...]:
        """How far each task is whose merge job waits."""
        ...

    def site_states(self) -> Mapping[str, SiteState]:
        """What operators said of sites."""
        ...

    def downtimes(self, now: float) -> Sequence[Downtime]:
        """Announced downtimes of sites that have not ended at `now`."""
        ...

    def note_all(self, actions: Sequence[Action], now: float) -> Sequence[int]:
        """Write down actions before they are applied; returns their numbers."""
        ...

    def settle_all(self, outcomes: Iterable[tuple[int, str]]) -> None:
        """Write down what became of them, by their numbers."""
        ...

    def open(self) -> Sequence[OpenDecision]:
        """Decisions whose outcome nobody knows."""
        ...

    def newest(self, clusters: Sequence[int]) -> Mapping[int, DecisionRecord]:
        """The last decision on each cluster."""
        ...


class Leases(Protocol):
    """Which daemon of a kind acts, as all of them see it."""

    def lease(self, name: str) -> Lease | None:
        """The lease of this name; None where it was never held."""
        ...

    def swap_lease(self, name: str, seen: Lease | None, wanted: Lease) -> bool:
        """Make the lease `wanted` if it still is as `seen`; returns whether it was."""
        ...
