"""How jobs ended at single nodes: enough to tell a node that fails all of them from a site that does."""

from collections.abc import Iterable
from dataclasses import dataclass

from router.model.event import BUCKET_S, EventKind, JobEvent, is_users, may_be_sites


@dataclass(frozen=True, slots=True)
class NodeTally:
    """What became of jobs at one node in one bucket of time."""

    site: str
    node: str
    bucket: int
    """When the bucket begins, seconds since the epoch."""
    good: int = 0
    failed: int = 0
    """For what may be the site's fault."""
    doubtful: int = 0
    """For what is mostly the user's fault, and comes of a broken node as well."""


def tally_nodes(events: Iterable[JobEvent]) -> tuple[NodeTally, ...]:
    """What `events` add to the outcomes of nodes; those whose node nobody tells add nothing."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for event in events:
        kind = _kind(event)
        if kind is not None and event.site and event.node:
            key = (event.site, event.node, int(event.at // BUCKET_S) * BUCKET_S)
            found.setdefault(key, [0, 0, 0])[kind] += 1
    return tuple(NodeTally(*key, *counts) for key, counts in found.items())


def _kind(event: JobEvent) -> int | None:
    """Which of the three counts an event belongs to; None: to none."""
    if event.kind is EventKind.FINISHED and not event.cause:
        return 0
    if event.kind is EventKind.HELD and may_be_sites(event.cause):
        return 2 if is_users(event.cause) else 1
    return None
