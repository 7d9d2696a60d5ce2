"""Jobs that try whether a site is well again: a few, before others follow."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from router.decide.bars import left_after
from router.decide.broker import Brokerage
from router.decide.health import PROBED
from router.model.action import Choice, Place
from router.model.job import Decision, JobGroup, JobState
from router.model.task import Shape
from router.model.world import World

MOST_ASKED = 50
"""Of so many groups, the oldest first, one is sought whose jobs could run at the site."""


def probes(
    world: World, idle: Sequence[JobGroup], brokerage: Brokerage, seen: Callable[[JobGroup], Shape]
) -> list[tuple[int, Place]]:
    """Placements of single jobs at sites on probation, each with the number of its group among `idle`.

    `seen` says of what shape a group's jobs are.
    """
    found: dict[int, Place] = {}
    for site in brokerage.health.of(PROBED):
        wanted = brokerage.policy.probe_jobs - _there(world, site)
        for number, group in enumerate(idle[:MOST_ASKED] if wanted > 0 else ()):
            shape = seen(group)
            if number not in found and _may_try(group, site, shape, brokerage):
                found[number] = _probe(group, shape, site, min(wanted, group.count), (brokerage, int(world.now)))
                break
    return list(found.items())


def without(idle: Sequence[JobGroup], probed: Sequence[tuple[int, Place]]) -> list[JobGroup]:
    """The groups without the jobs that try a site."""
    taken = {number: place.count for number, place in probed}
    left = (replace(group, count=group.count - taken.get(number, 0)) for number, group in enumerate(idle))
    return [group for group in left if group.count]


def _there(world: World, site: str) -> int:
    """Jobs that run at a site or may start there."""
    found = 0
    for group in world.jobs:
        waits = group.state is JobState.IDLE and site in (group.sites or ())
        if waits or (group.state is JobState.RUNNING and group.site == site):
            found += group.count
    return found


def _may_try(group: JobGroup, site: str, shape: Shape, brokerage: Brokerage) -> bool:
    """Whether nothing but the probation keeps a group's jobs from a site."""
    begun = group.decision is not None and group.decision.sites != (group.sites or ())
    if begun or site in shape.left or site in (group.sites or ()):
        return False
    return brokerage.choose(shape).refusal_tag(site) == PROBED


def _probe(group: JobGroup, shape: Shape, site: str, count: int, at: tuple[Brokerage, int]) -> Place:
    brokerage, now = at
    last, verdicts = group.decision, brokerage.judge(shape)
    words = f"sent to {site} to see whether it is well again: it {brokerage.health.ailing[site].words}"
    moves = (last.moves if last else 0) + int(bool(group.sites))
    epoch = 1 + (last.epoch if last else 0)
    left = left_after(group, (site,), Choice(verdicts), now, brokerage.policy)
    decision = Decision(epoch, moves, (site,), group.sites or (), "probe", words, now, left)
    return Place(group.cluster, group.task, group.batch, count, group.sites, decision, verdicts)
