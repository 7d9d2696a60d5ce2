"""One of several routers acts: the lease, its loss, and a rival with another database."""

import os

import pytest

from router.errors import LeaseLost, TemporaryError
from router.loops.lease import Leadership, Station
from router.model.record import Lease
from router.testing.clock import NOON, FakeClock

HELD = Lease("first", int(NOON), 0)


@pytest.fixture
def candidate(store):
    clock = FakeClock()

    def made(holder, monotonic=clock.now, **changes):
        return Leadership(store, "router", holder, 120.0, clock, monotonic, **changes)

    made.clock = clock
    return made


def test_the_first_leads_and_the_second_stands_by(candidate, store):
    first, second = candidate("first"), candidate("second")
    assert (first.lead(), second.lead()) == (True, False)
    assert store.lease("router") == HELD
    assert first.until() == candidate.clock.now() + 60
    with pytest.raises(LeaseLost):
        second.until()


def test_each_pass_renews(candidate):
    first, second = candidate("first"), candidate("second")
    for _ in range(20):
        assert (first.lead(), second.lead()) == (True, False)
        candidate.clock.pass_time(30)


def test_a_standby_takes_over_within_the_lease_and_the_old_one_stands_by(candidate, caplog):
    first, second = candidate("first"), candidate("second")
    first.lead()
    waited = 0
    while not second.lead():
        candidate.clock.pass_time(30)
        waited += 30
    assert waited <= 120
    with pytest.raises(LeaseLost):
        first.until()
    assert first.lead() is False
    assert "the lease of the router is lost to second: standing by" in caplog.text
    assert second.term > HELD.term


@pytest.mark.parametrize("skew", [-3600.0, 3600.0, 172_800.0])
def test_clocks_that_differ_make_no_difference(candidate, skew):
    first = candidate("first")
    second = candidate("second", lambda: candidate.clock.now() + skew)
    first.lead()
    assert second.lead() is False
    candidate.clock.pass_time(59)
    first.until()
    assert second.lead() is False


def test_a_holder_that_is_silent_has_stopped_before_another_one_begins(candidate):
    first, second = candidate("first"), candidate("second")
    first.lead()
    second.lead()
    candidate.clock.pass_time(60)
    with pytest.raises(LeaseLost):
        first.until()
    assert second.lead() is True


def test_one_that_is_known_to_have_ended_is_not_waited_for(candidate):
    candidate("first").lead()
    assert candidate("second", gone=lambda holder: holder == "first").lead() is True


def test_one_that_resigns_is_followed_at_once(candidate, store):
    first = candidate("first")
    first.lead()
    first.resign()
    assert candidate("second").lead() is True
    with pytest.raises(LeaseLost):
        first.until()


def test_an_answer_that_was_lost_makes_no_stranger_of_the_holder(candidate, store, monkeypatch):
    first, swap = candidate("first"), store.swap_lease

    def swapped_without_answer(*arguments):
        swap(*arguments)
        raise TemporaryError("the database does not answer")

    monkeypatch.setattr(store, "swap_lease", swapped_without_answer)
    with pytest.raises(TemporaryError):
        first.lead()
    monkeypatch.undo()
    assert first.lead() is True
    assert first.term == HELD.term


def test_of_two_that_see_a_free_lease_one_gets_it(candidate, store, monkeypatch):
    first, second, look = candidate("first"), candidate("second"), store.lease
    monkeypatch.setattr(store, "lease", lambda name: None)
    assert (first.lead(), second.lead()) == (True, False)
    monkeypatch.setattr(store, "lease", look)
    assert second.lead() is False


def test_the_database_refuses_what_a_router_writes_that_lost_its_lease(candidate, store):
    candidate("first").lead()
    store.write_only_as("second", "router")
    try:
        with pytest.raises(LeaseLost, match="held by first"):
            store.note_glideins(["SITE_A"], [], 1.0)
        store.write_only_as("first", "router")
        store.note_glideins(["SITE_A"], [], 1.0)
    finally:
        store.database.fence = lambda _: None


def test_a_new_database_begins_above_the_terms_that_jobs_carry(candidate, store):
    first = candidate("first")
    first.lead()
    first.saw(HELD.term + 7)
    assert first.term == HELD.term + 8
    assert store.lease("router").term == HELD.term + 8
    first.saw(HELD.term + 8)
    assert first.lead() is True


def test_a_rival_with_another_database_is_noticed_and_left_the_field(candidate):
    first = candidate("first")
    first.lead()
    first.saw(0)
    with pytest.raises(LeaseLost, match="another router, with another database"):
        first.saw(HELD.term + 1)
    assert first.lead() is False
    candidate.clock.pass_time(1000)
    assert first.lead() is False


def test_a_station_knows_of_processes_on_its_machine_whether_they_have_ended(tmp_path):
    first, second = Station("router", tmp_path), Station("router", tmp_path)
    assert first.holder != second.holder
    assert (first.gone(second.holder), second.gone(first.holder)) == (False, False)
    os.close(first._lock)
    assert second.gone(first.holder.replace(first.token, second.token)) is False
    assert second.gone(f"{first.holder.rpartition('(')[0]}({first.token})") is True
    assert list((tmp_path / "run").iterdir()) == [tmp_path / "run" / f"router-{second.token}.lock"]
    assert second.gone("elsewhere:/home, process 7 (00000000)") is False
    os.close(second._lock)


def test_a_router_that_stands_by_touches_nothing(organisation, candidate):
    organisation.submit()
    candidate("first").lead()
    route = organisation.route()
    route.leader = candidate("second")
    assert route.step() == []
    assert organisation.groups()[0].sites is None


def test_decisions_carry_the_term(organisation, candidate):
    organisation.submit()
    route = organisation.route()
    route.leader = candidate("first")
    route.step()
    assert organisation.groups()[0].decision.term == HELD.term
