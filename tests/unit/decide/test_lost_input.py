"""Jobs whose input is lost lose their sites and say why; they come back with a copy, and never go to and fro."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.lost_input import WORDS, stranded
from router.decide.reconcile import decide
from router.model.action import Place, Wait
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.testing.build import a_decision, a_group, a_site, a_world, inputs_at
from router.testing.clock import NOON

SITES = (a_site("SITE_A"), a_site("SITE_B"))
GONE = Inputs(1000)
EARLIER = a_decision("SITE_A", at=int(NOON) - 600)


def decided(group, read, now=NOON, policy=None):
    world = replace(a_world(*SITES, jobs=[group], inputs=[(group.cluster, read)]), now=now)
    return list(decide(world, policy or BrokerPolicy()))


def waiting(**changes):
    """Jobs that were placed at SITE_A ten minutes ago."""
    return a_group(**{"sites": ("SITE_A",), "decision": EARLIER, **changes})


def test_jobs_that_wait_at_a_site_lose_it_with_the_reason_and_nothing_more_is_said():
    (place,) = decided(waiting(), GONE)
    made = place.decision
    assert (place.old, made.sites, made.came_from, made.tag) == (("SITE_A",), (), ("SITE_A",), "input-lost")
    assert made.words == f"taken from SITE_A: {WORDS}"
    assert (made.epoch, made.moves, place.is_move) == (2, 1, True)
    assert {verdict.refusal.tag for verdict in place.verdicts} == {"input-lost"}
    assert decided(waiting(sites=(), decision=made), GONE) == []


def test_a_decision_that_a_wrong_clock_dated_in_the_future_keeps_no_job_at_a_site():
    (place,) = decided(waiting(decision=a_decision("SITE_A", at=int(NOON) + 172_800)), GONE)
    assert (place.old, place.decision.sites, place.decision.at) == (("SITE_A",), (), int(NOON))


def test_jobs_that_nobody_placed_yet_wait_with_the_reason():
    (wait,) = decided(a_group(), GONE)
    assert isinstance(wait, Wait)
    assert wait.words == WORDS


def test_as_soon_as_there_is_a_copy_they_are_placed_where_it_is():
    (gone,) = decided(waiting(), GONE)
    (back,) = decided(waiting(sites=(), decision=gone.decision), inputs_at("SITE_B"))
    assert (back.old, back.decision.sites, back.decision.epoch, back.decision.moves) == ((), ("SITE_B",), 3, 1)


def test_a_withdrawal_that_was_cut_short_is_taken_up_again_and_counted_once():
    (gone,) = decided(waiting(), GONE)
    (again,) = decided(waiting(decision=gone.decision), GONE)
    assert again.decision is gone.decision
    (kept,) = decided(waiting(decision=gone.decision), inputs_at("SITE_A"))
    assert (kept.decision.tag, kept.decision.sites, kept.decision.moves) == ("kept", ("SITE_A",), 0)


@pytest.mark.parametrize(
    "group",
    [
        waiting(decision=replace(EARLIER, at=int(NOON) - 299)),
        waiting(decision=replace(EARLIER, moves=1, at=int(NOON) - 599)),
        waiting(decision=replace(EARLIER, moves=10, at=0)),
        waiting(fixed=True),
        waiting(state=JobState.RUNNING, site="SITE_A"),
    ],
    ids=["placed lately", "moved before", "moved often", "fixed", "running"],
)
def test_jobs_keep_their_sites_that_were(group):
    waits = [action for action in decided(group, GONE) if isinstance(action, Wait)]
    assert decided(group, GONE) == waits
    assert [wait.words for wait in waits] == ([] if group.fixed or not group.is_idle else [WORDS])


@pytest.mark.parametrize(
    "read",
    [Inputs(), Inputs(1000, on_tape=("ARCHIVE",)), inputs_at("SITE_Z"), Inputs(1000, (("SITE_A", 1),))],
    ids=["none", "on tape", "at a site nobody knows", "some of it"],
)
def test_what_is_still_somewhere_is_not_lost(read):
    assert not read.lost
    assert stranded(a_world(*SITES, jobs=[waiting()], inputs=[(1, read)])) == 0


def test_the_jobs_that_wait_for_an_input_are_counted():
    running = a_group(2, state=JobState.RUNNING, site="SITE_A")
    world = a_world(*SITES, jobs=[waiting(), running], inputs=[(1, GONE), (2, GONE)])
    assert stranded(world) == 10


STEPS = st.lists(st.tuples(st.sampled_from([GONE, inputs_at("SITE_A")]), st.integers(1, 4000)), max_size=40)


@settings(max_examples=50)
@given(STEPS)
def test_a_catalogue_that_says_now_this_now_that_sends_jobs_to_and_fro_ever_more_rarely(steps):
    group, policy, now = waiting(), BrokerPolicy(), NOON
    moves: list[float] = []
    for read, seconds in steps:
        now += seconds
        for action in decided(group, read, now, policy):
            if isinstance(action, Place):
                moves += [now] if action.is_move else []
                group = replace(group, sites=action.decision.sites, decision=action.decision)
    assert len(moves) <= policy.most_moves
    for number, (first, second) in enumerate(pairwise(moves), 1):
        assert second - first >= policy.lost_wait_s * 2 ** min(number, 6)
