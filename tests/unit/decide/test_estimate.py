"""The common currency: the seconds of waiting, reading and losing that a verdict is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import shapes, some_sites

from router.decide.broker import Brokerage
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.testing.build import a_group, a_shape, a_site, inputs_at

POLICY = BrokerPolicy(ramp_s=600, typical_run_s=3600, failure_sample=10)
GB = 10**9
ELSEWHERE = tuple(a_site(name, cores=8, idle_cores=8) for name in ("SITE_B", "SITE_C"))


def terms(shape, site, before=0):
    """The seconds of one site, with jobs for `before` cores placed there already."""
    queue = [a_group(count=before, sites=(site.name,))] if before else []
    choice = Brokerage([site, *ELSEWHERE], POLICY, queue).choose(shape)
    (verdict,) = (verdict for verdict in choice.fit if verdict.site == site.name)
    return dict(verdict.terms)


@pytest.mark.parametrize(
    ("site", "before", "seconds"),
    [
        (a_site(cpus=1), 0, 600),
        (a_site(cpus=1), 2, 600 + 3600),
        (a_site(cpus=1, max_cores=10), 20, 600 + 3600),
        (a_site(cores=8, idle_cores=8), 8, 0),
        (a_site(cores=8, idle_cores=8), 16, 3600),
        (a_site(cores=8), 8, 3600),
        (a_site(cores=8, mean_run_s=60.0), 8, 60),
        (a_site(cores=8, freed_per_h=4.0), 8, 7200),
        (a_site(cores=8, freed_per_h=0.0), 8, 100 * 3600),
        (a_site(cores=8, idle_cores=4, freed_per_h=0.0), 12, 3600),
    ],
    ids=[
        "no glidein yet",
        "two jobs before it, one of them on the first glidein",
        "its entries may bring ten cores",
        "enough idle cores",
        "as many again before it",
        "all cores busy",
        "its jobs are short",
        "as measured where it is full",
        "never quite nothing",
        "what ends where cores are idle says nothing",
    ],
)
def test_the_wait_follows_from_the_cores_asked_for_before(site, before, seconds):
    assert terms(a_shape(), site, before)["wait_s"] == pytest.approx(seconds, rel=1e-3)


def test_what_is_not_read_takes_no_time():
    assert terms(a_shape(), a_site())["read_s"] == 0


def test_the_more_of_the_input_is_here_the_sooner_it_is_read():
    shares = [0, 1, 9, 10]
    read = [
        terms(a_shape(inputs=Inputs(10 * GB, (("SITE_A", n * GB), ("SITE_B", 10 * GB)))), a_site())["read_s"]
        for n in shares
    ]
    assert read == sorted(read, reverse=True)
    assert len(set(read)) == len(shares)


def test_what_is_here_is_read_at_the_speed_of_the_local_storage():
    assert terms(a_shape(inputs=inputs_at("SITE_A", size=10 * GB)), a_site())["read_s"] == 10_000 / POLICY.local_mb_s


def test_ten_jobs_that_share_an_input_read_a_tenth_each():
    shape = a_shape(inputs=Inputs(10 * GB, (("SITE_A", 10 * GB),), jobs=10))
    assert terms(shape, a_site())["read_s"] == 1_000 / POLICY.local_mb_s


@pytest.mark.parametrize(
    ("site", "seconds"),
    [
        (a_site(), 0),
        (a_site(succeeded=1000), 0),
        (a_site(succeeded=5, failed=5), 1800 / 3),
        (a_site(succeeded=600, failed=400), 1800 * 0.396 / 0.604),
    ],
    ids=["nothing ended", "nothing failed", "few ended and half of them failed", "many ended"],
)
def test_failures_cost_half_a_run_each_and_few_say_little(site, seconds):
    assert terms(a_shape(), site)["lost_s"] == pytest.approx(seconds, rel=0.01)


@given(shapes(), some_sites(), st.integers(min_value=1, max_value=10**6))
def test_no_second_is_negative_or_beyond_all_bounds(shape, found, before):
    queue = [a_group(count=before, sites=(site.name,)) for site in found]
    for verdict in Brokerage(found, POLICY, queue).choose(shape).fit:
        assert all(0 <= seconds < 1e9 for _, seconds in verdict.terms)
