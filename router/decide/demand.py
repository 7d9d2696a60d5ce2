"""How many glideins each entry should have: a chain of small limits, each of which says its number and reason."""

from collections.abc import Iterator
from math import ceil

from router.model.action import PilotAction, StartGlideins
from router.model.job import JobGroup, JobState
from router.model.pilot import EntryState, GlideinState
from router.model.policy import DemandPolicy
from router.model.site import SiteStatus
from router.model.world import World

PENDING = (GlideinState.WAITING, GlideinState.STARTING)
LIVE = (*PENDING, GlideinState.IDLE, GlideinState.BUSY, GlideinState.FAILED)


def demand(world: World, policy: DemandPolicy) -> Iterator[PilotAction]:
    """Glideins to start now, for the idle jobs that brokerage has placed."""
    closed = {site.name for site in world.sites if site.status is not SiteStatus.ONLINE}
    entries_at: dict[str, int] = {}
    for state in world.entries:
        entries_at[state.entry.site] = entries_at.get(state.entry.site, 0) + 1
    for state in world.entries:
        cores = _cores_wanted(world.jobs, state.entry.site, entries_at)
        count, words = _to_start(state, cores, state.entry.site in closed, policy)
        if count > 0:
            yield StartGlideins(state.entry.name, count, words)


def _cores_wanted(jobs: tuple[JobGroup, ...], site: str, entries_at: dict[str, int]) -> float:
    """Cores that idle jobs ask of one entry of `site`: a job that k entries can serve asks 1/k of each."""
    wanted = 0.0
    for group in jobs:
        if group.state is JobState.IDLE and group.sites and site in group.sites:
            served_by = sum(entries_at.get(name, 0) for name in group.sites)
            wanted += group.count * group.requests.cpus / max(1, served_by)
    return wanted


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
    return min(wanted, entry.max_glideins - have, policy.per_pass), words
