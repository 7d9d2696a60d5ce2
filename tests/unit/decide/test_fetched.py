"""How far a storage element is believed to fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.broker import Brokerage
from router.decide.fetched import unread
from router.model.fetch import Served
from router.model.policy import BrokerPolicy
from router.testing.build import a_shape, a_site, inputs_at

counts = st.integers(0, 10**6)


def test_a_storage_element_that_fails_none_is_left_out():
    assert unread([Served("A", "alice", 1000, 0)]) == {}


def test_few_tries_tell_little():
    assert unread([Served("A", "alice", 0, 1), Served("A", "bob", 0, 1)])["A"] < 0.1


def test_many_tries_of_two_owners_are_believed():
    assert unread([Served("A", "alice", 0, 990), Served("A", "bob", 0, 990)])["A"] == pytest.approx(0.99)


@given(good=counts, failed=counts)
def test_one_owner_alone_makes_no_storage_element_look_more_than_half_broken(good, failed):
    assert unread([Served("A", "mallory", good, failed)]).get("A", 0) <= 0.5


@given(st.lists(st.builds(Served, st.just("A"), st.sampled_from("abc"), counts, counts)))
def test_it_is_a_share(told):
    assert 0 <= unread(told).get("A", 0) <= 1


def test_jobs_are_drawn_less_to_storage_that_fails():
    shape = a_shape(inputs=inputs_at("SITE_A", "SITE_B", size=10**9))
    sites = [a_site(name, cores=8, idle_cores=8) for name in ("SITE_B", "SITE_C")]
    good, ill = (
        Brokerage([a_site("SITE_A", cores=8, idle_cores=8, unread=share), *sites], BrokerPolicy()).choose(shape)
        for share in (0.0, 0.5)
    )
    reads = [next(dict(each.terms)["read_s"] for each in choice.fit if each.site == "SITE_A") for choice in (good, ill)]
    assert reads == pytest.approx([10, 0.5 * 10 + 0.5 * 2000], rel=1e-3)
    assert ill.fit[0].site == "SITE_B"
