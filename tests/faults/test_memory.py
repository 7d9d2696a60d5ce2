"""A router over some simulated days keeps no more of them than it needs: its memory stays as it is."""

import gc
import logging
import tracemalloc
from functools import _lru_cache_wrapper
from typing import Any

import pytest
from fake_organisation import Organisation

from router.loops.route import Route
from router.model.cause import Cure
from router.model.event import Events
from router.model.job import JobGroup
from router.store.store import Store
from router.testing.build import a_batch
from router.testing.pool import FakePool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

INTERVAL_S = 900.0
PASSES = 100
"""Some 25 hours: they fill what is kept for a day."""
MOST_BYTES = 10_000
"""Of growth in a further day; one kept word for each pass would be more."""

FEW = 100
"""Results that a cached function may keep for ever."""


class DrainedLog:
    """The event log of a FakePool that is deleted as soon as it is read."""

    def __init__(self, pool: FakePool) -> None:
        self._pool, self._read = pool, 0

    def read(self, after: str) -> Events:
        """What happened since the last time."""
        events = tuple(self._pool.schedd.events)
        self._pool.schedd.events.clear()
        self._read += len(events)
        return Events(events, str(self._read))


def live(organisation: Organisation, route: Route, first: int) -> None:
    """Some days: jobs of new tasks come, run, fail, and end; sites come and go."""
    for number in range(first, first + PASSES):
        organisation.submit(a_batch(jobs=3), name=f"t{number}", owner=("alice", "bob")[number % 2])
        if number % 50 == 0:
            organisation.drain("SITE_B")
        route.step()
        organisation.pool.negotiate()
        organisation.pool.fail("SITE_A", 1, exit_code=(71, 72, 74)[number % 3])
        for site in ("SITE_A", "SITE_B"):
            organisation.pool.finish(site)
        given_up = [job for job in organisation.pool.schedd.queue if job.like.holds > 1 or _is_given_up(job.like)]
        for job in given_up:  # as their owners would
            organisation.pool.schedd.queue.remove(job)
        del organisation.pool.schedd.history[:-10]
        organisation.clock.pass_time(INTERVAL_S)


def _is_given_up(like: JobGroup) -> bool:
    return like.remedy is not None and like.remedy.cure is Cure.NONE


def kept() -> tuple[int, list[tracemalloc.Statistic]]:
    """Bytes that the product's own lines hold, and where; but for caches, which have a bound of their own."""
    gc.collect()
    for cache in caches():
        assert cache.cache_parameters()["maxsize"] is not None or cache.cache_info().currsize < FEW, cache
        cache.cache_clear()
    ours = [tracemalloc.Filter(True, "*/router/*"), tracemalloc.Filter(False, "*/router/testing/*")]
    found = tracemalloc.take_snapshot().filter_traces(ours).statistics("lineno")
    return sum(each.size for each in found), found


def caches() -> list[Any]:
    """The product's cached functions."""
    found = (each for each in gc.get_objects() if isinstance(each, _lru_cache_wrapper))
    return [each for each in found if each.__module__.startswith("router.")]


def test_what_a_router_keeps_does_not_grow_with_time() -> None:
    store = Store("sqlite://")  # outside of Python's memory
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged
    organisation = Organisation(store)
    organisation.events = DrainedLog(organisation.pool)
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    route = organisation.route()
    live(organisation, route, 0)  # untraced, which is four times as fast
    tracemalloc.start()
    try:
        sizes = []
        for turn in (1, 2):
            live(organisation, route, turn * PASSES)
            size, where = kept()
            sizes.append(size)
    finally:
        logging.disable(logging.NOTSET)
        tracemalloc.stop()
        store.close()
    most = "\n".join(map(str, where[:10]))
    assert sizes[1] - sizes[0] < MOST_BYTES, f"{sizes} bytes after each {PASSES} passes\n{most}"
    assert len(organisation.pool.schedd.queue) < 100
