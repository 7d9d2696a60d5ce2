"""Every policy under faults: what is true of a router does not depend on how sites are chosen."""

import pytest
import simulation
from simulation import SITES, Simulation

from router.model.policy import POLICIES, BrokerPolicy
from router.store.store import Store


@pytest.fixture(scope="module")
def store():
    made = Store("sqlite://")
    yield made
    made.close()


@pytest.mark.parametrize("name", POLICIES[1:])
def test_no_invariant_is_violated_whatever_the_policy(name: str, store: Store, monkeypatch: pytest.MonkeyPatch):
    if name == "flow":
        pytest.importorskip("ortools")
    policy = BrokerPolicy(name=name, overflow=((SITES[0], tuple(SITES[1:])),))
    monkeypatch.setattr(simulation, "BrokerPolicy", lambda: policy)
    for seed in range(60):
        Simulation(seed, store).run()
