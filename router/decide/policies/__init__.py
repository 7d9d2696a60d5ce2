"""The policies: ways to say which sites jobs should have, behind one seam; which one is used, settings say.

One file each. What they share stands in `scene`; the default policy is brokerage with its reconciliation.
"""

from collections.abc import Iterator, Mapping

from router.decide import reconcile
from router.decide.broker import Brokerage
from router.decide.policies import any_site, flow, least_loaded, overflow, panda, random_site, replicas
from router.decide.policies.scene import Policy, Scene, each_alone
from router.errors import UserError
from router.model.action import Action, Choice
from router.model.policy import POLICIES, BrokerPolicy
from router.model.task import Shape
from router.model.world import World

OTHERS: Mapping[str, Policy] = {
    "panda": panda.rule,
    "overflow": each_alone(overflow.answer),
    "replicas": each_alone(replicas.answer),
    "any": each_alone(any_site.answer),
    "random": each_alone(random_site.answer),
    "least-loaded": least_loaded.rule,
    "flow": flow.rule,
}
"""All policies but the default one."""


def decide(world: World, policy: BrokerPolicy) -> Iterator[Action]:
    """What to do now, by the policy that is set. The same world gives the same actions."""
    if policy.name not in OTHERS:
        yield from reconcile.decide(world, policy)
        return
    yield from Scene(world, policy).decide(OTHERS[policy.name])
    yield from reconcile.merges(world)


def check(policy: BrokerPolicy) -> None:
    """Raise UserError where the policy is not known, or lacks what it needs on this machine."""
    if policy.name not in POLICIES:
        raise UserError(f"There is no policy {policy.name!r}; there are {', '.join(POLICIES)}.")
    if policy.name == "flow":
        flow.solver()


class Choices:
    """What users ask of the policy that is set: where jobs of a shape could run now."""

    def __init__(self, world: World, policy: BrokerPolicy) -> None:
        """Answer for `world`."""
        self.brokerage = Brokerage.of(world, policy)
        self._rule = OTHERS.get(policy.name)
        self._scene = Scene(world, policy)

    @property
    def estimates(self) -> bool:
        """Whether sites are chosen by when jobs would be done, as brokerage does."""
        return self._rule is None

    def choose(self, shape: Shape, jobs: int = 1, owner: str = "") -> Choice:
        """The verdict on every site for `jobs` jobs of a shape."""
        if self._rule is None:
            return self.brokerage.choose(shape)
        return self._scene.choose(shape, self._rule, jobs, owner)[0]

    def sites_for(self, shape: Shape, jobs: int) -> tuple[str, ...]:
        """The sites that `jobs` jobs of a shape would get now; empty when nothing fits."""
        if self._rule is None:
            return self.brokerage.sites_for(shape, jobs)
        return self._scene.choose(shape, self._rule, jobs)[1]
