"""How many glideins each entry should have: a chain of small limits, each of which says its number and reason."""

from collections.abc import Iterator
from math import ceil

from router.model.action import PilotAction, StartGlideins
from router.model.job import JobState
from router.model.payload import Requests
from router.model.pilot import MARGIN_S, Entry, EntryState, GlideinState
from router.model.policy import DemandPolicy
from router.model.site import SiteStatus
from router.model.world import World

PENDING = (GlideinState.WAITING, GlideinState.STARTING)
LIVE = (*PENDING, GlideinState.IDLE, GlideinState.BUSY, GlideinState.FAILED)


def demand(world: World, policy: DemandPolicy) -> Iterator[PilotAction]:
    """Glideins to start now, for the idle jobs that brokerage has placed."""
    closed = {site.name for site in world.sites if site.status is not SiteStatus.ONLINE}
    cores = _cores_wanted(world)
    for state in world.entries:
        wanted = cores.get(state.entry.name, 0.0)
        count, words = _to_start(state, wanted, state.entry.site in closed, policy)
        if count > 0:
            yield StartGlideins(state.entry.name, count, words)


def _cores_wanted(world: World) -> dict[str, float]:
    """Cores that idle jobs ask of each entry: a job that k entries can serve asks 1/k of each."""
    entries_at: dict[str, list[Entry]] = {}
    for state in world.entries:
        entries_at.setdefault(state.entry.site, []).append(state.entry)
    wanted: dict[str, float] = {}
    for group in world.jobs:
        if group.state is not JobState.IDLE:
            continue
        near = [entry for site in group.sites or () for entry in entries_at.get(site, ())]
        serving = [entry for entry in near if _holds(entry, group.requests)]
        for entry in serving:
            share = group.count * group.requests.cpus / len(serving)
            wanted[entry.name] = wanted.get(entry.name, 0.0) + share
    return wanted


def _holds(entry: Entry, requests: Requests) -> bool:
    """Whether a glidein of `entry` has what one job asks for."""
    return (
        requests.cpus <= entry.cpus
        and requests.memory_mb <= entry.memory_mb
        and requests.disk_mb <= entry.disk_mb
        and requests.walltime_s <= entry.walltime_s - MARGIN_S
        and entry.gpus.hold(requests.gpus)
        and entry.platform.meets(requests.platform)
    )


def _to_start(state: EntryState, cores: float, closed: bool, policy: DemandPolicy) -> tuple[int, str]:
    entry = state.entry
    if closed:
        return 0, "the site is closed"
    have, idle = state.count(*LIVE), state.count(GlideinState.IDLE, *PENDING)
    wanted = ceil(cores / entry.cpus) - idle
    words = f"idle jobs ask for {cores:.1f} cores of {entry.cpus} each, {idle} glideins are idle or on their way"
    if have + wanted < entry.min_glideins:
        wanted, words = entry.min_glideins - have, f"at least {entry.min_glideins} are kept"
    if state.failure and not state.count(GlideinState.IDLE, GlideinState.BUSY):
        wanted = min(wanted, policy.failing_probes - have)
        words += f"; its nodes fail validation, so at most {policy.failing_probes} is tried"
    room = entry.max_glideins - have - state.count(GlideinState.RETIRING)
    return min(wanted, room, policy.per_pass), words
