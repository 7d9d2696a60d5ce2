"""The route loop with other policies, and where it only writes down what it would do."""

from dataclasses import replace

import pytest

from router.model.action import Place, Release
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.testing.build import a_batch, a_file, a_report

TAG = BrokerPolicy(bind=False)


def step(organisation, policy):
    route = organisation.route()
    route.policy = policy
    return route.step(), route


def history(organisation, cluster=1):
    return [(record.kind, record.outcome) for record in organisation.history(cluster)]


def test_in_tag_mode_a_decision_is_written_once_and_no_job_is_touched(organisation):
    organisation.submit()
    done, route = step(organisation, TAG)
    step(organisation, TAG)
    assert done == []
    assert history(organisation) == [("place", "tagged")]
    assert organisation.history()[0].sites == ("SITE_A", "SITE_B")
    assert [(group.sites, group.decision) for group in organisation.groups()] == [(None, None)]
    assert route.counts.decisions == {("place", "tagged"): 1}


def test_in_tag_mode_what_would_be_done_is_written_again_when_it_changes(organisation):
    organisation.submit()
    step(organisation, TAG)
    organisation.drain("SITE_B")
    step(organisation, TAG)
    assert [record.sites for record in organisation.history()] == [("SITE_A", "SITE_B"), ("SITE_A",)]


def test_in_tag_mode_a_merge_job_stays_held(organisation):
    organisation.submit(merge=True)
    organisation.step()
    organisation.glidein("SITE_A", cores=10)
    organisation.pool.negotiate()
    for job in organisation.pool.finish("SITE_A"):
        organisation.reports.add("zmumu-1", job.job, a_report(job.job))
    step(organisation, TAG)
    step(organisation, TAG)
    merge = organisation.merge_group()
    assert history(organisation, merge.cluster) == [("release", "tagged")]
    assert merge.state is JobState.HELD
    done, _ = step(organisation, BrokerPolicy())
    assert [type(action) for action in done] == [Release]


def test_what_was_only_written_down_is_done_as_soon_as_the_router_may(organisation):
    organisation.submit()
    step(organisation, TAG)
    (place,), _ = step(organisation, BrokerPolicy())
    assert isinstance(place, Place)
    assert history(organisation) == [("place", "applied")]


@pytest.mark.parametrize("name", ["panda", "overflow", "any", "random", "least-loaded"])
def test_the_router_places_by_the_policy_that_is_set_and_says_which(organisation, name):
    organisation.store.register([there := a_file("/demo/f1.root", "SITE_B")], "alice", 1.0)
    organisation.submit(a_batch(jobs=3, files=[there]))
    policy = replace(BrokerPolicy(), name=name)
    (place,), route = step(organisation, policy)
    assert f" by {name}" in place.decision.words
    assert organisation.groups()[0].sites == place.decision.sites
    assert step(organisation, policy)[0] == []
    assert route.counts.refusals.keys() <= {"no-replica"}
