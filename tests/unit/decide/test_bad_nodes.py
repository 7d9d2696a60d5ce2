"""A node that fails every job is told apart from its site, where such nodes are few; a site that fails is closed."""

from dataclasses import replace

import pytest

from router.decide.bad_nodes import told_apart
from router.decide.health import health
from router.model.policy import BrokerPolicy
from router.testing.build import a_site
from router.testing.clock import NOON

POLICY = BrokerPolicy()
OTHERS = (a_site("SITE_X"), a_site("SITE_Y"), a_site("SITE_Z"))


def a_site_of(nodes, *failing, **outcomes):
    """A site of so many nodes, some of which only fail jobs: (name, failed, doubtful)."""
    return a_site(nodes=nodes, failing_nodes=failing, **outcomes)


def closed(site):
    return set(health([told_apart(site, POLICY), *OTHERS], (), POLICY, NOON).closed)


SWALLOWED = {"failed": 60, "succeeded": 20, "streak": 60, "streak_tasks": 2, "streak_at": NOON}


def test_what_one_bad_node_swallows_is_not_held_against_its_site():
    site = a_site_of(20, ("n1", 60, 0), **SWALLOWED)
    assert closed(replace(site, outcomes=replace(site.outcomes, failing_nodes=()))) == {"SITE_A"}
    apart = told_apart(site, POLICY)
    assert (apart.black_holes, apart.outcomes.failed, apart.outcomes.streak) == (("n1",), 0, 0)
    assert closed(site) == set()


def test_what_fails_beside_the_bad_node_still_counts():
    site = a_site_of(20, ("n1", 30, 0), **SWALLOWED)
    assert told_apart(site, POLICY).outcomes.failed == 30
    assert closed(site) == {"SITE_A"}


def test_what_looks_like_the_users_fault_counts_in_rows_only_and_is_taken_out_there():
    site = a_site_of(20, ("n1", 0, 12), failed=0, succeeded=5, streak=12, streak_tasks=2, streak_at=NOON)
    assert told_apart(site, POLICY).outcomes.streak == 0


@pytest.mark.parametrize(
    "site",
    [
        a_site_of(1, ("n1", 60, 0), **SWALLOWED),
        a_site_of(0, ("n1", 60, 0), **SWALLOWED),
        a_site_of(4, *((f"n{each}", 20, 0) for each in range(3)), **SWALLOWED),
        a_site_of(20, *((f"n{each}", 10, 0) for each in range(6)), **SWALLOWED),
        a_site_of(20, ("n1", 4, 0), **SWALLOWED),
    ],
    ids=["its only node", "nobody says how many", "most of them", "too many", "few failures"],
)
def test_a_site_answers_for_its_nodes_where_they_are(site):
    assert told_apart(site, POLICY) is site
    assert closed(site) == {"SITE_A"}


def test_few_are_a_quarter_of_the_nodes_and_one_in_any_case():
    assert len(told_apart(a_site_of(8, ("n1", 9, 0), ("n2", 9, 0)), POLICY).black_holes) == 2
    assert told_apart(a_site_of(7, ("n1", 9, 0), ("n2", 9, 0)), POLICY).black_holes == ()
    assert told_apart(a_site_of(2, ("n1", 9, 0)), POLICY).black_holes == ("n1",)
