"""The queue, followed event by event from one look to the next.

Looking at the whole queue costs with its jobs; following costs with what happens. Counts are those of the look and of
the events after it. Where an event does not fit what is known, or happened so close to the look that nobody can say
which was first, its cluster is doubtful, and the schedd has to be asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from router.model.action import Place
from router.model.event import EventKind, JobEvent
from router.model.job import JobGroup, JobState, kind_of

SLACK_S = 5.0
"""An event this close to a look may or may not be in it: it is written a little before or after the queue shows it."""

BEFORE = {
    EventKind.STARTED: JobState.IDLE,
    EventKind.FINISHED: JobState.RUNNING,
    EventKind.EVICTED: JobState.RUNNING,
    EventKind.RELEASED: JobState.HELD,
}
"""What a job was before an event; of the others the event itself tells."""

AFTER = {
    EventKind.STARTED: JobState.RUNNING,
    EventKind.EVICTED: JobState.IDLE,
    EventKind.RELEASED: JobState.IDLE,
    EventKind.HELD: JobState.HELD,
}
"""What it is then; after the others it is in the queue no more."""


@dataclass(frozen=True, slots=True)
class Look:
    """When the queue was looked at: the answer is of some instant between the two, in seconds since the epoch."""

    begin: float
    end: float


@dataclass(slots=True)
class _Entry:
    """A group whose count changes oftener than anybody asks for it."""

    group: JobGroup
    count: int

    def told(self) -> JobGroup:
        """The group with its count."""
        if self.count != self.group.count:
            self.group = replace(self.group, count=self.count)
        return self.group


@dataclass
class Followed:
    """The groups of a queue by cluster, kept up to date."""

    doubtful: set[int] = field(default_factory=set)
    """Clusters that have to be asked for."""
    _clusters: dict[int, list[_Entry]] = field(default_factory=dict)
    _looks: dict[int, Look] = field(default_factory=dict)
    _whole: Look = Look(0.0, 0.0)

    @property
    def groups(self) -> tuple[JobGroup, ...]:
        """All jobs, grouped."""
        return tuple(entry.told() for kept in self._clusters.values() for entry in kept if entry.count)

    def looked(self, groups: Iterable[JobGroup], look: Look) -> None:
        """Begin anew with what a look at the whole queue gave."""
        self._clusters, self._looks, self._whole, self.doubtful = {}, {}, look, set()
        for group in groups:
            self._add(group)

    def asked(self, clusters: Iterable[int], groups: Iterable[JobGroup], look: Look) -> None:
        """Take what the schedd says of some clusters."""
        for cluster in clusters:
            self._clusters.pop(cluster, None)
            self._looks[cluster] = look
            self.doubtful.discard(cluster)
        for group in groups:
            self._add(group)

    def follow(self, events: Iterable[JobEvent]) -> None:
        """Apply what happened."""
        for event in events:
            cluster = event.like.cluster
            if cluster in self.doubtful:
                continue
            look = self._looks.get(cluster, self._whole)
            # A start is in the queue when the slot is taken, and in the log when the job's files are there.
            at = event.began if event.kind is EventKind.STARTED and event.began else event.at
            if at < look.begin - SLACK_S:
                continue
            if at <= look.end + SLACK_S or not self._happened(event):
                self.doubtful.add(cluster)

    def placed(self, actions: Sequence[Place], counts: Sequence[int]) -> None:
        """Take over what the router has written itself; what did not meet every job is doubtful."""
        for action, count in zip(actions, counts, strict=True):
            met = [
                entry
                for entry in self._known(action.cluster)
                if entry.group.state is JobState.IDLE and entry.group.sites == action.old
            ]
            if action.cluster in self.doubtful or len(met) != 1 or not met[0].count == action.count == count:
                self.doubtful.add(action.cluster)
                continue
            made = action.decision.carried
            met[0].group = replace(met[0].group, sites=made.sites, decision=made)

    def _known(self, cluster: int) -> Iterator[_Entry]:
        return (entry for entry in self._clusters.get(cluster, ()) if entry.count)

    def _happened(self, event: JobEvent) -> bool:
        """Apply one event; False where it does not fit."""
        if event.kind is EventKind.SUBMITTED:
            self._add(event.like)
            return True
        before = [entry for entry in self._known(event.like.cluster) if _held_it(entry.group, event)]
        if len(before) != 1:
            return False
        before[0].count -= 1
        if state := AFTER.get(event.kind):
            self._join(before[0].group, event, state)
        return True

    def _join(self, before: JobGroup, event: JobEvent, state: JobState) -> None:
        """Count one job of the group `before` where it is after the event."""
        like = event.like
        held = state is JobState.HELD
        codes = (like.hold_code, like.hold_subcode) if held else (0, 0)
        site = "" if state is JobState.IDLE else like.site
        changed = replace(before, state=state, site=site, hold_code=codes[0], hold_subcode=codes[1], count=1)
        changed = replace(changed, holds=before.holds + held, starts=like.starts)
        for entry in self._clusters[like.cluster]:
            if _alike(entry.group, changed):
                entry.count += 1
                return
        self._clusters[like.cluster].append(_Entry(changed, 1))

    def _add(self, group: JobGroup) -> None:
        kept = self._clusters.setdefault(group.cluster, [])
        for entry in kept:
            there = entry.group
            if _alike(there, group):
                entry.count += group.count
                if group.oldest < there.oldest:
                    entry.group = replace(there, oldest=group.oldest)
                return
        kept.append(_Entry(group, group.count))


def _held_it(group: JobGroup, event: JobEvent) -> bool:
    """Whether the event's job may have been of a group."""
    like, state = event.like, BEFORE.get(event.kind, event.before)
    if group.state is not state or (group.requests, group.dataset) != (like.requests, like.dataset):
        return False
    if group.holds + (event.kind is EventKind.HELD) != like.holds:
        return False
    match state:
        case JobState.IDLE:
            return group.sites == like.sites
        case JobState.RUNNING:
            return group.site == event.site and group.sites == like.sites
    return True


def _alike(one: JobGroup, other: JobGroup) -> bool:
    """Whether two groups differ in nothing but their number and age."""
    return kind_of(one) == kind_of(other)
