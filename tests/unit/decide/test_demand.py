"""How many glideins are asked for: each limit, and that no number passes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.demand import demand
from router.model.action import StartGlideins
from router.model.job import JobState
from router.model.node import Gpus, Platform
from router.model.policy import DemandPolicy
from router.model.site import SiteStatus
from router.testing.build import a_failure, a_group, a_site, a_world, an_entry, an_entry_state

POLICY = DemandPolicy(per_pass=10, failing_probes=1)


def idle(count: int, *sites: str, **changes):
    return a_group(count=count, sites=tuple(sorted(sites)), **changes)


def started(*states, jobs=(), sites=(), policy=POLICY):
    world = a_world(*sites or (a_site("SITE_A"), a_site("SITE_B")), jobs=tuple(jobs), entries=states)
    actions = list(demand(world, policy))
    assert all(isinstance(action, StartGlideins) and action.words for action in actions)
    return {action.entry: action.count for action in actions}


@pytest.mark.parametrize(
    ("state", "jobs", "count"),
    [
        (an_entry_state(), [], 0),
        (an_entry_state(), [idle(3, "SITE_A")], 3),
        (an_entry_state(waiting=1, starting=1), [idle(3, "SITE_A")], 1),
        (an_entry_state(idle=3), [idle(3, "SITE_A")], 0),
        (an_entry_state(busy=3), [idle(3, "SITE_A")], 3),
        (an_entry_state(waiting=5), [idle(3, "SITE_A")], 0),
        (an_entry_state(retiring=8), [idle(3, "SITE_A")], 2),
        (an_entry_state(an_entry(cpus=1)), [idle(3, "SITE_A", cpus=2)], 0),
        (an_entry_state(an_entry(memory_mb=1000)), [idle(3, "SITE_A", memory_mb=1001)], 0),
        (an_entry_state(an_entry(disk_mb=1000)), [idle(3, "SITE_A", disk_mb=1001)], 0),
        (an_entry_state(an_entry(walltime_s=60)), [idle(3, "SITE_A", walltime_s=61)], 0),
        (an_entry_state(), [idle(3, "SITE_A", gpus=Gpus(1))], 0),
        (an_entry_state(an_entry(gpus=Gpus(2, 8000))), [idle(3, "SITE_A", gpus=Gpus(1, 8000))], 3),
        (an_entry_state(an_entry(os="el8")), [idle(3, "SITE_A", platform=Platform(os="el9"))], 0),
        (an_entry_state(an_entry(cpus=4)), [idle(9, "SITE_A")], 3),
        (an_entry_state(an_entry(cpus=4)), [idle(3, "SITE_A", cpus=4)], 3),
        (an_entry_state(), [idle(3, "SITE_A"), idle(2, "SITE_A", cluster=2)], 5),
        (an_entry_state(), [idle(3, "SITE_B")], 0),
        (an_entry_state(), [a_group(count=3)], 0),
        (an_entry_state(), [idle(3, "SITE_A", state=JobState.RUNNING)], 0),
        (an_entry_state(), [idle(3, "SITE_A", state=JobState.HELD)], 0),
        (an_entry_state(an_entry(max_glideins=100)), [idle(1000, "SITE_A")], 10),
        (an_entry_state(an_entry(max_glideins=4)), [idle(1000, "SITE_A")], 4),
        (an_entry_state(an_entry(max_glideins=4), busy=3), [idle(1000, "SITE_A")], 1),
        (an_entry_state(an_entry(max_glideins=4), busy=5), [idle(1000, "SITE_A")], 0),
        (an_entry_state(an_entry(min_glideins=2)), [], 2),
        (an_entry_state(an_entry(min_glideins=2), busy=1), [], 1),
        (an_entry_state(an_entry(min_glideins=2)), [idle(5, "SITE_A")], 5),
        (an_entry_state(failure=a_failure()), [idle(5, "SITE_A")], 1),
        (an_entry_state(failure=a_failure(), failed=1), [idle(5, "SITE_A")], 0),
        (an_entry_state(failure=a_failure(), busy=1), [idle(5, "SITE_A")], 5),
    ],
)
def test_an_entry_gets_what_its_jobs_ask_within_its_limits(state, jobs, count):
    assert started(state, jobs=jobs) == ({"e1": count} if count else {})


def test_a_closed_site_gets_no_glideins():
    for status in (SiteStatus.DRAINING, SiteStatus.OFFLINE):
        sites = [a_site("SITE_A", status=status)]
        assert started(an_entry_state(an_entry(min_glideins=3)), jobs=[idle(5, "SITE_A")], sites=sites) == {}


def test_jobs_that_several_entries_can_serve_are_shared_among_them():
    one, two = an_entry_state(an_entry("e1")), an_entry_state(an_entry("e2", site="SITE_B"))
    assert started(one, two, jobs=[idle(8, "SITE_A", "SITE_B")]) == {"e1": 4, "e2": 4}


def test_jobs_ask_nothing_of_an_entry_that_cannot_hold_them():
    small, large = an_entry_state(an_entry("e1", cpus=1)), an_entry_state(an_entry("e2", cpus=8))
    assert started(small, large, jobs=[idle(8, "SITE_A", cpus=4)]) == {"e2": 4}


def test_the_words_tell_the_numbers():
    (action,) = demand(a_world(a_site(), jobs=(idle(3, "SITE_A"),), entries=(an_entry_state(waiting=1),)), POLICY)
    assert action.words == "idle jobs ask for 3.0 cores of 1 each, 1 glideins are idle or on their way"


small = st.integers(min_value=0, max_value=30)


ENTRIES = st.builds(an_entry, cpus=st.sampled_from([1, 2, 8]), max_glideins=small, min_glideins=small)
STATES = ("waiting", "starting", "idle", "busy", "retiring", "failed")


@given(ENTRIES, st.dictionaries(st.sampled_from(STATES), small), st.sampled_from([None, a_failure()]), small)
def test_no_limit_is_ever_passed(entry, counts, failure, jobs):
    state = an_entry_state(entry, failure, **counts)
    count = started(state, jobs=[idle(jobs, "SITE_A")] if jobs else []).get("e1", 0)
    assert 0 <= count <= POLICY.per_pass
    assert count == 0 or sum(counts.values()) + count <= entry.max_glideins
    assert count <= max(jobs, entry.min_glideins)


@given(small, small)
def test_what_was_started_is_not_asked_for_again(jobs, waiting):
    entry = an_entry(max_glideins=1000)
    policy = DemandPolicy(per_pass=1000)
    count = started(an_entry_state(entry, waiting=waiting), jobs=[idle(jobs + 1, "SITE_A")], policy=policy).get("e1", 0)
    again = an_entry_state(entry, waiting=waiting + count)
    assert started(again, jobs=[idle(jobs + 1, "SITE_A")], policy=policy) == {}
