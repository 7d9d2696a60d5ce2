"""What the router itself holds against sites, its limits, and the jobs that try whether a site is well again."""

import pytest

from router.decide.health import EVICTING, FAILING, HOLE, NO_STARTS, PROBED, health
from router.decide.reconcile import decide
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus
from router.testing.build import a_decision, a_failure, a_group, a_site, a_world
from router.testing.clock import NOON

POLICY = BrokerPolicy()
OTHERS = tuple(a_site(name, cores=8, starts=5) for name in ("SITE_B", "SITE_C", "SITE_D"))
HOLED = {"streak": 10, "streak_tasks": 2, "streak_at": NOON}


def tags(*sites, jobs=(), now=NOON, policy=POLICY):
    return {name: each.tag for name, each in health(sites, jobs, policy, now).closed.items()}


@pytest.mark.parametrize(
    ("seen", "tag"),
    [
        ({"succeeded": 4, "failed": 6}, FAILING),
        ({"succeeded": 5, "failed": 5}, None),
        ({"failed": 9}, None),
        (HOLED, HOLE),
        ({**HOLED, "succeeded": 1000}, HOLE),
        ({**HOLED, "streak": 9}, None),
        ({**HOLED, "streak_tasks": 1}, None),
        ({"starts": 10, "evictions": 6}, EVICTING),
        ({"starts": 10, "evictions": 5}, None),
        ({"starts": 9, "evictions": 9}, None),
    ],
)
def test_outcomes_speak_against_a_site(seen, tag):
    assert tags(a_site(**seen), *OTHERS).get("SITE_A") == tag


@pytest.mark.parametrize(
    ("site", "age", "elsewhere", "tag"),
    [
        ({"idle_cores": 8}, 1801, 5, NO_STARTS),
        ({"idle_cores": 8}, 1800, 5, None),
        ({"idle_cores": 0}, 9000, 5, None),
        ({"idle_cores": 8, "running_jobs": 1}, 9000, 5, None),
        ({"idle_cores": 8, "starts": 1}, 9000, 5, None),
        ({"idle_cores": 8}, 9000, 0, None),
    ],
    ids=["waited", "not long", "no idle core", "some run", "some started", "nothing starts anywhere"],
)
def test_a_site_that_starts_nothing_while_others_do_is_noticed(site, age, elsewhere, tag):
    waits = a_group(sites=("SITE_A",), decision=a_decision("SITE_A", at=int(NOON) - age))
    found = tags(a_site(cores=8, **site), a_site("SITE_B", starts=elsewhere), jobs=(waits,))
    assert found.get("SITE_A") == tag


def test_no_more_than_half_of_the_sites_that_are_online_are_closed_and_the_least_ill_stay_open():
    ill = [a_site(name, succeeded=20 - failed, failed=failed) for name, failed in (("A", 12), ("B", 20), ("C", 16))]
    closed = a_site("D", status=SiteStatus.OFFLINE, failed=20)
    found = health([*ill, a_site("E"), closed], (), POLICY, NOON)
    assert (set(found.closed), found.spared) == ({"B", "C"}, {"A"})
    assert "They stay open all the same: A." in found.warning
    assert health([a_site(failed=20)], (), POLICY, NOON).closed == {}


def test_nobody_is_warned_while_the_breaker_need_not_act():
    assert health([a_site(failed=20), *OTHERS], (), POLICY, NOON).warning == ""


@pytest.mark.parametrize(
    ("streak", "age", "tag"),
    [(10, 899, HOLE), (10, 900, PROBED), (12, 1799, HOLE), (12, 1800, PROBED), (99, 14400, PROBED)],
)
def test_a_black_hole_is_tried_after_a_while_and_later_each_time(streak, age, tag):
    site = a_site(**{**HOLED, "streak": streak, "streak_at": NOON - age})
    assert tags(site, *OTHERS) == {"SITE_A": tag}


# What is done about it


def placed(world):
    return [(place.count, place.old, place.decision.sites, place.decision.tag) for place in decide(world, POLICY)]


def on_probation(**changes):
    return a_site("SITE_A", cores=8, idle_cores=8, **{**HOLED, "streak_at": NOON - 900, **changes})


def test_idle_jobs_leave_a_black_hole_and_the_reason_is_told():
    group = a_group(sites=("SITE_A",), decision=a_decision("SITE_A"))
    (move,) = decide(a_world(a_site(**HOLED), *OTHERS, jobs=(group,)), POLICY)
    assert (move.decision.tag, move.is_move, "SITE_A" in move.decision.sites) == (HOLE, True, False)
    assert "SITE_A failed 10 jobs in a row, of several tasks" in move.decision.words


def test_two_jobs_try_a_site_on_probation_and_the_others_keep_away():
    found = placed(a_world(on_probation(), *OTHERS, jobs=(a_group(1), a_group(2))))
    assert found[0] == (2, None, ("SITE_A",), "probe")
    assert [(count, "SITE_A" in sites) for count, _, sites, _ in found[1:]] == [(8, False), (10, False)]


@pytest.mark.parametrize(
    "there",
    [
        a_group(9, count=2, sites=("SITE_A",), decision=a_decision("SITE_A")),
        a_group(9, count=2, state=JobState.RUNNING, site="SITE_A", sites=("SITE_A",)),
    ],
    ids=["wait", "run"],
)
def test_no_further_jobs_try_while_two_are_there_and_these_stay(there):
    found = placed(a_world(on_probation(), *OTHERS, jobs=(there, a_group(1))))
    assert [(count, "SITE_A" in sites) for count, _, sites, _ in found] == [(10, False)]


def test_nobody_tries_a_site_that_refuses_the_job_or_that_it_left_lately():
    large = a_group(1, memory_mb=16_000)
    left = a_group(2, sites=("SITE_B",), decision=a_decision("SITE_B", left=(("SITE_A", int(NOON) - 60),)))
    world = a_world(on_probation(memory_mb=8000), *OTHERS, jobs=(large, left))
    assert not [each for each in placed(world) if each[3] == "probe"]


def test_a_probe_that_takes_a_job_from_its_sites_counts_as_a_move():
    group = a_group(count=1, sites=("SITE_B",), decision=a_decision("SITE_B", epoch=3, moves=1))
    (probe,) = decide(a_world(on_probation(), *OTHERS, jobs=(group,)), POLICY)
    assert (probe.decision.epoch, probe.decision.moves, probe.decision.came_from) == (4, 2, ("SITE_B",))


@pytest.mark.parametrize(("moves", "site", "moved"), [(9, {}, True), (10, {}, False), (10, {"cpus": 0}, True)])
def test_a_job_that_was_moved_often_is_moved_for_facts_only(moves, site, moved):
    group = a_group(sites=("SITE_A",), decision=a_decision("SITE_A", moves=moves))
    world = a_world(a_site(**HOLED, **site), *OTHERS, jobs=(group,))
    assert bool(placed(world)) == moved


REFUSING = tuple(a_site(name, failure=a_failure(site=name)) for name in ("SITE_B", "SITE_C", "SITE_D"))


def test_sites_whose_nodes_are_refused_count_among_the_ill_and_are_spared_first():
    found = health([a_site(**HOLED), *REFUSING], (), POLICY, NOON)
    assert (set(found.closed), found.spared) == ({"SITE_A"}, {"SITE_B", "SITE_C", "SITE_D"})
    assert "SITE_B, SITE_C, SITE_D" in found.warning


def test_where_all_nodes_are_refused_new_jobs_get_sites_and_the_others_keep_theirs():
    placed = a_group(1, sites=("SITE_D",), decision=a_decision("SITE_D"))
    (place,) = decide(a_world(*REFUSING, jobs=[a_group(2), placed]), POLICY)
    assert (place.cluster, place.decision.sites) == (2, ("SITE_B", "SITE_C", "SITE_D"))


@pytest.mark.parametrize("sites", [REFUSING[:1], (*REFUSING[:2], a_site("SITE_X"), a_site("SITE_Y"))])
def test_a_few_sites_whose_nodes_are_refused_or_the_only_one_are_not_spared(sites):
    assert health(sites, (), POLICY, NOON).spared == frozenset()
