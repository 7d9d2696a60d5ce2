"""What keeps jobs from a site for a while: they left it lately, or their owner has many there."""

import pytest

from router.decide.bars import NO_BARS, Bars, full_for
from router.decide.broker import Brokerage
from router.decide.reconcile import decide, shape_of
from router.model.action import Place
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus, Storage
from router.testing.build import a_decision, a_failure, a_group, a_shape, a_site, a_world, inputs_at
from router.testing.clock import NOON

POLICY = BrokerPolicy(left_limit_s=3600.0, user_wait_s=3600.0, user_queue=10)
HOUR_AGO = int(NOON) - 3600
BAD = {"succeeded": 0, "failed": 100}


def placed(world):
    [action] = decide(world, POLICY)
    assert isinstance(action, Place)
    return action.decision


def test_a_move_remembers_the_site_that_was_left_and_forgets_old_ones():
    last = a_decision("SITE_A", at=HOUR_AGO, left=(("OLD", HOUR_AGO), ("SITE_C", HOUR_AGO + 1)))
    world = a_world(a_site("SITE_A", **BAD), a_site("SITE_B"), jobs=(a_group(sites=("SITE_A",), decision=last),))
    assert placed(world).left == (("SITE_A", int(NOON)), ("SITE_C", HOUR_AGO + 1))


def test_a_site_that_an_operator_closed_may_be_used_again_at_once():
    closed = a_site("SITE_A", status=SiteStatus.DRAINING)
    world = a_world(closed, a_site("SITE_B"), jobs=(a_group(sites=("SITE_A",), decision=a_decision("SITE_A")),))
    assert placed(world).left == ()


@pytest.mark.parametrize(("at", "sites"), [(HOUR_AGO, ("SITE_A", "SITE_B")), (HOUR_AGO + 1, ("SITE_B",))])
def test_jobs_do_not_go_back_to_a_site_that_they_left_lately(at, sites):
    last = a_decision("SITE_C", left=(("SITE_A", at),))
    gone = a_site("SITE_C", **BAD)
    world = a_world(a_site("SITE_A"), a_site("SITE_B"), gone, jobs=(a_group(sites=("SITE_C",), decision=last),))
    assert placed(world).sites == sites


def test_jobs_go_back_where_nothing_else_fits():
    last = a_decision("SITE_C", left=(("SITE_A", HOUR_AGO + 1),))
    jobs = (a_group(sites=("SITE_C",), decision=last),)
    decision = placed(a_world(a_site("SITE_A"), a_site("SITE_C", **BAD), jobs=jobs))
    assert (decision.sites, dict(decision.left)) == (("SITE_A",), {"SITE_C": int(NOON)})


def test_who_never_moved_left_nothing():
    assert NO_BARS.left(a_group()) == ()


def test_a_user_with_many_idle_jobs_at_a_loaded_site_gets_no_more_there_while_others_do():
    loaded = {"cores": 8, "mean_run_s": 3600.0}
    full, free = a_site("SITE_A", **loaded), a_site("SITE_B", **loaded)
    queue = (
        a_group(1, count=11, sites=("SITE_A",)),
        a_group(2, count=10, sites=("SITE_A",), owner="bob"),
        a_group(3, count=11, sites=("SITE_A",), owner="eve", state=JobState.RUNNING, site="SITE_A"),
        a_group(4, count=11, sites=("SITE_B",)),
    )
    brokerage = Brokerage([full, free], POLICY, queue)
    assert full_for(queue, brokerage) == {"alice": ("SITE_A", "SITE_B")}
    short = Brokerage([full, a_site("SITE_B", **loaded | {"mean_run_s": 60.0})], POLICY, queue)
    assert full_for(queue, short) == {"alice": ("SITE_A",)}


def test_a_user_who_has_enough_idle_jobs_at_a_site_is_sent_elsewhere_and_others_are_not():
    sites = a_site("SITE_A", cores=8, mean_run_s=3600.0), a_site("SITE_B", cores=8)
    waiting = a_group(1, count=20, sites=("SITE_A",), oldest=int(NOON), decision=a_decision("SITE_A"))
    new = a_group(2, count=1), a_group(3, count=1, owner="bob")
    near = tuple((cluster, inputs_at("SITE_A")) for cluster in (1, 2, 3))
    of_alice, of_bob = decide(a_world(*sites, jobs=(waiting, *new), inputs=near), POLICY)
    assert (of_alice.decision.sites, of_bob.decision.sites) == (("SITE_B",), ("SITE_A",))


def test_jobs_that_wait_at_an_overloaded_site_stay_there():
    busy = a_site("SITE_A", cores=8, mean_run_s=3600.0, waiting_jobs=1000, running_jobs=1)
    group = a_group(count=1000, sites=("SITE_A",), decision=a_decision("SITE_A"), oldest=int(NOON))
    assert (
        list(decide(a_world(busy, a_site("SITE_B", running_jobs=1000, failure=a_failure()), jobs=(group,)), POLICY))
        == []
    )


def test_a_quota_keeps_away_only_the_owner_and_only_jobs_that_write():
    full = a_site("SITE_A", storage=Storage(quota_mb=1).filled({"alice": 2**20}))
    bars = Bars.of(a_world(full), Brokerage([full], POLICY))
    assert shape_of(a_group(writes=True), {}, bars).over == ("SITE_A",)
    assert shape_of(a_group(), {}, bars).over == ()
    assert shape_of(a_group(writes=True, owner="bob"), {}, bars).over == ()
    assert bars.on(a_shape(writes=True), "alice").over == ("SITE_A",)
