"""A pass looks at what is new, and at all when a site has changed or some minutes are over."""

from dataclasses import replace

import pytest

from router.decide.focus import EVERY_S, Focus, is_open
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.site import Outcomes, SiteStatus
from router.model.world import TaskProgress
from router.testing.build import a_decision, a_failure, a_group, a_site, a_world
from router.testing.clock import NOON

PLACED = a_group(1, sites=("SITE_A",), decision=a_decision("SITE_A"))
NEW = a_group(2)
WORLD = a_world(a_site(cores=8), jobs=(PLACED,))


def focused(focus: Focus, world):
    return [group.cluster for group in focus.on(world, BrokerPolicy()).jobs if not group.fixed]


@pytest.fixture
def focus() -> Focus:
    made = Focus()
    assert focused(made, WORLD) == [1]
    return made


def test_what_was_decided_needs_no_second_look_though_its_jobs_become_fewer(focus):
    assert focused(focus, WORLD) == []
    assert focused(focus, replace(WORLD, jobs=(replace(PLACED, count=3), NEW))) == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"sites": ("SITE_B",)},
        {"decision": a_decision("SITE_B", epoch=2)},
        {"requests": a_group(memory_mb=9000).requests},
        {"block": ("SITE_A",)},
    ],
)
def test_a_group_that_changed_is_looked_at(focus, changes):
    assert focused(focus, replace(WORLD, jobs=(replace(PLACED, **changes),))) == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": SiteStatus.DRAINING},
        {"failure": a_failure()},
        {"outcomes": Outcomes(0, 10)},
        {"silent_s": BrokerPolicy().silent_limit_s + 1},
        {"cores": 0},
    ],
)
def test_a_site_that_changed_has_all_groups_looked_at(focus, changes):
    world = replace(WORLD, sites=(replace(WORLD.sites[0], **changes),))
    assert focused(focus, world) == [1]
    assert focused(focus, world) == []


def test_numbers_of_a_site_that_change_all_the_time_change_nothing(focus):
    site = replace(WORLD.sites[0], waiting_jobs=5, idle_cores=3, running_jobs=2, outcomes=Outcomes(9, 1))
    assert focused(focus, replace(WORLD, sites=(site,))) == []


@pytest.mark.parametrize(("age", "seen"), [(EVERY_S - 1, []), (EVERY_S, [1])])
def test_all_groups_are_looked_at_now_and_then(focus, age, seen):
    assert focused(focus, replace(WORLD, now=NOON + age)) == seen


def test_what_is_fixed_or_runs_stays_as_it_is(focus):
    running = replace(PLACED, state=JobState.RUNNING)
    assert focus.on(replace(WORLD, jobs=(running,)), BrokerPolicy()).jobs == (running,)


def test_nothing_is_open_when_all_jobs_are_placed_and_no_merge_job_waits(focus):
    assert not is_open(focus.on(WORLD, BrokerPolicy()))
    assert is_open(focus.on(replace(WORLD, jobs=(PLACED, NEW)), BrokerPolicy()))
    assert is_open(focus.on(replace(WORLD, progress=(TaskProgress("zmumu-1", 1, 1, 9),)), BrokerPolicy()))
