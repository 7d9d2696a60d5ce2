"""Few distinct sets: what idle jobs have already is given again where it is as good."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import worlds

from examples import examples
from router.decide.broker import Brokerage
from router.decide.reconcile import decide, shape_of
from router.model.action import Place
from router.model.policy import BrokerPolicy
from router.testing.build import a_decision, a_group, a_site, a_world, inputs_at

POLICY = BrokerPolicy(few_sets=1)
LARGE = a_site("SITE_L", cores=1000, idle_cores=100)
SMALL = a_site("SITE_S", cores=20, idle_cores=10)
OTHER = a_site("SITE_O", cores=20, idle_cores=10)
AT_BOTH = inputs_at("SITE_L", "SITE_S")


def given_sets(*groups, inputs, sites=(LARGE, SMALL, OTHER), policy=POLICY):
    world = a_world(*sites, jobs=groups, inputs=tuple(inputs.items()))
    return {action.cluster: action.decision.sites for action in decide(world, policy) if isinstance(action, Place)}


def waiting_at(*sites):
    return a_group(1, count=1, sites=sites, decision=a_decision(*sites))


def test_a_group_whose_set_nobody_has_gets_it():
    assert given_sets(a_group(2), inputs={2: AT_BOTH}) == {2: ("SITE_L", "SITE_S")}


def test_a_group_gets_the_part_of_its_set_that_others_have_where_that_is_as_good():
    assert given_sets(waiting_at("SITE_L"), a_group(2), inputs={2: AT_BOTH}) == {2: ("SITE_L",)}


def test_while_few_sets_are_in_use_a_group_gets_its_own():
    placed, inputs = (waiting_at("SITE_L"), a_group(2)), {2: AT_BOTH}
    few = BrokerPolicy(few_sets=2)
    assert given_sets(*placed, inputs=inputs, policy=few) == {2: ("SITE_L", "SITE_S")}
    assert given_sets(*placed, waiting_at("SITE_O"), inputs=inputs, policy=few) == {2: ("SITE_L",)}


def test_a_set_that_others_have_is_not_cut():
    placed = (waiting_at("SITE_L"), waiting_at("SITE_L", "SITE_S"))
    assert given_sets(*placed, a_group(2), inputs={2: AT_BOTH}) == {2: ("SITE_L", "SITE_S")}


def test_a_part_that_would_complete_the_jobs_later_is_not_as_good():
    both = inputs_at("SITE_O", "SITE_S")
    assert given_sets(waiting_at("SITE_O"), a_group(2, count=60), inputs={2: both}) == {2: ("SITE_O", "SITE_S")}


def test_jobs_that_this_pass_does_not_look_at_have_their_sets_all_the_same():
    settled = replace(waiting_at("SITE_L"), fixed=True)
    assert given_sets(settled, a_group(2), inputs={2: AT_BOTH}) == {2: ("SITE_L",)}


def test_what_was_given_earlier_in_the_pass_is_given_again():
    found = given_sets(a_group(2, oldest=1), a_group(3, oldest=2), inputs={2: inputs_at("SITE_L"), 3: AT_BOTH})
    assert found == {2: ("SITE_L",), 3: ("SITE_L",)}


def test_a_set_with_a_site_that_nobody_knows_is_none():
    assert given_sets(waiting_at("GONE", "SITE_L"), a_group(2), inputs={2: AT_BOTH})[2] == ("SITE_L", "SITE_S")


def test_the_reason_tells_of_a_site_of_the_set():
    quick, busy = a_site("SITE_S", cores=20, idle_cores=20), a_site("SITE_L", cores=1000)
    queue = a_group(1, count=30, sites=("SITE_L",), decision=a_decision("SITE_L"))
    near = BrokerPolicy(few_sets=1, near_s=200)
    place = next(decide(a_world(busy, quick, jobs=(queue, a_group(2)), inputs=((2, AT_BOTH),)), near))
    assert place.decision.sites == ("SITE_L",)
    assert "a job starts in under 5 min" in place.decision.words


@settings(max_examples=examples(15), deadline=None)
@given(worlds(), st.randoms())
def test_new_groups_get_sets_that_fit_and_the_order_of_what_is_known_changes_nothing(world, chance):
    actions = list(decide(world, POLICY))
    jobs, sites = list(world.jobs), list(world.sites)
    chance.shuffle(jobs)
    chance.shuffle(sites)
    assert list(decide(a_world(*sites, jobs=tuple(jobs), inputs=world.inputs, now=world.now), POLICY)) == actions
    brokerage, groups = Brokerage.of(world, POLICY), {group.cluster: group for group in world.jobs}
    for place in actions:
        if isinstance(place, Place) and place.old is None:
            shape = shape_of(groups[place.cluster], dict(world.inputs))
            fit = {verdict.site for verdict in brokerage.choose(shape).fit}
            assert set(place.decision.sites) <= fit
