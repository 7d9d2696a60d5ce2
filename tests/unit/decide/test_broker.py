"""Brokerage: when a job would be done where, the set of sites that is named, and what never changes either."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import NAMES, shapes, sites, some_sites

from router.decide.broker import Brokerage, choose, score
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus
from router.testing.build import a_group, a_shape, a_site, inputs_at

POLICY = BrokerPolicy()
GB = 10**9


def a_full_site(name="SITE_A", **changes):
    """Eight cores, all idle."""
    return a_site(name, **{"cores": 8, "idle_cores": 8} | changes)


def named(choice):
    return [verdict.site for verdict in choice.verdicts]


def test_the_site_that_holds_the_input_comes_first_and_refused_ones_last():
    shape = a_shape(inputs=inputs_at("SITE_C"), block=("SITE_B",))
    choice = choose(shape, [a_site("SITE_A"), a_site("SITE_B"), a_site("SITE_C")], POLICY)
    assert named(choice) == ["SITE_C", "SITE_A", "SITE_B"]
    assert [verdict.site for verdict in choice.fit] == ["SITE_C", "SITE_A"]


def test_a_verdict_tells_the_seconds_it_is_made_of():
    shape = a_shape(inputs=inputs_at("SITE_B", size=10 * GB))
    here, there = choose(shape, [a_site("SITE_A"), a_full_site("SITE_B")], POLICY).verdicts
    assert (here.site, dict(here.terms)) == ("SITE_B", {"wait_s": 0.0, "read_s": 100.0, "lost_s": 0.0})
    assert dict(there.terms)["wait_s"] == 600.0
    assert here.score == score(100.0) > there.score == score(sum(dict(there.terms).values()))


@pytest.mark.parametrize(("seconds", "figure"), [(-1.0, 1.0), (0.0, 1.0), (3600.0, 0.5), (1e9, 0.0)])
def test_the_score_is_one_for_at_once_and_a_half_for_in_an_hour(seconds, figure):
    assert score(seconds) == figure


def test_a_site_that_fails_comes_behind_one_that_does_not():
    choice = choose(a_shape(), [a_full_site("SITE_A", succeeded=60, failed=40), a_full_site("SITE_B")], POLICY)
    assert named(choice) == ["SITE_B", "SITE_A"]
    assert dict(choice.fit[1].terms)["lost_s"] > 0


def test_equal_sites_are_ordered_by_name():
    assert named(choose(a_shape(), [a_site("SITE_B"), a_site("SITE_A")], POLICY)) == ["SITE_A", "SITE_B"]


def test_a_site_nobody_knows_is_refused_in_words():
    choice = choose(a_shape(), [a_site("SITE_A")], POLICY)
    assert (choice.refusal_words("GONE"), choice.refusal_tag("GONE")) == ("is not a known site", "unknown-site")
    assert (choice.refusal_words("SITE_A"), choice.refusal_tag("SITE_A")) == ("", "")


def test_few_jobs_stay_where_their_input_lies_and_many_spread_out():
    brokerage = Brokerage([a_full_site(name) for name in NAMES], POLICY)
    shape = a_shape(inputs=inputs_at("SITE_C"))
    assert brokerage.sites_for(shape, 1) == ("SITE_C",)
    assert brokerage.sites_for(shape, 1000) == ("SITE_C",)  # its storage does not feed a thousand jobs elsewhere
    assert brokerage.sites_for(a_shape(), 1000) == NAMES


def test_sites_that_are_as_good_as_the_best_join_the_set_even_of_one_job():
    brokerage = Brokerage([a_full_site("SITE_A"), a_full_site("SITE_B"), a_site("SITE_C")], POLICY)
    assert {"SITE_A", "SITE_B"} <= set(brokerage.sites_for(a_shape(), 1))


def test_nothing_fits_where_every_site_is_refused_or_there_is_none():
    assert Brokerage([a_site(status=SiteStatus.OFFLINE)], POLICY).sites_for(a_shape(), 1) == ()
    assert Brokerage([], POLICY).sites_for(a_shape(), 1) == ()
    assert len(Brokerage([], POLICY).choose(a_shape()).verdicts) == 0


def test_jobs_wait_behind_those_that_are_placed_already():
    waiting = a_group(count=800, sites=("SITE_A",))
    brokerage = Brokerage([a_full_site("SITE_A"), a_full_site("SITE_B")], POLICY, [waiting])
    assert named(brokerage.choose(a_shape())) == ["SITE_B", "SITE_A"]


def test_refusals_are_counted_by_their_reason():
    found = [a_site("SITE_A"), a_site("SITE_B", memory_mb=1), a_site("SITE_C", status=SiteStatus.OFFLINE)]
    assert choose(a_shape(), found, POLICY).verdicts.refusals() == {"memory": 1, "site-offline": 1}


@given(shapes(), some_sites(), st.randoms(use_true_random=False))
def test_the_order_of_sites_changes_nothing(shape, found, shuffle: random.Random):
    shuffled = shuffle.sample(found, len(found))
    assert choose(shape, shuffled, POLICY) == choose(shape, found, POLICY)
    assert Brokerage(shuffled, POLICY).sites_for(shape, 7) == Brokerage(found, POLICY).sites_for(shape, 7)


@given(shapes(), some_sites(), sites("SITE_Z"))
def test_adding_a_worse_site_never_changes_the_first_choice(shape, found, other):
    shape = replace(shape, left=(), full=())  # soft reasons need another site that fits
    before, after = choose(shape, found, POLICY).fit, choose(shape, [*found, other], POLICY).fit
    added = next((verdict for verdict in after if verdict.site == "SITE_Z"), None)
    # Of few sites ill ones are spared, which among more of them are closed.
    spared = Brokerage(found, POLICY).health.spared
    if before and not spared and (added is None or added.score < before[0].score):
        assert after[0] == before[0]


@given(shapes(), some_sites())
def test_a_site_is_either_weighed_or_refused_with_words_and_a_tag(shape, found):
    choice = choose(shape, found, POLICY)
    assert sorted(named(choice)) == sorted(site.name for site in found)
    for verdict in choice.verdicts:
        if verdict.refusal:
            assert verdict.refusal.tag
            assert verdict.refusal.words
            assert (verdict.score, verdict.terms) == (0.0, ())
        else:
            assert 0.0 <= verdict.score <= 1.0
    scores = [verdict.score for verdict in choice.verdicts]
    assert scores == sorted(scores, reverse=True)


@given(shapes(), some_sites(), st.integers(min_value=1, max_value=5000), st.integers(min_value=1, max_value=8))
def test_a_set_names_only_sites_that_fit_sorted_with_the_best_and_not_too_many(shape, found, jobs, most):
    brokerage = Brokerage(found, replace(POLICY, max_sites=most))
    chosen, fit = brokerage.sites_for(shape, jobs), brokerage.choose(shape).fit
    assert set(chosen) <= {verdict.site for verdict in fit}
    assert list(chosen) == sorted(set(chosen))
    assert bool(chosen) == bool(fit)
    assert len(chosen) <= most
    assert not fit or fit[0].site in chosen


@given(shapes(), some_sites(), st.integers(min_value=1, max_value=1000), st.integers(min_value=0, max_value=1000))
def test_more_jobs_never_get_fewer_sites(shape, found, jobs, more):
    brokerage = Brokerage(found, POLICY)
    assert set(brokerage.sites_for(shape, jobs)) <= set(brokerage.sites_for(shape, jobs + more))
