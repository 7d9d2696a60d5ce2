"""Jobs whose input is lost: no site holds a copy of it any more, on disk or tape, and they can run nowhere.

Those that wait at a site lose it, or they would start there and fail; all of them say why they wait. As soon as the
catalogue knows a copy they are placed like new ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from router.model.action import Place, Verdict, Wait
from router.model.job import Decision, JobGroup, Kind, Source
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.model.world import World

TAG = "input-lost"
MOST_DOUBLINGS = 6
"""The patience of jobs that lost their input doubles with each move, up to 64 times."""
WORDS = "no copy of the input is left at any site; as soon as there is one, they are placed again"


def parted(idle: Sequence[JobGroup], inputs: Mapping[Source, Inputs]) -> tuple[list[JobGroup], list[JobGroup]]:
    """The groups of which there is some input, or that read none, and those whose input is lost."""
    gone = {source for source, read in inputs.items() if read.lost}
    if not gone:
        return list(idle), []
    return [each for each in idle if each.source not in gone], [each for each in idle if each.source in gone]


def stranded(world: World) -> int:
    """Idle jobs whose input is lost."""
    read = dict(world.inputs)
    return sum(group.count for group in parted([each for each in world.jobs if each.is_idle], read)[1])


def told(
    group: JobGroup, verdicts: Sequence[Verdict], kind: Kind | None, now: int, policy: BrokerPolicy
) -> Iterator[Place | Wait]:
    """What becomes of a group whose input is lost: it waits, without sites.

    Jobs that were placed lately keep theirs for a while, longer with each move, and for ever after many: a catalogue
    that says now this, now that, sends nobody to and fro.
    """
    last = group.decision
    begun = last is not None and last.tag == TAG and not last.sites
    if begun and not group.sites:
        return
    if last is not None and begun:
        decision = last
    elif group.sites and (last is None or _may_leave(last, now, policy)):
        decision = _withdrawn(group, now)
    else:
        yield Wait(group.cluster, group.task, group.batch, group.count, WORDS, verdicts)
        return
    yield Place(group.cluster, group.task, group.batch, group.count, group.sites, decision, verdicts, kind)


def _may_leave(last: Decision, now: int, policy: BrokerPolicy) -> bool:
    """Whether jobs had their sites for long enough; what a wrong clock dated in the future holds nobody back."""
    patience = policy.lost_wait_s * 2 ** min(last.moves, MOST_DOUBLINGS)
    return last.moves < policy.most_moves and not last.at <= now < last.at + patience


def _withdrawn(group: JobGroup, now: int) -> Decision:
    sites, last = group.sites or (), group.decision
    words = f"taken from {','.join(sites)}: {WORDS}"
    if last is None:
        return Decision(1, 1, (), sites, TAG, words, now)
    moves = last.moves - int(group.under_way and bool(last.came_from))
    return replace(Decision(last.epoch + 1, moves + 1, (), sites, TAG, words, now), left=last.left)
