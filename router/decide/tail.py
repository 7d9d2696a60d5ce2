"""The tail of a task: its last jobs that wait, for which all the others have to wait."""

from collections.abc import Mapping

from router.model.job import JobState, Source
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.model.world import World


def tails(world: World, inputs: Mapping[Source, Inputs], policy: BrokerPolicy) -> frozenset[str]:
    """The tasks of which no more than a share still waits.

    How many jobs a task has is told by what they read, or by its merge job; where neither does, it has no tail. Batches
    that are done do not count, so that a tail is rather seen late than early.
    """
    idle: dict[str, int] = {}
    sources: dict[str, set[Source]] = {}
    for group in world.jobs:
        if group.task:
            sources.setdefault(group.task, set()).add(group.source)
            if group.state is JobState.IDLE:
                idle[group.task] = idle.get(group.task, 0) + group.count
    expected = {each.task: each.expected for each in world.progress}
    return frozenset(
        task
        for task, waiting in idle.items()
        if waiting
        <= policy.tail_share
        * max(expected.get(task, 0), sum(inputs[each].jobs for each in sources[task] if each in inputs))
    )
