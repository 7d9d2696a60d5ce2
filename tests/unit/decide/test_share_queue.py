"""A share that gets few cores at a site, and has many jobs there, gets further sites; nobody goes to and fro."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.reconcile import decide
from router.decide.share_queue import late_shares
from router.model.action import Place
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus
from router.testing.build import a_decision, a_group, a_site, a_world, inputs_at
from router.testing.clock import NOON

POLICY = BrokerPolicy()
HOUR_AGO = int(NOON) - 3600
BUSY = a_site("SITE_A", cores=100, running_jobs=100)
OTHER = a_site("SITE_B", cores=50)


def waiting(cluster=1, count=120, at=HOUR_AGO, **changes):
    """Jobs of higgs that wait at SITE_A for an hour."""
    sites = changes.pop("sites", ("SITE_A",))
    return a_group(cluster, **{"count": count, "group": "higgs", "sites": sites, "decision": a_decision(*sites, at=at)}
                   | changes)  # fmt: skip


def running(cluster, count, group="qcd", site="SITE_A", **changes):
    return a_group(cluster, count=count, group=group, state=JobState.RUNNING, site=site, sites=(site,), **changes)


FEW = (waiting(), running(2, 3, "higgs"), running(3, 97))
QUEUE = waiting(9, count=200, group="cms", sites=("SITE_B",))
"""Makes others start later at SITE_B than at SITE_A."""
EVERYWHERE = inputs_at("SITE_A", "SITE_B")


def late(*groups, policy=POLICY):
    return dict(late_shares(a_world(BUSY, OTHER, jobs=groups), policy))


def test_a_share_with_many_more_jobs_for_one_that_runs_than_others_have_there_is_late_by_the_difference():
    assert late(*FEW) == {"higgs": (("SITE_A", int((120 / 3 - 120 / 100) * 3600)),)}


def test_who_has_no_group_is_a_share_alone():
    mine = waiting(group="", owner="bob"), running(2, 3, "", owner="bob"), running(3, 97, "", owner="eve")
    assert list(late(*mine)) == ["bob"]


@pytest.mark.parametrize(
    "groups",
    [
        (waiting(count=20), *FEW[1:]),
        (waiting(at=int(NOON) - 1799), *FEW[1:]),
        (waiting(), running(2, 97, "higgs"), running(3, 3)),
        (waiting(), running(2, 34, "higgs"), running(3, 66)),
        (waiting(4, count=4000, group="qcd"), *FEW),
        (waiting(4, sites=("SITE_B",)), *FEW, running(5, 9, "higgs", "SITE_B")),
        (waiting(4, sites=("SITE_B",)), *FEW),
        (waiting(sites=("SITE_Z",)), running(3, 97, site="SITE_Z")),
    ],
    ids=["few wait", "not for long", "it has most cores", "it has its part", "others wait as long",
         "it waits as long elsewhere", "it starts nowhere else", "at a site nobody knows"],
)  # fmt: skip
def test_a_share_is_not_late_where(groups):
    assert late(*groups) == {}


def placed(*groups, sites=(BUSY, OTHER), read=None, now=NOON):
    world = replace(a_world(*sites, jobs=groups, inputs=[(group.cluster, read) for group in groups if read]), now=now)
    return {action.cluster: action for action in decide(world, POLICY) if isinstance(action, Place)}


def test_jobs_of_a_late_share_get_further_sites_and_keep_the_one_they_have():
    found = placed(*FEW, QUEUE, read=EVERYWHERE)
    made = found[1].decision
    assert (made.sites, made.tag, made.came_from, made.moves) == (("SITE_A", "SITE_B"), "share-queue", (), 0)
    assert made.words.startswith(
        "widened from SITE_A to SITE_A,SITE_B: jobs of their share start under 3 d later than others there; "
    )
    as_many = replace(FEW[1], count=97), replace(FEW[2], count=3)
    assert placed(FEW[0], *as_many, QUEUE, read=EVERYWHERE) == {}


def test_a_new_job_of_the_share_had_better_start_elsewhere_and_why_tells_by_how_much():
    new = a_group(7, count=1, group="higgs"), a_group(8, count=1, group="qcd")
    found = placed(*FEW, QUEUE, *new, read=EVERYWHERE)
    assert (found[7].verdicts[0].site, found[8].verdicts[0].site) == ("SITE_B", "SITE_A")
    terms = {verdict.site: dict(verdict.terms) for verdict in found[7].verdicts}
    assert "share_s" not in terms["SITE_B"]
    assert terms["SITE_A"]["share_s"] == 139_680


def test_a_share_whose_jobs_fit_nowhere_else_stays_where_it_is():
    assert placed(*FEW, sites=(BUSY, replace(OTHER, status=SiteStatus.DRAINING))) == {}


counts = st.integers(0, 200)
steps = st.lists(st.tuples(counts, counts, counts, st.integers(30, 7200)), min_size=1, max_size=30)


@settings(max_examples=40)
@given(steps)
def test_whatever_runs_sets_only_grow_ever_more_rarely_and_nothing_is_moved(steps):
    group, now, times = waiting(at=int(NOON)), NOON, []
    for mine, others, elsewhere, seconds in steps:
        now += seconds
        beside = [running(2, mine, "higgs"), running(3, others), running(4, elsewhere, "higgs", "SITE_B")]
        found = placed(group, *(each for each in beside if each.count), now=now)
        if place := found.get(1):
            assert set(place.decision.sites) > set(group.sites)
            assert not place.is_move
            times.append(now)
            group = replace(group, sites=place.decision.sites, decision=place.decision)
            assert placed(group, *(each for each in beside if each.count), now=now) == {}
    assert len(times) <= 1
    assert all(at - NOON >= POLICY.patience_s for at in times)
