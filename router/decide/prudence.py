"""What is not done while a source is not believed: with stale or absurd input the router does less."""

from collections.abc import Iterable, Iterator

from router.model.action import Action, Place
from router.model.world import World


def prudent(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """`actions` without those that a doubtful world gives no ground for: jobs that have sites keep them.

    First placements go on, since jobs without sites could not run at all, and so do waits and releases.
    """
    for action in actions:
        if not (world.stale and isinstance(action, Place) and action.old):
            yield action
