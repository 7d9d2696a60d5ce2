"""The last jobs of a task that wait get further sites sooner; a set that is widened for a new copy says so."""

from dataclasses import replace

import pytest

from router.decide.reconcile import decide
from router.decide.tail import tails
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.task import Inputs
from router.model.world import TaskProgress
from router.testing.build import a_decision, a_group, a_site, a_world, inputs_at
from router.testing.clock import NOON

POLICY = BrokerPolicy(tail_share=0.05)
BUSY = a_site("SITE_A", cores=100, waiting_jobs=60, running_jobs=100)
FREE = a_site("SITE_B", cores=100, idle_cores=100)


def waiting(count=4, minutes=11, **changes):
    """Jobs that have waited at SITE_A for some minutes."""
    sites = changes.pop("sites", ("SITE_A",))
    since = a_decision(*sites, at=int(NOON) - 60 * minutes)
    return a_group(1, count=count, sites=sites, decision=since, **changes)


def others(count=40):
    """Jobs of another task before them in the queue of SITE_A: a core is soon free for the next."""
    return a_group(2, task="other-1", count=count, sites=("SITE_A",), decision=a_decision("SITE_A"))


def of(jobs, *sites):
    """A small input of a batch of so many jobs, which lies whole at each of `sites`."""
    return replace(inputs_at(*sites), jobs=jobs)


def decided(group, read, **changes):
    world = a_world(BUSY, FREE, jobs=[group, others()], inputs=[(1, read)], **changes)
    return [action for action in decide(world, POLICY) if action.cluster == 1]


def test_the_last_jobs_of_a_task_are_widened_after_ten_minutes_and_for_a_gain_of_five():
    (place,) = decided(waiting(), of(100, "SITE_A", "SITE_B"))
    assert (place.decision.sites, place.decision.tag) == (("SITE_A", "SITE_B"), "task-tail")
    assert "they are the last of their task that wait; the last job could start in" in place.decision.words


@pytest.mark.parametrize(
    ("group", "jobs"),
    [(waiting(minutes=9), 100), (waiting(count=6), 100), (waiting(), 0), (waiting(fixed=True), 100)],
    ids=["placed lately", "more than a few wait", "nobody knows how many there are", "fixed"],
)
def test_jobs_that_are_no_tail_wait_longer(group, jobs):
    assert decided(group, of(jobs, "SITE_A", "SITE_B")) == []


def test_a_tail_is_not_widened_again_before_it_has_waited_again():
    (place,) = decided(waiting(), of(100, "SITE_A", "SITE_B"))
    after = waiting(sites=place.decision.sites)
    assert decided(replace(after, decision=place.decision), of(100, "SITE_A", "SITE_B")) == []


def test_without_a_setting_no_task_has_a_tail():
    read = {waiting().source: of(100, "SITE_A", "SITE_B")}
    assert tails(a_world(jobs=[waiting(1)]), read, BrokerPolicy()) == frozenset()


def test_a_set_that_is_widened_because_the_input_is_elsewhere_now_says_where():
    world = a_world(BUSY, FREE, jobs=[waiting(30, minutes=60)], inputs=[(1, of(30, "SITE_B"))])
    (place,) = decide(world, POLICY)
    assert (place.decision.sites, place.decision.tag) == (("SITE_A", "SITE_B"), "replica")
    assert "all of the input lies at SITE_B now, and at no site that they had" in place.decision.words


def tailed(*groups, read=None, **changes):
    return tails(a_world(jobs=groups, **changes), {group.source: read for group in groups if read}, POLICY)


def test_all_batches_of_a_task_count_and_those_that_run():
    other = replace(a_group(3, count=50, state=JobState.RUNNING), dataset="/b")
    few = a_group(1, count=5)
    assert tailed(few, read=Inputs(1, (), 60)) == frozenset()
    assert tailed(few, other, read=Inputs(1, (), 60)) == {"zmumu-1"}


def test_the_merge_job_tells_how_many_jobs_there_are():
    assert tailed(a_group(1, count=5), progress=(TaskProgress("zmumu-1", 100, 0, 9),)) == {"zmumu-1"}
    assert tailed(a_group(1, count=6), progress=(TaskProgress("zmumu-1", 100, 0, 9),)) == frozenset()


def test_jobs_of_no_task_have_no_tail():
    assert tailed(a_group(1, task="", count=1), read=Inputs(1, (), 100)) == frozenset()
