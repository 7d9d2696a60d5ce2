"""Each reason why one site is better: its number, and that it stays within 0..1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.weights import free, locality, queue, reliability, weights
from router.model.policy import BrokerPolicy
from router.testing.build import a_shape, a_site, inputs_at


@pytest.mark.parametrize(
    ("weight", "shape", "site", "value"),
    [
        (locality, a_shape(), a_site(), 1.0),
        (locality, a_shape(inputs=inputs_at("SITE_A")), a_site(), 1.0),
        (locality, a_shape(inputs=inputs_at("SITE_B")), a_site(), 0.0),
        (free, a_shape(), a_site(), 0.5),
        (free, a_shape(), a_site(cores=8, idle_cores=2), 0.25),
        (free, a_shape(), a_site(cores=8), 0.0),
        (queue, a_shape(), a_site(), 0.5),
        (queue, a_shape(), a_site(running_jobs=8), 0.9),
        (queue, a_shape(), a_site(waiting_jobs=8), 0.1),
        (reliability, a_shape(), a_site(), 1.0),
        (reliability, a_shape(), a_site(failed=5), 0.5),
        (reliability, a_shape(), a_site(succeeded=90, failed=5), 0.95),
    ],
)
def test_a_weight_is_the_number_it_says(weight, shape, site, value):
    assert weight(shape, site) == pytest.approx(value)


many = st.integers(min_value=0, max_value=10**9)


@given(st.builds(a_site, waiting_jobs=many, running_jobs=many, succeeded=many, failed=many, idle_cores=many), many)
def test_every_weight_stays_between_nought_and_one(site, more):
    site = a_site(
        cores=site.idle_cores + more,
        idle_cores=site.idle_cores,
        waiting_jobs=site.waiting_jobs,
        running_jobs=site.running_jobs,
        outcomes=site.outcomes,
    )
    for name, weight, factor in weights(BrokerPolicy()):
        assert 0.0 <= weight(a_shape(inputs=inputs_at("SITE_A")), site) <= 1.0, name
        assert factor > 0
