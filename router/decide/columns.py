"""Shapes and sites as columns, so that one expression answers for a pair and for all of them at once.

A table of shapes has its columns upright (G, 1), one of sites lying (1, S); an expression over both is a matrix
(G, S). Whether a shape allows a site, and how much of its input lies there, are matrices from the start.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from router.model.node import Gpus, Platform
from router.model.policy import BrokerPolicy
from router.model.site import Access, Site, SiteStatus
from router.model.task import Inputs, Shape

FEW_READERS = 4
"""Jobs elsewhere that any storage feeds."""

STALL_SAMPLE = 10
STALL_SHARE = 0.1
"""A site stalls when under a tenth of at least ten jobs have ended that should have."""

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.float32]

T = TypeVar("T")

EVERYWHERE: Booleans = np.array([[True]])
"""Every pair passes."""


@dataclass(frozen=True, slots=True)
class SiteColumns:
    """Sites, one a column: every array is (1, S)."""

    names: tuple[str, ...]
    online: Booleans
    cpus: Numbers
    memory_mb: Numbers
    disk_mb: Numbers
    walltime_s: Numbers
    gpus: Numbers
    gpu_memory_mb: Numbers
    gpu_capability: Numbers
    platforms: tuple[Platform, ...]
    """The kinds of nodes that there are anywhere: P of them."""
    nodes: Booleans
    """(P, S): which kinds of nodes a site has."""
    offers: "OfferColumns | None"
    """Sites whose glideins are of several sizes; None where no site has such."""
    access: tuple[Access, ...]
    """The rules of whose jobs are taken that there are anywhere: A of them."""
    rules: Booleans
    """(A, S): which of them a site has."""
    valid: Booleans
    """No glidein refuses its node, or some work."""
    silent_s: Numbers
    closes_s: Numbers
    """Until an announced downtime begins; infinite where none is."""
    ended: Numbers
    """Jobs that ended lately."""
    failure_rate: Numbers
    cores: Numbers
    storage: Booleans
    """Its storage answers: it is not offline, and its own jobs do end."""
    unread: Numbers
    """Share of the reads of its storage that fail."""
    readers: Numbers
    """Jobs elsewhere that its storage can feed at full speed."""
    ready: Numbers
    """Cores that a job would get at once: idle ones, or all that come with the first glideins where there are none."""
    keeps: Booleans
    """It has storage for outputs, on disk."""
    room: Booleans
    """That storage has room."""
    rate: Numbers
    """Cores that become free for a job per second."""
    waiting: Numbers
    """Idle jobs, each counted at every site of its set."""
    running: Numbers


@dataclass(frozen=True, slots=True)
class OfferColumns:
    """The sizes of glideins at sites that have several, one a column: every array but `site` is (1, E)."""

    site: np.ndarray
    """(E,): the number of the site."""
    cpus: Numbers
    memory_mb: Numbers
    disk_mb: Numbers
    walltime_s: Numbers
    gpus: Numbers
    gpu_memory_mb: Numbers
    gpu_capability: Numbers
    platform: np.ndarray
    """(E,): the number of the kind of nodes."""

    def held(self, shapes: "ShapeColumns", sites: int, platforms: Sequence[Platform]) -> Booleans:
        """(G, S): whether one size has all that a job asks; true at sites where all sizes are alike."""
        room = (
            (shapes.cpus <= self.cpus)
            & (shapes.memory_mb <= self.memory_mb)
            & (shapes.disk_mb <= self.disk_mb)
            & (shapes.walltime_s <= self.walltime_s)
            & (shapes.gpus <= self.gpus)
            & shapes.gpus_are(self)
        )
        for meets in shapes.platform_wishes(platforms):
            room &= meets[:, self.platform]
        found = np.ones((len(shapes.cpus), sites), dtype=bool)
        for site in np.unique(self.site):
            found[:, site] = room[:, self.site == site].any(axis=1)
        return found


@dataclass(frozen=True, slots=True)
class ShapeColumns:
    """Shapes, one a row: arrays are (G, 1) or (G, S)."""

    cpus: Numbers
    memory_mb: Numbers
    disk_mb: Numbers
    walltime_s: Numbers
    gpus: Numbers
    gpu_memory_mb: Numbers
    gpu_capability: Numbers
    arch: np.ndarray
    """Of text, as are the next three: what is asked of nodes; empty where nothing is."""
    os: np.ndarray
    software: np.ndarray
    images: np.ndarray
    mb: Numbers
    """Input of one job, in MB (10^6 bytes)."""
    allowed: Booleans
    blocked: Booleans
    group: np.ndarray
    """Of text."""
    left: Booleans
    """Sites that they left lately; of (G, 1) where none did, as is the next."""
    full: Booleans
    over: Booleans
    writes: Booleans
    """(G, 1)"""
    parts: np.ndarray
    """Of tuples, one for each part of the input that lies apart: the numbers of the sites that hold it."""
    tape: Booleans
    """(G, 1): nothing of the input lies on disk, and some on tape."""
    lost: Booleans
    """(G, 1): nobody has the input any more."""
    late: Numbers
    """Seconds by which their share's jobs start later than others'; of (G, 1) where none do."""
    avoided: Booleans
    """(G, 1) where no shape avoids any site."""
    local: Numbers
    """Share of the input that lies at each site, 0..1."""

    def gpus_are(self, there: "SiteColumns | OfferColumns") -> Booleans:
        """Whether the GPUs there are as good as asked for; jobs that ask for none take any."""
        if not self.gpus.any():
            return EVERYWHERE
        good = (self.gpu_memory_mb <= there.gpu_memory_mb) & (self.gpu_capability <= there.gpu_capability)
        found: Booleans = good | (self.gpus == 0)
        return found

    def platform_wishes(self, platforms: Sequence[Platform]) -> tuple[Booleans, ...]:
        """(G, P) or (1, P), for architecture, system, software and images: which kinds of nodes have what is asked."""
        return (
            meets(self.arch, platforms, Platform.runs),
            meets(self.os, platforms, Platform.is_os),
            meets(self.software, platforms, Platform.has),
            meets(self.images, platforms, Platform.opens),
        )


def meets(wishes: np.ndarray, kinds: Sequence[T], has: Callable[[T, Any], bool]) -> Booleans:
    """Which kinds have what is asked: (G, K), or (1, K) where all wishes are alike. Few are distinct."""
    column = wishes[:, 0].tolist()
    rows = {wish: [has(kind, wish) for kind in kinds] for wish in set(column)}
    found = list(rows.values()) if len(rows) == 1 else [rows[wish] for wish in column]
    return np.array(found, dtype=bool).reshape(len(found), len(kinds))


def site_columns(sites: Sequence[Site], policy: BrokerPolicy) -> SiteColumns:
    """The columns of `sites`, in their order."""

    def column(values: Sequence[float]) -> Numbers:
        return np.array([values], dtype=np.float32)

    def flags(values: Sequence[bool]) -> Booleans:
        return np.array([values], dtype=bool)

    platforms = tuple(dict.fromkeys(platform for site in sites for platform in site.platforms))
    access = tuple(dict.fromkeys(site.access for site in sites))
    return SiteColumns(
        names=tuple(site.name for site in sites),
        online=flags([site.status is SiteStatus.ONLINE for site in sites]),
        cpus=column([site.limits.cpus for site in sites]),
        memory_mb=column([site.limits.memory_mb for site in sites]),
        disk_mb=column([site.limits.disk_mb for site in sites]),
        walltime_s=column([site.limits.walltime_s for site in sites]),
        gpus=column([site.limits.gpus.count for site in sites]),
        gpu_memory_mb=column([site.limits.gpus.memory_mb for site in sites]),
        gpu_capability=column([site.limits.gpus.capability for site in sites]),
        platforms=platforms,
        nodes=_having(sites, platforms, lambda site: site.platforms),
        offers=_offers(sites, platforms),
        access=access,
        rules=_having(sites, access, lambda site: (site.access,)),
        valid=flags([site.failure is None for site in sites]),
        # What went away while it was wanted may take three times as long to come as what was never asked for.
        silent_s=column([site.silent_s + 2 * policy.ramp_s * site.vanished for site in sites]),
        closes_s=column([float("inf") if site.closes_in_s is None else site.closes_in_s for site in sites]),
        ended=column([site.outcomes.succeeded + site.outcomes.failed for site in sites]),
        failure_rate=column([site.outcomes.failure_rate for site in sites]),
        cores=column([site.cores for site in sites]),
        storage=flags([_serves(site) for site in sites]),
        unread=column([site.unread for site in sites]),
        readers=column([max(FEW_READERS, policy.remote_readers * max(site.cores, site.max_cores)) for site in sites]),
        ready=column([_ready(site, policy) for site in sites]),
        keeps=flags([site.storage.present and not site.storage.tape for site in sites]),
        room=flags([site.storage.takes_outputs for site in sites]),
        rate=column([_rate(site, policy) for site in sites]),
        waiting=column([site.waiting_jobs for site in sites]),
        running=column([site.running_jobs for site in sites]),
    )


def _having(sites: Sequence[Site], kinds: Sequence[T], of: Callable[[Site], Sequence[T]]) -> Booleans:
    """(K, S): which kinds a site has."""
    found = np.zeros((len(kinds), len(sites)), dtype=bool)
    row = {kind: number for number, kind in enumerate(kinds)}
    for column, site in enumerate(sites):
        found[[row[kind] for kind in of(site)], column] = True
    return found


SIZES = ("cpus", "memory_mb", "disk_mb", "walltime_s", "gpus", "gpu_memory_mb", "gpu_capability")


def _offers(sites: Sequence[Site], platforms: Sequence[Platform]) -> OfferColumns | None:
    found = [(number, offer) for number, site in enumerate(sites) for offer in site.offers]
    if not found:
        return None
    sizes = [
        (o.cpus, o.memory_mb, o.disk_mb, o.walltime_s, o.gpus.count, o.gpus.memory_mb, o.gpus.capability)
        for _, o in found
    ]
    named = zip(SIZES, np.array(sizes, dtype=np.float32).T, strict=True)
    return OfferColumns(
        site=np.array([number for number, _ in found]),
        platform=np.array([platforms.index(offer.platform) for _, offer in found]),
        **{name: row[np.newaxis, :] for name, row in named},
    )


def _ready(site: Site, policy: BrokerPolicy) -> int:
    """Idle cores; where no glidein is, all that the first ones bring, unless they should have come by now."""
    if site.cores:
        return site.idle_cores
    return max(site.max_cores, site.limits.cpus) if site.silent_s <= policy.ramp_s else 0


def _serves(site: Site) -> bool:
    """Whether jobs elsewhere can read from its storage."""
    return site.status is not SiteStatus.OFFLINE and not site.storage.tape and not is_stalled(site)


def is_stalled(site: Site) -> bool:
    """Whether its jobs hang: all cores are busy, and hardly one ends where several should have within the hour."""
    if site.freed_per_h is None or site.idle_cores > 0 or not site.mean_run_s:
        return False
    expected = site.cores * 3600.0 / site.mean_run_s
    return expected >= STALL_SAMPLE and site.freed_per_h < STALL_SHARE * expected


def _rate(site: Site, policy: BrokerPolicy) -> float:
    """Cores that become free per second: as measured where the site is full, else what its cores would give.

    A site with idle cores ends few jobs because few come; that says nothing of how many it could run.
    """
    run_s = site.mean_run_s or policy.typical_run_s
    possible = max(site.cores, site.max_cores, site.limits.cpus, 1) / run_s
    if site.freed_per_h is None or site.idle_cores > 0 or not site.cores:
        return possible
    return max(site.freed_per_h / 3600.0, 0.01 * possible)


def shape_columns(shapes: Sequence[Shape], names: Sequence[str]) -> ShapeColumns:
    """The columns of `shapes`, against sites of these names."""
    place = {name: number for number, name in enumerate(names)}
    local = np.zeros((len(shapes), len(names)), dtype=np.float32)
    for row, shape in enumerate(shapes):
        inputs = shape.inputs
        if not inputs.size:
            local[row] = 1.0
            continue
        for name, size in inputs.at_sites:
            if (column := place.get(name)) is not None:
                local[row, column] = size / inputs.size
    gpus = _gpus([shape.requests.gpus for shape in shapes])
    return ShapeColumns(
        cpus=_upright(shapes, lambda shape: shape.requests.cpus),
        memory_mb=_upright(shapes, lambda shape: shape.requests.memory_mb),
        disk_mb=_upright(shapes, lambda shape: shape.requests.disk_mb),
        walltime_s=_upright(shapes, lambda shape: shape.requests.walltime_s),
        gpus=gpus[0],
        gpu_memory_mb=gpus[1],
        gpu_capability=gpus[2],
        arch=_wishes([shape.requests.platform.arch for shape in shapes]),
        os=_wishes([shape.requests.platform.os for shape in shapes]),
        software=_wishes([shape.requests.platform.software for shape in shapes]),
        images=_wishes([shape.requests.platform.images for shape in shapes]),
        mb=_upright(shapes, lambda shape: shape.inputs.size / max(1, shape.inputs.jobs) / 1e6),
        allowed=_membership([shape.allow for shape in shapes], place, empty=True),
        blocked=_membership([shape.block for shape in shapes], place, empty=False),
        group=_wishes([shape.group for shape in shapes]),
        left=_seldom([shape.left for shape in shapes], place),
        full=_seldom([shape.full for shape in shapes], place),
        over=_seldom([shape.over for shape in shapes], place),
        writes=np.array([[shape.writes] for shape in shapes], dtype=bool).reshape(-1, 1),
        parts=_wishes([_parts(shape.inputs, place) for shape in shapes]),
        tape=np.array([[_on_tape(shape.inputs)] for shape in shapes], dtype=bool).reshape(-1, 1),
        lost=np.array([[shape.inputs.lost] for shape in shapes], dtype=bool).reshape(-1, 1),
        late=_late([shape.late for shape in shapes], place),
        avoided=_seldom([shape.avoid for shape in shapes], place),
        local=local,
    )


def _upright(shapes: Sequence[Shape], value: Any) -> Numbers:
    return np.array([value(shape) for shape in shapes], dtype=np.float32)[:, np.newaxis]


def _gpus(wanted: Sequence[Gpus]) -> Numbers:
    """(3, G, 1): number, memory and capability. Few jobs ask for any."""
    if not any(each.count for each in wanted):
        return np.zeros((3, len(wanted), 1), dtype=np.float32)
    found = np.array([(each.count, each.memory_mb, each.capability) for each in wanted], dtype=np.float32)
    return found.T[:, :, np.newaxis]


def _wishes(values: Sequence[object]) -> np.ndarray:
    alike = len(set(values)) == 1
    found = np.empty((1 if alike else len(values), 1), dtype=object)
    for row in range(len(found)):
        found[row, 0] = values[row]
    return np.broadcast_to(found, (len(values), 1)) if alike else found


def _parts(inputs: Inputs, place: dict[str, int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(place[site] for site in part if site in place) for part in inputs.sets)


def _on_tape(inputs: Inputs) -> bool:
    return bool(inputs.on_tape) and not inputs.at_sites


def _seldom(lists: Sequence[tuple[str, ...]], place: dict[str, int]) -> Booleans:
    """As _membership, for lists that are mostly empty."""
    return _membership(lists, place, empty=False) if any(lists) else np.zeros((len(lists), 1), dtype=bool)


def _late(lists: Sequence[tuple[tuple[str, int], ...]], place: dict[str, int]) -> Numbers:
    """Seconds by shape and site."""
    found: Numbers = np.zeros((len(lists), len(place) if any(lists) else 1), dtype=np.float32)
    for row, late in enumerate(lists):
        for site, seconds in late:
            if site in place:
                found[row, place[site]] = seconds
    return found


def _membership(lists: Sequence[tuple[str, ...]], place: dict[str, int], *, empty: bool) -> Booleans:
    """Whether each list names each site; `empty` stands for lists that name none. Few lists are distinct."""
    codes: dict[tuple[str, ...], int] = {}
    rows = [codes.setdefault(names, len(codes)) for names in lists]
    table = np.zeros((max(1, len(codes)), len(place)), dtype=bool)
    for names, code in codes.items():
        table[code] = empty and not names
        table[code, [place[name] for name in names if name in place]] = True
    found: Booleans = table[rows]
    return found
