"""Back-pressure: a slow schedd is asked for less, and for more again when it is quick."""

import pytest

from router.errors import OutcomeUnknown
from router.loops.pressure import LEAST, MOST, STEP, Pressure
from router.model.action import Wait
from router.testing.build import a_batch, a_place

WAIT = Wait(9, "", "", 1, "nothing fits")
THREE = [a_place(cluster, count=10) for cluster in (1, 2, 3)]


def test_a_quick_schedd_gets_all_at_once():
    assert Pressure().admitted([*THREE, WAIT], 0.5) == [*THREE, WAIT]


def test_the_limit_admits_the_oldest_and_what_edits_nothing():
    assert Pressure(limit=25).admitted([*THREE, WAIT], None) == [*THREE[:2], WAIT]
    assert Pressure(limit=5).admitted([*THREE, WAIT], None) == [THREE[0], WAIT]


def test_no_younger_one_slips_past_a_large_one():
    large, small = a_place(2, count=100), a_place(3, count=1)
    assert Pressure(limit=50).admitted([THREE[0], large, small], None) == [THREE[0]]


def test_a_schedd_that_is_always_busy_gets_no_edit():
    assert Pressure().admitted([*THREE, WAIT], 0.99) == [WAIT]


def test_slow_passes_halve_it_and_quick_ones_add_to_it():
    pressure = Pressure()
    pressure.went(80_000, 11.0)
    assert pressure.limit == 40_000
    pressure.lost(40_000)
    assert pressure.limit == 20_000
    pressure.went(20_000, 1.0)
    assert pressure.limit == 20_000 + STEP


def test_it_has_a_floor_and_a_ceiling():
    pressure = Pressure()
    for _ in range(30):
        pressure.lost(pressure.limit)
    assert pressure.limit == LEAST
    for _ in range(100):
        pressure.went(1, 0.1)
    assert pressure.limit == MOST


def test_a_pass_without_edits_says_nothing():
    pressure = Pressure(limit=2000)
    pressure.went(0, 0.0)
    assert pressure.limit == 2000


def test_the_router_asks_for_less_after_an_edit_without_an_answer_and_in_the_end_places_all(organisation):
    for number in range(3):
        organisation.submit(a_batch(jobs=LEAST), name=f"t-{number}")
    route = organisation.route()
    organisation.pool.break_at("place", OutcomeUnknown("no answer within 60 s"))
    with pytest.raises(OutcomeUnknown):
        route.step()
    assert route.pressure.limit == 3 * LEAST // 2
    assert [action.count for action in route.step()] == [LEAST]
    assert [action.count for action in route.step()] == [LEAST, LEAST]


def test_the_router_leaves_a_busy_schedd_alone(organisation):
    organisation.submit()
    route = organisation.route()
    organisation.pool.schedd.duty = 0.995
    assert route.step() == []
    assert organisation.history() == []
    organisation.pool.schedd.duty = 0.5
    assert len(route.step()) == 1
