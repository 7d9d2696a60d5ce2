"""The peers do what their originals do."""

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.quality.deciders import Overflow, decider, fits, least_loaded, once, replica_sites
from benchmarks.quality.grid import Grid, GridSite
from benchmarks.quality.panda import Panda
from router.errors import UserError
from router.model.action import Action, Place
from router.model.job import JobGroup, JobState
from router.model.site import SiteStatus
from router.model.task import Inputs
from router.model.world import World
from router.testing.build import a_decision, a_group, a_site, inputs_at

HOUR = 3600.0


def a_world(*sites: str, idle: tuple[JobGroup, ...] = (), inputs: Inputs | None = None, now: float = 0.0) -> World:
    """Sites with a hundred cores; the first group reads `inputs`."""
    found = tuple(a_site(name, cores=100, idle_cores=50) for name in sites)
    return World(now, found, idle, ((1, inputs),) if inputs else ())


def places(actions: object) -> list[Place]:
    """Only the placements."""
    return [action for action in actions if isinstance(action, Place)]  # type: ignore[attr-defined]


def test_replicas_means_the_sites_that_hold_the_whole_input() -> None:
    world = a_world("A", "B", "C", idle=(a_group(count=5),), inputs=Inputs(10, (("A", 10), ("B", 4))))
    [place] = places(once(replica_sites)(world))
    assert place.decision.sites == ("A",)


def test_once_placed_a_group_is_left_alone() -> None:
    placed = a_group(sites=("A",), decision=a_decision("A"))
    assert places(once(replica_sites)(a_world("A", "B", idle=(placed,)))) == []


def test_a_slot_that_is_too_small_does_not_fit() -> None:
    assert not fits(a_group(memory_mb=99_999), a_site(memory_mb=1000))


def test_the_least_loaded_site_has_the_shortest_queue_for_what_it_runs() -> None:
    world = replace(a_world("A", "B"), sites=(a_site("A", waiting_jobs=50), a_site("B", waiting_jobs=5)))
    assert least_loaded(a_group(), Inputs(), world) == ("B",)


def test_overflow_helps_only_jobs_that_wait_at_one_large_site_and_only_once() -> None:
    grid = Grid((GridSite("T1", 1000, region="x", tier=1), GridSite("T2", 10, region="x"), GridSite("FAR", 10)))
    rule = Overflow.of(grid)
    stuck = a_group(sites=("T1",), decision=a_decision("T1"), oldest=0)
    assert places(rule(a_world("T1", "T2", "FAR", idle=(stuck,), now=600.0))) == []
    [place] = places(rule(a_world("T1", "T2", "FAR", idle=(stuck,), now=1300.0)))
    assert place.decision.sites == ("T1", "T2")
    assert places(rule(a_world("T1", "T2", "FAR", idle=(stuck,), now=9999.0))) == []


def test_panda_binds_each_25_jobs_to_one_site_that_has_their_data() -> None:
    group = a_group(count=110)
    found = places(Panda(1)(a_world("A", "B", "C", idle=(group,), inputs=inputs_at("A", "B"))))
    assert sum(place.count for place in found) == 110
    assert {place.decision.sites for place in found} <= {("A",), ("B",)}
    assert all(count % 25 in (0, 10) for count in Counter({p.decision.sites: p.count for p in found}).values())


def test_panda_waits_for_an_offline_site_with_the_data_and_then_copies() -> None:
    panda, group = Panda(1), a_group(count=10)

    def look(now: float) -> list[Action]:
        world = a_world("A", "B", idle=(group,), inputs=inputs_at("A"), now=now)
        closed = tuple(replace(s, status=SiteStatus.OFFLINE) if s.name == "A" else s for s in world.sites)
        return list(panda(replace(world, sites=closed)))

    assert look(0.0) == []
    assert look(1.0 * HOUR) == []
    assert [place.decision.sites for place in places(look(2.5 * HOUR))] == [("B",)]


def test_panda_takes_a_stuck_group_away_and_does_not_send_it_back() -> None:
    panda = Panda(1)
    waiting = a_group(count=10, sites=("A",), decision=replace(a_decision("A"), at=0))
    running = a_group(2, state=JobState.RUNNING, site="A", count=30)
    panda(a_world("A", "B", idle=(waiting, running), inputs=inputs_at("A", "B")))
    list(panda(a_world("A", "B", idle=(waiting, running), inputs=inputs_at("A", "B"), now=10.0)))
    moved = places(panda(a_world("A", "B", idle=(waiting, running), inputs=inputs_at("A", "B"), now=3 * HOUR)))
    assert [place.decision.sites for place in moved] == [("B",)]


def test_thresholds_of_ours_can_be_tried_by_name() -> None:
    assert decider("ours[max_sites=1]", Grid(()), 1)


@pytest.mark.parametrize("name", ["nobody", "any[max_sites=1]", "ours[no_such=1]"])
def test_an_unknown_policy_is_told_with_the_known_ones(name: str) -> None:
    with pytest.raises(UserError, match=r"there are|it has"):
        decider(name, Grid(()), 1)
