"""How much a pass may ask of the schedd: all that is decided while it is quick, less and less while it is not.

Additive increase, multiplicative decrease, as TCP does it. What is not admitted is decided again by a later pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from router.model.action import Action, Place

BUSY = 0.98
"""Over this duty cycle the schedd gets no edits at all; HTCondor's own CURB_MATCHMAKING stops there as well."""
MOST = 1_000_000
LEAST = 1_000
STEP = 50_000
"""Jobs in a pass: never more, never fewer, and how many more after each pass that went well."""
SLOW_S = 10.0
"""Edits of one pass that take longer than this keep users' commands waiting."""


@dataclass
class Pressure:
    """The limit, and what moves it."""

    limit: int = MOST
    """Jobs that one pass may edit."""

    def admitted(self, actions: Sequence[Action], duty: float | None) -> list[Action]:
        """What may be done now: the first placements up to the limit, at least one; and all that edits no job."""
        left = 0 if duty is not None and duty > BUSY else self.limit
        first = left > 0
        taken: list[Action] = []
        for action in actions:
            if isinstance(action, Place):
                if not first and action.count > left:
                    left = 0  # the oldest jobs go first: younger ones do not overtake
                    continue
                left, first = left - action.count, False
            taken.append(action)
        return taken

    def went(self, jobs: int, seconds: float) -> None:
        """Learn from a pass whose edits were answered."""
        if seconds > SLOW_S:
            self.lost(jobs)
        elif jobs:
            self.limit = min(MOST, self.limit + STEP)

    def lost(self, jobs: int) -> None:
        """Learn from a pass whose edits were too slow, or not answered in time."""
        self.limit = max(LEAST, min(self.limit, jobs) // 2)
