"""What became of decisions whose outcome was never written down: the pool tells."""

from collections.abc import Iterable, Iterator

from router.model.job import SUBMITTED_HELD, JobGroup, JobState
from router.model.record import OpenDecision


def settle(decisions: Iterable[OpenDecision], jobs: Iterable[JobGroup]) -> Iterator[tuple[int, str]]:
    """Number and outcome of each decision that the pool answers.

    One that is not committed counts as superseded: should the same be decided again, the log opens it again. Only a
    release that has not come about stays open, because it is about to be repeated.
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
            return "applied" if any(_commits(group, decision) for group in groups) else "superseded"
        case "vacate":
            stopped = (group.decision for group in groups if group.state is not JobState.RUNNING)
            carried = any(made and made.epoch >= decision.epoch for made in stopped)
            return "applied" if carried else "superseded"
        case "retry" | "give-up" | "mend":
            return _outcome_of_treatment(decision, groups)
        case "release":
            return "" if any(group.hold_code == SUBMITTED_HELD for group in groups) else "applied"
    return "applied"


def _commits(group: JobGroup, decision: OpenDecision) -> bool:
    """Whether a group carries a decision, and its sites."""
    made = group.decision
    return (
        made is not None
        and (made.epoch, made.sites) == (decision.epoch, decision.sites)
        and group.sites == decision.sites
    )


def _outcome_of_treatment(decision: OpenDecision, groups: list[JobGroup]) -> str:
    carried = [group for group in groups if group.remedy and group.remedy.hold == decision.epoch]
    if decision.kind == "mend":
        carried = [group for group in carried if group.state is not JobState.HELD or group.holds > decision.epoch]
    return "applied" if carried else "superseded"
