"""Brokerage: the order of sites, the set that is named, and what never changes either."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from worlds import NAMES, shapes, sites, some_sites

from router.decide.broker import choose, site_set
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus
from router.testing.build import a_shape, a_site, inputs_at

POLICY = BrokerPolicy()


def named(choice):
    return [verdict.site for verdict in choice.verdicts]


def test_the_site_that_holds_the_input_comes_first_and_refused_ones_last():
    shape = a_shape(inputs=inputs_at("SITE_C"), block=("SITE_B",))
    choice = choose(shape, [a_site("SITE_A"), a_site("SITE_B"), a_site("SITE_C")], POLICY)
    assert named(choice) == ["SITE_C", "SITE_A", "SITE_B"]
    assert [verdict.site for verdict in choice.fit] == ["SITE_C", "SITE_A"]


def test_a_verdict_tells_the_number_of_every_weight():
    (verdict,) = choose(a_shape(), [a_site(cores=8, idle_cores=8)], POLICY).verdicts
    assert dict(verdict.terms) == {"locality": 1.0, "free": 1.0, "queue": 0.5, "reliability": 1.0}
    assert verdict.score == (4 * 1 + 1 * 1 + 1 * 0.5 + 2 * 1) / 8


def test_equal_sites_are_ordered_by_name():
    assert named(choose(a_shape(), [a_site("SITE_B"), a_site("SITE_A")], POLICY)) == ["SITE_A", "SITE_B"]


def test_a_site_nobody_knows_is_refused_in_words():
    choice = choose(a_shape(), [a_site("SITE_A")], POLICY)
    assert (choice.refusal_words("GONE"), choice.refusal_tag("GONE")) == ("is not a known site", "unknown-site")
    assert (choice.refusal_words("SITE_A"), choice.refusal_tag("SITE_A")) == ("", "")


def test_only_sites_close_to_the_best_join_the_set():
    choice = choose(a_shape(inputs=inputs_at("SITE_A")), [a_site(name) for name in NAMES], POLICY)
    assert site_set(choice, None, POLICY) == ("SITE_A",)
    assert site_set(choice, None, replace(POLICY, keep_within=0.1)) == ("SITE_A", "SITE_B", "SITE_C", "SITE_D")


def test_nothing_fits_where_every_site_is_refused():
    choice = choose(a_shape(), [a_site(status=SiteStatus.OFFLINE)], POLICY)
    assert site_set(choice, ("SITE_A",), POLICY) == ()
    assert site_set(choose(a_shape(), [], POLICY), None, POLICY) == ()


def test_a_set_is_kept_while_all_of_it_fits_even_if_another_is_better_now():
    choice = choose(a_shape(inputs=inputs_at("SITE_A")), [a_site("SITE_A"), a_site("SITE_B")], POLICY)
    assert site_set(choice, ("SITE_B",), POLICY) == ("SITE_B",)


def test_a_set_of_which_one_site_fell_away_is_chosen_anew():
    choice = choose(a_shape(), [a_site("SITE_A"), a_site("SITE_B", status=SiteStatus.DRAINING)], POLICY)
    assert site_set(choice, ("SITE_A", "SITE_B"), POLICY) == ("SITE_A",)


@given(shapes(), some_sites(), st.randoms(use_true_random=False))
def test_the_order_of_sites_changes_nothing(shape, found, shuffle: random.Random):
    shuffled = shuffle.sample(found, len(found))
    assert choose(shape, shuffled, POLICY) == choose(shape, found, POLICY)


@given(shapes(), some_sites(), sites("SITE_Z"))
def test_adding_a_worse_site_never_changes_the_first_choice(shape, found, other):
    before, after = choose(shape, found, POLICY).fit, choose(shape, [*found, other], POLICY).fit
    added = next((verdict for verdict in after if verdict.site == "SITE_Z"), None)
    if before and (added is None or added.score < before[0].score):
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


@given(shapes(), some_sites(), st.sampled_from([None, (), ("SITE_A",), ("SITE_A", "GONE"), ("SITE_B", "SITE_C")]))
def test_a_set_names_only_sites_that_fit_sorted_and_not_too_many(shape, found, current):
    choice = choose(shape, found, POLICY)
    chosen = site_set(choice, current, POLICY)
    fit = {verdict.site for verdict in choice.fit}
    assert set(chosen) <= fit
    assert list(chosen) == sorted(set(chosen))
    assert bool(chosen) == bool(fit)
    assert len(chosen) <= POLICY.max_sites or chosen == current
    if chosen != current and chosen:
        assert choice.fit[0].site in chosen


@given(shapes(), some_sites())
def test_choosing_a_set_again_keeps_it(shape, found):
    choice = choose(shape, found, POLICY)
    chosen = site_set(choice, None, POLICY)
    assert site_set(choice, chosen, POLICY) == chosen
