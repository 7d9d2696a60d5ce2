"""The pilot loop: what jobs ask for becomes glideins, entry by entry."""

import pytest

from router.errors import PoolUnreachable, UserError
from router.loops.pilots import Pilots
from router.model.pilot import GlideinState
from router.model.policy import DemandPolicy
from router.testing.backend import FakeBackend


@pytest.fixture
def backend():
    return FakeBackend()


def pilots(organisation, backend):
    return Pilots(
        organisation.pool, organisation.store, backend, organisation.sites, DemandPolicy(), organisation.clock
    )


def count(backend, entry):
    return sum(name == entry for name, _ in backend.glideins.values())


def test_placed_jobs_bring_glideins_to_their_sites_once(organisation, backend):
    organisation.submit()
    organisation.drain("SITE_B")
    loop = pilots(organisation, backend)
    assert loop.step() == []
    organisation.step()
    (started,) = loop.step()
    assert (started.entry, started.count) == ("a", 2)
    assert loop.step() == []
    assert loop.started == {"a": 2}


def test_a_glidein_that_has_joined_and_is_idle_is_not_started_again(organisation, backend):
    organisation.submit()
    organisation.drain("SITE_B")
    organisation.step()
    loop = pilots(organisation, backend)
    loop.step()
    backend.become("a", GlideinState.IDLE)
    assert loop.step() == []
    backend.become("a", GlideinState.BUSY)
    assert [action.count for action in loop.step()] == [2]


def test_an_entry_that_cannot_be_described_does_not_stop_the_others(organisation, backend, caplog):
    organisation.submit()
    organisation.step()
    backend.faults["a"] = UserError("its attributes are wrong")
    loop = pilots(organisation, backend)
    assert [action.entry for action in loop.step()] == ["b"]
    assert "entry a: its attributes are wrong" in caplog.text
    assert loop.started == {"b": count(backend, "b")}


def test_a_pool_that_does_not_answer_ends_the_pass(organisation, backend):
    organisation.submit()
    organisation.step()
    backend.faults["a"] = PoolUnreachable("down")
    with pytest.raises(PoolUnreachable):
        pilots(organisation, backend).step()
    assert backend.glideins == {}


def test_a_drained_site_gets_no_glideins(organisation, backend):
    organisation.submit()
    organisation.step()
    organisation.drain("SITE_A")
    organisation.drain("SITE_B")
    assert pilots(organisation, backend).step() == []
