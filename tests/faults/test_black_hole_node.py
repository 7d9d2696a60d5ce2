"""Hours at a site with a node that swallows jobs: the real outcomes, judged pass by pass as the router does it."""

from dataclasses import replace

import pytest

from router.decide.bad_nodes import told_apart
from router.decide.health import health
from router.model.event import EventKind, JobEvent, tally
from router.model.job import JobState
from router.model.node_outcomes import tally_nodes
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.streak import streaks
from router.store.store import Store
from router.testing.build import a_group, a_site
from router.testing.clock import NOON

NODES, HOURS = 20, 2
POLICY = BrokerPolicy()


@pytest.fixture
def store():
    made = Store("sqlite://")
    yield made
    made.close()


def an_end(at: float, node: int, task: int, cause: str) -> JobEvent:
    """A job ends: well, or held for `cause`."""
    like = a_group(task, owner=f"user{task}", task=f"task-{task}", count=1, state=JobState.RUNNING)
    kind = EventKind.HELD if cause else EventKind.FINISHED
    return JobEvent(kind, at, 0, like, site="SITE_A", cause=cause, node=f"n{node}")


def a_minute(minute: int, holes: int) -> list[JobEvent]:
    """Good nodes end a job an hour each, black holes one each three seconds."""
    at = NOON + 60 * minute
    well = [an_end(at, node, node % 3, "") for node in range(holes, NODES) if (minute + 7 * node) % 60 == 0]
    badly = [an_end(at + second, node, second % 2, "hold-3.71") for node in range(holes) for second in range(0, 60, 3)]
    return well + badly


def judged(store: Store, minute: int) -> Site:
    """The site as the router sees it."""
    now = NOON + 60 * minute
    found = store.windows(now - POLICY.failure_window_s)["SITE_A"]
    return told_apart(replace(a_site(nodes=NODES), outcomes=found), POLICY)


def closed_minutes(store: Store, holes: int) -> tuple[int, tuple[str, ...]]:
    """For how many minutes the site is closed, and which nodes are told apart in the end."""
    closed = 0
    for minute in range(60 * HOURS):
        events = a_minute(minute, holes)
        now = NOON + 60 * (minute + 1)
        store.record_events(tally(events), str(minute), now, streaks(events), tally_nodes(events))
        site = judged(store, minute)
        closed += "SITE_A" in health([site, a_site("SITE_B"), a_site("SITE_C")], (), POLICY, now).closed
    return closed, judged(store, minute).black_holes


def test_a_site_with_one_bad_node_of_twenty_stays_open_all_the_time_and_the_node_is_named(store):
    assert closed_minutes(store, 1) == (0, ("n0",))


def test_a_site_where_half_of_the_nodes_are_bad_is_closed(store):
    closed, told = closed_minutes(store, NODES // 2)
    assert closed > 60 * HOURS * 0.8
    assert told == ()
