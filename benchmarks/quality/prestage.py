"""Copying before starting, as PanDA's data management does for jobs sent away from their input.

A job that is placed where its input is not waits outside of the slots until its copy has come, and reads locally then.
"""

from collections.abc import Callable
from functools import partial

from benchmarks.quality.queue import Bunch, Queue
from benchmarks.quality.transfers import Transfers

Sources = Callable[[Bunch], tuple[int, ...]]


class Prestage:
    """The copies on their way, and those that have come."""

    def __init__(self, queue: Queue, transfers: Transfers, sizes: list[float], sources: Sources) -> None:
        self._queue, self._transfers, self._sizes, self._sources = queue, transfers, sizes, sources
        self._there: set[tuple[int, int]] = set()

    def has(self, job: int, site: int) -> bool:
        """Whether a job's input was copied there."""
        return (job, site) in self._there

    def hold_back(self, bunch: Bunch) -> None:
        """Ask for copies for the jobs that need one; until then they cannot start."""
        sites = bunch.siteset.sites if bunch.siteset else ()
        if len(sites) != 1 or not bunch.spec.replicas or sites[0] in bunch.spec.replicas:
            return
        for job in bunch.jobs:
            if self._sizes[job] and not self.has(job, sites[0]):
                come = partial(self._come, job, bunch, sites[0])
                bunch.coming[job] = self._transfers.start(self._sizes[job], self._sources(bunch), sites[0], come)
        self._queue.hold_back(bunch)

    def give_back(self, bunch: Bunch, count: int) -> None:
        """Cancel the copies of `count` jobs, the newest first: they are to go elsewhere."""
        for job in list(bunch.coming)[::-1][: max(count, 0)]:
            self._transfers.cancel(bunch.coming[job])
            self._queue.let_go(job, bunch)

    def _come(self, job: int, bunch: Bunch, site: int) -> None:
        if job in bunch.coming:
            self._there.add((job, site))
            self._queue.let_go(job, bunch)
