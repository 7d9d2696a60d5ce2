"""Sources that do not answer, or say what cannot be: the router does less, and says so."""

import pytest

from router.errors import PoolUnreachable
from router.loops.careful import AGAIN_S, BELIEVED_AFTER, FAILURES_EVERY_S, FEW_GLIDEINS, FEW_JOBS, KEPT_S, SLOW_S
from router.model.world import COLLECTOR, EVENT_LOG, SCHEDD
from router.testing.build import a_batch
from router.testing.events import FakeEventLog


@pytest.fixture
def busy(organisation):
    """A router that has seen placed jobs and many glideins."""
    organisation.submit(a_batch(jobs=FEW_JOBS))
    for _ in range(FEW_GLIDEINS):
        organisation.glidein("SITE_A")
    route = organisation.route()
    route.step()
    return route


def all_glideins_leave(organisation):
    organisation.pool.schedd.glideins.clear()


def cores(route) -> int:
    return sum(site.cores for site in route.world.sites)


def test_a_collector_that_does_not_answer_leaves_what_it_said_last(organisation, busy, caplog):
    organisation.pool.break_at("slots", PoolUnreachable("collector down"))
    organisation.submit(name="later-1")
    (place,) = busy.step()
    assert (place.task, cores(busy)) == ("later-1", 8 * FEW_GLIDEINS)
    assert dict(busy.world.stale) == {COLLECTOR: "does not answer: collector down"}
    assert "jobs keep their sites meanwhile: the collector does not answer" in caplog.text
    busy.step()
    assert busy.world.stale == ()


def test_no_job_is_moved_while_the_collector_is_not_believed(organisation, busy):
    organisation.drain("SITE_A")
    organisation.pool.break_at("slots", PoolUnreachable("collector down"), times=2)
    assert [busy.step(), busy.step()] == [[], []]
    (move,) = busy.step()
    assert move.is_move


def test_what_a_collector_said_last_does_not_stand_for_ever(organisation, busy):
    organisation.pool.break_at("slots", PoolUnreachable("collector down"), times=2)
    organisation.clock.pass_time(KEPT_S)
    busy.step()
    organisation.clock.pass_time(1)
    with pytest.raises(PoolUnreachable):
        busy.step()
    assert busy.careful.errors == {COLLECTOR: 2}


def test_an_empty_pool_is_not_all_sites_dead_until_it_says_so_again_and_again(organisation, busy):
    all_glideins_leave(organisation)
    seen = []
    for _ in range(BELIEVED_AFTER + 1):
        busy.step()
        seen.append((cores(busy), dict(busy.world.stale)))
    doubted = (8 * FEW_GLIDEINS, {COLLECTOR: f"shows 0 glideins, where {FEW_GLIDEINS} were"})
    assert seen == [doubted] * (BELIEVED_AFTER - 1) + [(0, {})] * 2


def test_a_collector_that_recovers_is_believed_at_once_and_doubted_anew(organisation, busy):
    glideins = list(organisation.pool.schedd.glideins)
    for _ in range(BELIEVED_AFTER):
        all_glideins_leave(organisation)
        busy.step()
        assert busy.world.stale
        organisation.pool.schedd.glideins.extend(glideins)
        busy.step()
        assert not busy.world.stale


def test_a_few_glideins_may_go_at_once(organisation):
    organisation.glidein("SITE_A")
    route = organisation.route()
    route.step()
    all_glideins_leave(organisation)
    route.step()
    assert (route.world.stale, cores(route)) == ((), 0)


def test_no_site_becomes_silent_because_the_collector_forgot_its_glideins(organisation, busy):
    all_glideins_leave(organisation)
    busy.step()
    organisation.clock.pass_time(60)
    assert organisation.store.silences(organisation.clock.now()).get("SITE_A", 0.0) == 0.0


def test_what_refused_nodes_say_is_kept_with_the_glideins(organisation, busy):
    organisation.pool.break_at("failures", PoolUnreachable("collector down"))
    organisation.clock.pass_time(FAILURES_EVERY_S)
    assert busy.step() == []
    assert dict(busy.world.stale) == {COLLECTOR: "does not answer: collector down"}


def test_an_empty_queue_where_many_jobs_were_settles_nothing(organisation, busy):
    jobs = list(organisation.pool.schedd.queue)
    organisation.drain("SITE_A")
    organisation.pool.break_at("place", PoolUnreachable("schedd died"))
    with pytest.raises(PoolUnreachable):
        busy.step()
    organisation.pool.schedd.queue.clear()
    assert busy.step() == []
    assert dict(busy.world.stale) == {SCHEDD: f"shows an empty queue, where {FEW_JOBS} jobs were"}
    assert organisation.history()[-1].outcome == "unknown"
    organisation.pool.schedd.queue.extend(jobs)
    (move,) = busy.step()
    assert move.is_move


def test_an_empty_queue_is_believed_at_last(organisation, busy):
    organisation.pool.schedd.queue.clear()
    for _ in range(BELIEVED_AFTER):
        busy.step()
    assert busy.world.stale == ()


def test_a_world_says_when_each_source_was_read(organisation, busy):
    busy.events = FakeEventLog(organisation.pool)
    start = organisation.clock.now()
    organisation.clock.pass_time(60)
    organisation.pool.break_at("slots", PoolUnreachable("collector down"))
    busy.step()
    read = dict(busy.world.read)
    assert (read[COLLECTOR], read[SCHEDD], read[EVENT_LOG]) == (start, start + 60, start + 60)


def test_a_router_that_starts_while_the_collector_is_away_places_new_jobs_by_what_sites_declare(organisation):
    organisation.submit()
    organisation.pool.break_at("slots", PoolUnreachable("collector down"))
    route = organisation.route()
    (place,) = route.step()
    assert (place.decision.sites, cores(route)) == (("SITE_A", "SITE_B"), 0)
    assert dict(route.world.stale) == {COLLECTOR: "does not answer: collector down"}
    assert organisation.store.vanished() == set()


def test_a_collector_that_hangs_is_not_waited_for_in_each_pass(organisation, busy, monkeypatch):
    asked = []

    def hang():
        asked.append(organisation.clock.now())
        organisation.clock.pass_time(SLOW_S + 1)
        raise PoolUnreachable("hangs")

    monkeypatch.setattr(organisation.pool, "slots", hang)
    busy.step()
    busy.step()
    assert (len(asked), dict(busy.world.stale)) == (1, {COLLECTOR: "does not answer: hangs"})
    monkeypatch.undo()
    organisation.clock.pass_time(AGAIN_S)
    busy.step()
    assert busy.world.stale == ()
