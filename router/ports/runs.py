"""What is remembered of runs while they last."""

from collections.abc import Collection, Mapping
from typing import Protocol

from router.model.attempt import Activity


class RunMemory(Protocol):
    """What runs had done when they were last seen to do something."""

    def activities(self) -> Mapping[tuple[int, int, int], Activity]:
        """That of each run that was there at the last look, by its key."""
        ...

    def last_look(self) -> float:
        """When the runs were looked at last, seconds since the epoch; 0: never."""
        ...

    def note_activities(self, seen: Collection[Activity], at: float) -> None:
        """Remember that of these runs, and of no other, and when they were looked at; all of it, or nothing."""
        ...
