"""From the sources to a World."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from router.decide.bad_nodes import told_apart
from router.decide.causes import cause_of_group, tagged
from router.decide.fetched import unread
from router.model.cause import Fault
from router.model.downtime import closes_in_s, in_force
from router.model.job import FAILED, JobGroup, JobState, SlotGroup, Source
from router.model.node import Gpus
from router.model.pilot import MARGIN_S, Entry, ValidationFailure
from router.model.policy import BrokerPolicy
from router.model.record import SiteState
from router.model.site import Access, Limits, Outcomes, Pace, Site, SiteStatus, Storage
from router.model.task import Inputs
from router.model.world import World
from router.ports import Memory, Sight

DAY_S = 86400
EVENTS_FRESH_S = 900.0
"""After so long without a reader of the event log its outcomes are no longer believed to be all there are."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A site as the settings declare it."""

    name: str
    entries: tuple[Entry, ...] = ()
    access: Access = Access()
    storage: Storage = Storage()
    element: str = ""
    """The name of its storage element; empty: it has none."""


@dataclass(slots=True)
class _Load:
    """Jobs at a site, added up while the groups are read."""

    waiting: int = 0
    running: int = 0
    slots: list[SlotGroup] = field(default_factory=list)


def observe(
    pool: Sight,
    memory: Memory,
    declared: Sequence[Declared],
    policy: BrokerPolicy,
    now: float,
    reads: Callable[[Sequence[JobGroup], Memory], Iterable[tuple[Source, Inputs]]] | None = None,
) -> World:
    """Everything the route loop decides from; `reads` tells what jobs read, by default as the catalogue knows now.

    Raises TemporaryError where a source cannot be read: then do nothing.
    """
    jobs, slots = pool.jobs(), pool.slots()
    outcomes = _outcomes(memory, jobs, now - policy.failure_window_s, now)
    failures = [each for each in pool.failures() if each.at >= now - policy.validation_window_s]
    sites = assemble(declared, jobs, slots, said(memory, now), outcomes, failures)
    sites = tuple(told_apart(site, policy) for site in sites)
    paces = memory.paces(now - policy.failure_window_s, now)
    silences = memory.silences(now)
    gone = memory.vanished()
    sites = tuple(replace(site, vanished=True) if site.name in gone and not site.cores else site for site in sites)
    closing = closes_in_s(memory.downtimes(now), now)
    sites = tuple(_watched(site, paces.get(site.name), silences.get(site.name, 0.0)) for site in sites)
    sites = tuple(replace(site, closes_in_s=closing.get(site.name)) if closing else site for site in sites)
    sites = _read(_filled(sites, memory), declared, memory, now - policy.failure_window_s)
    read = reads(jobs, memory) if reads else inputs(jobs, memory, tape_of(declared))
    return World(now, sites, jobs, tuple(read), progress=memory.progress())


def said(memory: Memory, now: float) -> Mapping[str, SiteState]:
    """What operators say of sites now, announced downtimes that last included."""
    return in_force(memory.site_states(), memory.downtimes(now), now)


def tape_of(declared: Iterable[Declared]) -> frozenset[str]:
    """The sites whose storage is tape."""
    return frozenset(site.name for site in declared if site.storage.tape)


def _filled(sites: tuple[Site, ...], memory: Memory) -> tuple[Site, ...]:
    """Sites with what lies at their storage; the catalogue is asked only where that matters."""
    if not any(site.storage.limited for site in sites):
        return sites
    stored = memory.stored()
    return tuple(
        replace(site, storage=site.storage.filled(stored.get(site.name, {}))) if site.storage.limited else site
        for site in sites
    )


def _read(sites: tuple[Site, ...], declared: Iterable[Declared], memory: Memory, since: float) -> tuple[Site, ...]:
    """Sites with how far reading their storage fails, as jobs told of it."""
    failing = unread(memory.served(since))
    at = {site.name: failing[site.element] for site in declared if site.element in failing}
    return tuple(replace(site, unread=at[site.name]) if site.name in at else site for site in sites)


def _outcomes(memory: Memory, jobs: Iterable[JobGroup], since: float, now: float) -> Mapping[str, Outcomes]:
    """How jobs fared at each site: as the event log told, or, where nobody reads one, as history and holds show."""
    if now - memory.events_read() <= EVENTS_FRESH_S:
        return memory.windows(since)
    found = dict(memory.outcomes(since))
    for group in jobs:
        failed = group.site and group.state is JobState.HELD and group.hold_code == FAILED
        if failed and cause_of_group(group).fault is not Fault.USER:
            ended = found.get(group.site, Outcomes())
            found[group.site] = replace(ended, failed=ended.failed + group.count)
    for site, count in _mended(jobs, since).items():
        ended = found.get(site, Outcomes())
        found[site] = replace(ended, failed=ended.failed + count)
    return found


def _mended(jobs: Iterable[JobGroup], since: float) -> dict[str, int]:
    """Jobs that failed at each site and were let go again: neither held nor ended, they must not be forgotten."""
    found: dict[str, int] = {}
    for group in jobs:
        remedy = group.remedy if group.state is not JobState.HELD else None
        if remedy and remedy.site and remedy.due >= since and tagged(remedy.cause).fault is not Fault.USER:
            found[remedy.site] = found.get(remedy.site, 0) + group.count
    return found


def _watched(site: Site, pace: Pace | None, silent_s: float) -> Site:
    """A site with what was seen of it over time."""
    freed, run_s = (pace.freed_per_h, pace.mean_run_s) if pace else (None, 0.0)
    return replace(site, freed_per_h=freed, mean_run_s=run_s, silent_s=silent_s)


def assemble(
    declared: Sequence[Declared],
    jobs: Iterable[JobGroup],
    slots: Iterable[SlotGroup],
    states: Mapping[str, SiteState],
    outcomes: Mapping[str, Outcomes],
    failures: Iterable[ValidationFailure],
) -> tuple[Site, ...]:
    """All sites, declared or seen, by name."""
    loads = _loads(jobs, slots)
    newest: dict[str, ValidationFailure] = {}
    for failure in sorted(failures, key=lambda each: each.at):
        newest[failure.site] = failure
    entries = {site.name: site.entries for site in declared}
    own: dict[str, dict[str, Any]] = {
        site.name: {"access": site.access, "storage": site.storage}
        for site in declared
        if (site.access, site.storage) != (Access(), Storage())
    }
    seen = {name for name, load in loads.items() if load.slots}
    found = (
        _site(name, entries.get(name, ()), loads.get(name, _Load()), states.get(name), outcomes, newest.get(name))
        for name in sorted({*entries, *seen, *newest})
    )
    return tuple(replace(site, **own[site.name]) if site.name in own else site for site in found)


def _loads(jobs: Iterable[JobGroup], slots: Iterable[SlotGroup]) -> dict[str, _Load]:
    loads: dict[str, _Load] = {}
    for group in jobs:
        if group.state is JobState.IDLE:
            for site in group.sites or ():
                loads.setdefault(site, _Load()).waiting += group.count
        elif group.site and group.state is JobState.RUNNING:
            loads.setdefault(group.site, _Load()).running += group.count
    for slot in slots:
        loads.setdefault(slot.site, _Load()).slots.append(slot)
    return loads


def _site(
    name: str,
    entries: tuple[Entry, ...],
    load: _Load,
    state: SiteState | None,
    outcomes: Mapping[str, Outcomes],
    failure: ValidationFailure | None,
) -> Site:
    cores = sum(slot.cores for slot in load.slots)
    offers = _offers(entries, load.slots)
    return Site(
        name=name,
        limits=_most(offers),
        offers=tuple(offers) if len(set(offers)) > 1 else (),
        status=state.status if state else SiteStatus.ONLINE,
        status_reason=state.reason if state else "",
        nodes=len(frozenset().union(*(slot.nodes for slot in load.slots))),
        cores=cores,
        max_cores=sum(entry.cpus * entry.max_glideins for entry in entries),
        idle_cores=sum(slot.idle_cores for slot in load.slots),
        waiting_jobs=load.waiting,
        running_jobs=load.running,
        outcomes=outcomes.get(name, Outcomes()),
        failure=None if cores else failure,
    )


def _offers(entries: Iterable[Entry], slots: Iterable[SlotGroup]) -> list[Limits]:
    """What the present glideins give one job, by entry, and declared entries that have none now.

    A glidein gives a little less than its entry declares: its own files take some of the disk. One of nobody's entry
    lives a day.
    """
    lives = {entry.name: entry.walltime_s for entry in entries}
    present = tuple(slots)
    seen = {slot.entry for slot in present}
    sizes = [
        Limits(s.slot_cpus, s.memory_mb, s.disk_mb, lives.get(s.entry, DAY_S), s.gpus, s.platform) for s in present
    ]
    sizes += [
        Limits(e.cpus, e.memory_mb, e.disk_mb, e.walltime_s, e.gpus, e.platform) for e in entries if e.name not in seen
    ]
    # Jobs ask for whole minutes, so that what is left of a minute is of use to none.
    return [replace(size, walltime_s=max(0, size.walltime_s - MARGIN_S) // 60 * 60) for size in sizes]


def _most(sizes: Sequence[Limits]) -> Limits:
    """The most of each that any of `sizes` gives."""
    sizes = sizes or [Limits()]
    return Limits(
        max(size.cpus for size in sizes),
        max(size.memory_mb for size in sizes),
        max(size.disk_mb for size in sizes),
        max(size.walltime_s for size in sizes),
        Gpus(
            max(size.gpus.count for size in sizes),
            max(size.gpus.memory_mb for size in sizes),
            max(size.gpus.capability for size in sizes),
        ),
        sizes[0].platform,
    )


def inputs(
    jobs: Sequence[JobGroup], memory: Memory, tape: frozenset[str] = frozenset()
) -> Iterable[tuple[Source, Inputs]]:
    """What jobs read: the batch's files, or their dataset's, or what their ad said when they were submitted."""
    batches = {(group.task, group.batch) for group in jobs if group.task}
    known = memory.inputs(batches)
    loose = {group.dataset for group in jobs if group.dataset and (group.task, group.batch) not in known}
    datasets = memory.dataset_inputs(loose)
    for source, group in {group.source: group for group in jobs}.items():
        if found := known.get((group.task, group.batch)) or datasets.get(group.dataset):
            yield source, found.off(tape)
        elif group.held_by:
            yield source, Inputs(1, tuple((site, 1) for site in group.held_by)).off(tape)
