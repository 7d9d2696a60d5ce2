"""A program that is wrong fails wherever it runs: no site is closed for it, and one that fails all programs is."""

from dataclasses import replace

import pytest

from router.decide.health import health
from router.model.policy import BrokerPolicy
from router.testing.build import a_batch
from router.testing.events import FakeEventLog

SITES = ("SITE_A", "SITE_B")


@pytest.fixture
def route(organisation):
    """A router that follows the events of two sites."""
    organisation.events = FakeEventLog(organisation.pool)
    for site in SITES:
        organisation.glidein(site, cores=100)
    return organisation.route()


def run(organisation, route, name, owner, jobs=20):
    """Place jobs of a task at both sites, and let them start there."""
    organisation.submit(a_batch(jobs=jobs), name=name, owner=owner)
    organisation.clock.pass_time(30)
    route.step()
    for job in organisation.pool.schedd.queue:  # the fake negotiator takes the first site alone
        if job.like.task == name:
            job.like = replace(job.like, sites=(SITES[job.proc % 2],))
    organisation.pool.negotiate()


def held_against(organisation, route):
    """What is held against each site, were there no circuit breaker."""
    organisation.clock.pass_time(30)
    route.step()
    world = route.world
    return {name: each.tag for name, each in health(world.sites, world.jobs, BrokerPolicy(), world.now).ailing.items()}


def test_wrong_programs_of_several_users_close_no_site(organisation, route):
    for name, owner in (("wrong-1", "alice"), ("wrong-2", "bob"), ("wrong-3", "carol")):
        run(organisation, route, name, owner)
        for site in SITES:
            assert organisation.pool.fail(site, exit_code=72) == 10
        assert held_against(organisation, route) == {}


def test_a_site_where_every_program_fails_is_a_black_hole_though_they_fail_as_wrong_programs_do(organisation, route):
    for name, owner in (("right-1", "alice"), ("right-2", "bob")):
        run(organisation, route, name, owner)
        organisation.pool.fail("SITE_A", exit_code=72)
        organisation.pool.finish("SITE_B")
    assert held_against(organisation, route) == {"SITE_A": "black-hole"}


def test_two_black_holes_do_not_excuse_each_other(organisation, route):
    run(organisation, route, "right-1", "alice")
    for site in SITES:
        organisation.pool.finish(site)
    for number in (2, 3):
        run(organisation, route, f"right-{number}", "alice")
    for site in SITES:
        organisation.pool.fail(site, exit_code=74)
    assert set(held_against(organisation, route)) == set(SITES)


def test_without_an_event_log_jobs_held_for_their_own_fault_count_against_no_site(organisation):
    for site in SITES:
        organisation.glidein(site, cores=100)
    route = organisation.route()
    run(organisation, route, "wrong-1", "alice", jobs=40)
    organisation.pool.fail("SITE_A", exit_code=72)
    organisation.pool.fail("SITE_B", exit_code=74)
    assert held_against(organisation, route) == {"SITE_B": "failing"}
