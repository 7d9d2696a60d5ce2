"""What the route loop did, counted and in words."""

from dataclasses import dataclass, field

from router.decide.causes import tagged
from router.decide.ranked import Ranked
from router.model.action import Action, Diagnose, Mend, Place, Vacate, Wait
from router.model.cause import Cure


@dataclass
class Counts:
    """What the loop has done since it started, for the metrics."""

    decisions: dict[tuple[str, str], int] = field(default_factory=dict)
    """By kind and outcome."""
    moves: dict[str, int] = field(default_factory=dict)
    """Jobs moved, by the reason's tag."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Sites refused in decisions, by the reason's tag."""
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    """Jobs that failed, by the cause's tag and whose fault it is."""
    widened: dict[str, int] = field(default_factory=dict)
    """Jobs that got further sites, by the reason's tag."""

    def add(self, action: Action, outcome: str) -> None:
        """Count one action."""
        kind = kind_of(action)
        self.decisions[kind, outcome] = self.decisions.get((kind, outcome), 0) + 1
        if isinstance(action, Vacate) or (isinstance(action, Place) and action.old):
            counted = self.moves if isinstance(action, Vacate) or action.is_move else self.widened
            tag = action.decision.tag
            counted[tag] = counted.get(tag, 0) + action.count
        if isinstance(action, Diagnose) and outcome == "applied":
            cause = tagged(action.remedy.cause)
            key = (cause.tag, str(cause.fault))
            self.failures[key] = self.failures.get(key, 0) + action.count
        if isinstance(action, Place | Wait) and isinstance(action.verdicts, Ranked):
            for tag, count in action.verdicts.refusals().items():
                self.refusals[tag] = self.refusals.get(tag, 0) + count


def kind_of(action: Action) -> str:
    """What kind of action it is, for counting."""
    match action:
        case Place():
            return "move" if action.is_move else "place"
        case Diagnose():
            return "give-up" if action.remedy.cure is Cure.NONE else "retry"
    return type(action).__name__.lower()


def words_of(action: Action) -> str:
    """What an action says, in a line."""
    match action:
        case Place():
            return f"{action.count} job(s) {action.decision.words}"
        case Vacate():
            return f"{action.count} job(s) {action.words}"
        case Diagnose():
            return f"{action.count} job(s) {action.words}"
        case Mend():
            return f"{action.count} job(s) released: {action.words}"
    return action.words
