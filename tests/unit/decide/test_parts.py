"""How many jobs may read from a storage elsewhere, and what becomes of the others."""

from dataclasses import replace

import pytest
from hypothesis import given
from worlds import worlds

from router.decide.broker import score
from router.decide.reconcile import decide
from router.model.action import Place, Wait
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus
from router.model.task import Inputs
from router.testing.build import a_decision, a_group, a_site, a_world
from router.testing.clock import NOON

POLICY = BrokerPolicy(remote_readers=0.3)
HOME = a_site("SITE_A", cores=20, mean_run_s=360_000.0)
"""Its storage feeds six jobs elsewhere."""
AWAY = a_site("SITE_B", cores=100, idle_cores=100)
READ = Inputs(100 * 10**9, (("SITE_A", 100 * 10**9),), 100)
"""1 GB for each job."""
READS_S = POLICY.ramp_s + 1000 / POLICY.remote_mb_s


def a_waiting_group(cluster=1, count=50, **changes):
    return a_group(cluster, count=count, sites=("SITE_A",), decision=a_decision("SITE_A"), **changes)


def a_reader(count, started):
    made = a_decision("SITE_A", "SITE_B", at=int(started))
    return a_group(9, state=JobState.RUNNING, count=count, site="SITE_B", sites=made.sites, decision=made)


def done(*groups, sites=(HOME, AWAY), now=NOON + POLICY.patience_s + 1):
    clusters = sorted({group.cluster for group in groups})
    world = a_world(*sites, jobs=groups, inputs=tuple((cluster, READ) for cluster in clusters), now=now)
    return [(type(each), each.cluster, each.count) for each in decide(world, POLICY)]


def test_as_many_jobs_of_a_waiting_group_get_further_sites_as_the_storage_can_feed():
    assert done(a_waiting_group()) == [(Place, 1, 6)]


def test_a_group_that_is_small_enough_goes_as_a_whole():
    assert done(a_waiting_group(count=5)) == [(Place, 1, 5)]


def test_groups_that_read_from_one_storage_share_it_the_oldest_first():
    groups = [a_waiting_group(1, 4, oldest=2), a_waiting_group(2, 4, oldest=1), a_waiting_group(3, 4, oldest=3)]
    assert done(*groups) == [(Place, 2, 4), (Place, 1, 2)]


def test_new_jobs_that_no_site_with_their_input_takes_go_as_far_as_it_is_fed_and_the_others_wait():
    closed = replace(HOME, status=SiteStatus.DRAINING)
    assert done(a_group(1, count=50), sites=(closed, AWAY)) == [(Place, 1, 6), (Wait, 1, 44)]


def test_jobs_leave_a_closed_site_as_far_as_they_are_fed_and_the_others_keep_it():
    closed = replace(HOME, status=SiteStatus.DRAINING)
    assert done(a_waiting_group(), sites=(closed, AWAY)) == [(Place, 1, 6), (Wait, 1, 44)]


def test_where_the_storage_does_not_answer_nobody_is_sent_away():
    closed = replace(HOME, status=SiteStatus.OFFLINE)
    assert done(a_waiting_group(), sites=(closed, AWAY)) == [(Wait, 1, 50)]


@pytest.mark.parametrize(
    ("age", "count"), [(READS_S - 60, 2), (READS_S + 60, 6)], ids=["while they read", "once they have read"]
)
def test_running_jobs_count_for_the_time_that_reading_takes(age, count):
    now = NOON + POLICY.patience_s + 1
    assert done(a_waiting_group(), a_reader(4, now - age), now=now) == [(Place, 1, count)]


def test_running_jobs_of_which_nobody_knows_since_when_count_as_reading():
    unknown = replace(a_reader(6, NOON), decision=None)
    assert done(a_waiting_group(), unknown) == []


def test_idle_jobs_that_may_read_from_elsewhere_count_already():
    sent = a_group(2, count=5, sites=("SITE_A", "SITE_B"), decision=a_decision("SITE_A", "SITE_B"))
    assert (Place, 1, 1) in done(a_waiting_group(), sent)


@pytest.mark.parametrize(
    ("home", "sent"),
    [(replace(HOME, cores=0, max_cores=20, silent_s=1200.0), [(Place, 1, 6)]), (HOME, [])],
    ids=["no glidein at home", "glideins at home"],
)
def test_patience_grows_with_each_decision_unless_no_glidein_is_where_the_jobs_wait(home, sent):
    group = replace(a_waiting_group(), decision=a_decision("SITE_A", epoch=5))
    assert done(group, sites=(home, AWAY)) == sent


@given(worlds())
def test_the_terms_of_a_verdict_add_up_to_its_score(world):
    for action in decide(world, POLICY):
        for verdict in getattr(action, "verdicts", ()):
            if verdict.refusal is None:
                assert verdict.score == pytest.approx(score(sum(value for _, value in verdict.terms)), abs=2e-4)
