"""The route loop stops runs over the fake pool: those that do nothing, once, also when it is cut on the way."""

from dataclasses import replace

import pytest

from router.errors import OutcomeUnknown
from router.model.action import Vacate
from router.model.job import JobState
from router.model.policy import BrokerPolicy

SEEN, LATER = 1800, 7300
"""Seconds until runs are seen first, and after that until those that do nothing are stuck."""


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


@pytest.fixture
def hanging(organisation):
    """Ten jobs that run at SITE_A and do nothing; there is room at SITE_B."""
    organisation.drain("SITE_B")
    organisation.submit()
    organisation.step()
    organisation.glidein("SITE_A", cores=10)
    assert organisation.pool.negotiate() == 10
    organisation.resume("SITE_B")
    organisation.glidein("SITE_B", cores=10)
    return organisation


def passes(organisation, route, *after):
    """What the router does in passes so many seconds after each other, before which each node is heard of."""
    done = []
    for seconds in after:
        organisation.clock.pass_time(seconds)
        for job in organisation.pool.schedd.queue:
            job.told = organisation.clock.now()
        done += route.step()
    return done


def test_a_run_that_hangs_is_stopped_and_its_job_is_placed_elsewhere_by_the_next_pass(hanging):
    route = hanging.route()
    (action,) = passes(hanging, route, SEEN, LATER)
    assert isinstance(action, Vacate)
    (place,) = route.step()
    assert place.decision.sites == ("SITE_B",)
    by_state = {group.state: (group.count, group.sites) for group in hanging.groups()}
    assert by_state == {JobState.RUNNING: (9, ("SITE_A",)), JobState.IDLE: (1, ("SITE_B",))}
    kinds = [(record.kind, record.outcome, record.jobs, record.tag) for record in hanging.history()]
    assert kinds[1:] == [("vacate", "applied", 1, "stuck"), ("place", "applied", 1, "placed")]


def test_a_run_that_works_is_left_alone(hanging):
    route = hanging.route()
    passes(hanging, route, SEEN)
    for job in hanging.pool.schedd.queue:
        job.cpu_s += LATER / 2
    assert passes(hanging, route, LATER) == []


@pytest.mark.parametrize("point", ["vacate", "vacate edited", "vacate applied"])
@pytest.mark.parametrize("error", [Killed, OutcomeUnknown], ids=["killed", "not answered"])
def test_cut_anywhere_each_job_runs_or_waits_and_the_log_tells_which(hanging, point, error):
    route = hanging.route()
    passes(hanging, route, SEEN)
    hanging.pool.break_at(point, error("gone"))
    with pytest.raises(error):
        passes(hanging, route, LATER)
    again = hanging.route()
    again.step()
    again.step()
    idle = [group for group in hanging.groups() if group.state is JobState.IDLE]
    assert [(group.count, group.sites) for group in idle] == ([(1, ("SITE_B",))] if point == "vacate applied" else [])
    outcome = "applied" if point == "vacate applied" else "superseded"
    assert [each.outcome for each in hanging.history() if each.kind == "vacate"] == [outcome]


def test_what_would_be_stopped_is_only_written_down_once_where_nothing_is_bound(hanging):
    route = hanging.route()
    route.policy = BrokerPolicy(bind=False)
    assert passes(hanging, route, SEEN, LATER, SEEN) == []
    assert [each.outcome for each in hanging.history() if each.kind == "vacate"] == ["tagged"]


def test_a_run_that_is_another_meanwhile_is_left_alone(hanging):
    (action,) = passes(hanging, hanging.route(), SEEN, LATER)
    job = next(job for job in hanging.pool.schedd.queue if job.like.state is JobState.RUNNING)
    late = replace(action, jobs=((job.proc, int(job.started) - 1),), old=job.like.sites, last=job.like.decision)
    assert hanging.pool.vacate_all([late]) == (0,)
    assert job.like.state is JobState.RUNNING
