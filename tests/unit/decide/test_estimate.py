"""The common currency: seconds of waiting, reading and losing, for one site and one shape at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import shapes, some_sites

from router.decide.columns import shape_columns, site_columns
from router.decide.estimate import NEVER, lost_s, read_s, wait_s
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.testing.build import a_shape, a_site, inputs_at

POLICY = BrokerPolicy(ramp_s=600, typical_run_s=3600, local_mb_s=100, remote_mb_s=10, remote_s=300, failure_sample=10)
GB = 10**9


@pytest.mark.parametrize(
    ("site", "queued", "seconds"),
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
def test_the_wait_follows_from_the_cores_asked_for_before(site, queued, seconds):
    found = wait_s(site_columns([site], POLICY), np.array([[queued]], dtype=np.float32), POLICY)
    assert found[0, 0] == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("inputs", "seconds"),
    [
        (Inputs(), 0),
        (inputs_at("SITE_A", size=10 * GB), 100),
        (inputs_at("SITE_B", size=10 * GB), 1000 + 300),
        (inputs_at(size=10 * GB), 1000 + 300),
        (Inputs(10 * GB, (("SITE_A", 5 * GB),)), 50 + 500 + 300),
        (Inputs(10 * GB, (("SITE_A", 10 * GB),), jobs=10), 10),
    ],
    ids=["nothing to read", "all of it here", "none of it here", "nowhere", "half of it here", "shared by ten jobs"],
)
def test_reading_costs_by_where_the_bytes_are(inputs, seconds):
    found = read_s(shape_columns([a_shape(inputs=inputs)], ["SITE_A"]), POLICY)
    assert found[0, 0] == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("site", "seconds"),
    [
        (a_site(), 0),
        (a_site(succeeded=1000), 0),
        (a_site(succeeded=5, failed=5), 1800 / 3),
        (a_site(failed=10**9), 20 * 1800),
    ],
    ids=["nothing ended", "nothing failed", "few ended and half of them failed", "everything fails"],
)
def test_failures_cost_half_a_run_each_and_few_say_little(site, seconds):
    assert lost_s(site_columns([site], POLICY), POLICY)[0, 0] == pytest.approx(seconds, rel=0.01)


@given(st.lists(shapes(), min_size=1, max_size=3), some_sites(), st.floats(min_value=0, max_value=1e6, width=32))
def test_no_estimate_is_negative_or_beyond_never(shapes, found, queued):
    sites = site_columns(found, POLICY)
    wait = wait_s(sites, np.full((1, len(found)), queued, dtype=np.float32), POLICY)
    read = read_s(shape_columns(shapes, sites.names), POLICY)
    for seconds in (wait, read, lost_s(sites, POLICY)):
        assert np.isfinite(seconds).all()
        assert (seconds >= 0).all()
    assert ((read + wait) < NEVER).all()
