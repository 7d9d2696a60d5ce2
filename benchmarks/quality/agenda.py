"""The simulator's clock: what happens when, in order of time and, at equal times, of asking."""

import heapq
from collections.abc import Callable
from typing import Any


class Agenda:
    """A heap of things to do; doing one sets `now` to its time."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the simulation began."""
        self.done = 0
        """Things done so far."""
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = 0

    def at(self, time: float, do: Callable[..., None], *arguments: Any) -> None:
        """Ask that `do(*arguments)` is called at `time`, in seconds."""
        self._serial += 1
        heapq.heappush(self._heap, (time, self._serial, do, arguments))

    def run(self, finished: Callable[[], bool]) -> None:
        """Do one thing after the other until `finished()` or nothing is left."""
        heap, pop = self._heap, heapq.heappop
        while heap and not finished():
            self.now, _, do, arguments = pop(heap)
            do(*arguments)
            self.done += 1
