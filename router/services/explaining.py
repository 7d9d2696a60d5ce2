"""Why jobs are where they are: what brokerage says of each site now, and what it said before."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.decide.advise import advise
from router.decide.bars import Bars
from router.decide.policies import Choices
from router.decide.reconcile import shape_of
from router.decide.retry import failures
from router.errors import NotFound
from router.model.answer import BatchWhy, alike
from router.model.fetch import alike as failed_alike
from router.model.job import JobGroup, JobState, Source
from router.model.policy import BrokerPolicy
from router.model.task import Inputs, Shape
from router.model.world import World
from router.ports import UserMemory
from router.services.planning import shape_of as planning_shape


@dataclass(frozen=True, slots=True)
class Explaining:
    """What explains jobs to one user."""

    memory: UserMemory
    user: str
    policy: BrokerPolicy

    def why(self, wanted: str, world: World) -> list[BatchWhy]:
        """Why the jobs of a task, of a cluster or of one job (`12` or `12.0`) are where they are in a world."""
        inputs = dict(world.inputs)
        choices = Choices(world, self.policy)
        bars = Bars.of(world, choices.brokerage)
        found = []
        for batch, cluster in self._clusters(wanted):
            history = tuple(self.memory.of_cluster(cluster))
            unread = failed_alike(self.memory.failed_fetches(cluster))
            for groups in alike(group for group in world.jobs if group.cluster == cluster) or [()]:
                shape = self._shape(wanted, groups, inputs, bars)
                idle = sum(group.count for group in groups if group.state is JobState.IDLE)
                advice = tuple(advise(choices.brokerage, shape, idle)) if idle and choices.estimates else ()
                choice = choices.choose(shape, max(idle, 1), groups[0].owner if groups else self.user)
                told = failures(groups)
                copies = tuple(self.memory.placements(shape.dataset)) if shape.dataset else ()
                known = (batch, cluster, shape, groups, choice, history, told, advice)
                found.append(BatchWhy(*known, self.policy.name, unread, copies))
        return found

    def _clusters(self, wanted: str) -> list[tuple[str, int]]:
        cluster = wanted.partition(".")[0]
        if cluster.isdecimal():
            return [("", int(cluster))]
        task = self.memory.task(wanted)
        return [(each.key, each.cluster) for each in self.memory.batches(task.id) if each.cluster is not None]

    def _shape(self, wanted: str, groups: Sequence[JobGroup], inputs: dict[Source, Inputs], bars: Bars) -> Shape:
        if groups:
            return shape_of(groups[0], inputs, bars)
        try:
            payload = self.memory.task(wanted).payload
        except NotFound:
            return Shape()
        return planning_shape(payload, Inputs())
