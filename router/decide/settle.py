"""What became of decisions whose outcome was never written down: the pool tells."""

from collections.abc import Iterable, Iterator

from router.model.job import JobGroup, JobState
from router.model.record import OpenDecision


def settle(decisions: Iterable[OpenDecision], jobs: Iterable[JobGroup]) -> Iterator[tuple[int, str]]:
    """Number and outcome of each decision that the pool answers.

    One that is neither applied nor overtaken stays open: the same decision is about to be taken again.
    """
    groups: dict[int, list[JobGroup]] = {}
    for group in jobs:
        groups.setdefault(group.cluster, []).append(group)
    for decision in decisions:
        if outcome := _outcome(decision, groups.get(decision.cluster, [])):
            yield decision.number, outcome


def _outcome(decision: OpenDecision, groups: list[JobGroup]) -> str:
    if not groups:
        return "superseded"
    match decision.kind:
        case "place" | "move":
            found = [(group.decision.epoch, group.sites) for group in groups if group.decision]
            if (decision.epoch, decision.sites) in found:
                return "applied"
            return "superseded" if any(epoch > decision.epoch for epoch, _ in found) else ""
        case "release":
            return "" if any(group.state is JobState.HELD for group in groups) else "applied"
    return "applied"
