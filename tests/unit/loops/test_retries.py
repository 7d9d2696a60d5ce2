"""Failed jobs through the route loop: they are told, mended, released and placed again, once, wherever it is cut."""

from dataclasses import replace

import pytest

from router.errors import OutcomeUnknown
from router.model.action import Diagnose, Mend, Place
from router.model.cause import Cure
from router.model.job import JobState
from router.testing.build import a_batch


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


@pytest.fixture
def failed(organisation):
    """Lets a task of some jobs fail at SITE_A; SITE_B is there as well."""

    def fail(jobs: int = 2, **how) -> None:
        organisation.submit(a_batch(jobs=jobs))
        organisation.step()
        organisation.glidein("SITE_A")
        organisation.pool.negotiate()
        assert organisation.pool.fail("SITE_A", **how) == jobs

    return fail


def kinds(organisation):
    return [(record.kind, record.outcome) for record in organisation.history()]


def steps(organisation, count):
    return [type(action) for _ in range(count) for action in organisation.step()]


def test_a_users_error_is_told_once_and_never_retried(organisation, failed):
    failed(exit_code=72)
    assert steps(organisation, 3) == [Diagnose]
    (group,) = organisation.groups()
    assert (group.state, group.remedy.cure, group.remedy.tries) == (JobState.HELD, Cure.NONE, 0)
    assert kinds(organisation) == [("place", "applied"), ("give-up", "applied")]


def test_a_fault_of_the_site_sends_the_job_elsewhere(organisation, failed):
    failed(exit_code=74)
    assert steps(organisation, 3) == [Diagnose, Mend, Place]
    (group,) = organisation.groups()
    assert (group.state, group.sites, group.remedy.tries) == (JobState.IDLE, ("SITE_B",), 1)
    assert (group.decision.epoch, group.decision.moves) == (2, 0)
    assert kinds(organisation) == [
        ("place", "applied"),
        ("retry", "applied"),
        ("mend", "applied"),
        ("place", "applied"),
    ]
    assert organisation.step() == []


def test_between_release_and_placement_it_runs_nowhere(organisation, failed):
    failed(exit_code=74)
    steps(organisation, 2)
    (group,) = organisation.groups()
    assert (group.state, group.sites) == (JobState.IDLE, None)
    assert organisation.pool.negotiate() == 0


def test_a_job_out_of_memory_gets_more_and_runs_where_it_was(organisation, failed):
    failed(exit_code=0, hold_code=34)
    assert steps(organisation, 3) == [Diagnose, Mend]
    (group,) = organisation.groups()
    assert (group.requests.memory_mb, group.sites) == (2688, ("SITE_A", "SITE_B"))
    assert organisation.pool.negotiate() == 2
    organisation.pool.finish("SITE_A")
    assert organisation.pool.jobs() == ()


def test_what_passes_by_itself_is_released_after_the_delay_and_not_before(organisation, failed):
    failed(exit_code=0, hold_code=11)
    assert steps(organisation, 2) == [Diagnose]
    organisation.clock.pass_time(299)
    assert steps(organisation, 1) == []
    organisation.clock.pass_time(1)
    assert steps(organisation, 2) == [Mend]
    assert organisation.groups()[0].sites == ("SITE_A", "SITE_B")


def test_limits_end_it_and_a_person_starts_it_afresh(organisation, failed):
    failed(exit_code=0, hold_code=34)
    for _ in range(3):
        steps(organisation, 2)
        organisation.pool.negotiate()
        organisation.pool.fail("SITE_A", exit_code=0, hold_code=34)
    assert steps(organisation, 3) == [Diagnose]
    assert organisation.groups()[0].remedy.cure is Cure.NONE
    organisation.pool.as_user("alice").retry("zmumu-1", "again")
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=0, hold_code=34)
    assert steps(organisation, 2) == [Diagnose, Mend]
    assert organisation.groups()[0].remedy.tries == 1


def test_jobs_that_fail_of_different_causes_are_treated_apart(organisation, failed):
    failed(jobs=6, exit_code=74)
    for job, code in zip(organisation.pool.schedd.queue, (71, 72, 74, 74, 74, 74), strict=True):
        job.like = replace(job.like, hold_subcode=code)
    organisation.step()
    told = {group.hold_subcode: (group.count, group.remedy.cure) for group in organisation.groups()}
    assert told == {71: (1, Cure.ELSEWHERE), 72: (1, Cure.NONE), 74: (4, Cure.ELSEWHERE)}


def test_jobs_of_one_cluster_that_failed_at_different_sites_change_places_and_stay_there(organisation):
    organisation.submit(a_batch(jobs=4))
    organisation.step()
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site, cores=2)
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        assert organisation.pool.fail(site, exit_code=74) == 2
    assert [kind.__name__ for kind in steps(organisation, 5)] == [
        "Diagnose", "Diagnose", "Mend", "Mend", "Place", "Place",
    ]  # fmt: skip
    assert {group.remedy.site: (group.count, group.sites) for group in organisation.groups()} == {
        "SITE_A": (2, ("SITE_B",)),
        "SITE_B": (2, ("SITE_A",)),
    }


POINTS = ["diagnose", "diagnose applied", "mend", "mend edited", "mend applied"]


@pytest.mark.parametrize("error", [Killed(), OutcomeUnknown("no answer")], ids=["killed", "no answer"])
@pytest.mark.parametrize("point", POINTS)
def test_a_router_that_is_cut_anywhere_retries_once(organisation, failed, point, error):
    failed(exit_code=74)
    organisation.pool.break_at(point, error)
    for _ in range(5):
        try:
            organisation.step()
        except (Killed, OutcomeUnknown):
            continue
    (group,) = organisation.groups()
    assert (group.state, group.sites, group.remedy.tries, group.holds) == (JobState.IDLE, ("SITE_B",), 1, 1)
    told = [kind for kind in kinds(organisation) if kind[0] in ("retry", "mend")]
    assert told == [("retry", "applied"), ("mend", "applied")]
    assert organisation.step() == []


def test_a_job_that_its_owner_holds_in_between_stays_held(organisation, failed):
    failed(exit_code=0, hold_code=11)
    organisation.step()
    alice = organisation.pool.as_user("alice")
    alice.retry("zmumu-1", "let me")
    alice.hold(1, "not now")
    organisation.clock.pass_time(3600)
    assert steps(organisation, 2) == []
    assert organisation.groups()[0].state is JobState.HELD


def test_a_retry_does_not_let_a_sites_failures_be_forgotten(organisation, failed):
    failed(jobs=8, exit_code=74)
    steps(organisation, 3)
    route = organisation.route()
    route.step()
    site = next(site for site in route.world.sites if site.name == "SITE_A")
    assert (site.outcomes.failed, organisation.groups()[0].state) == (8, JobState.IDLE)
    organisation.clock.pass_time(3601)
    route.step()
    assert next(site for site in route.world.sites if site.name == "SITE_A").outcomes.failed == 0


def test_failures_are_counted_by_cause_for_the_metrics(organisation, failed):
    failed(exit_code=74)
    route = organisation.route()
    for _ in range(3):
        route.step()
    assert route.counts.failures == {("stage-out-failed", "site"): 2}
    assert route.counts.decisions == {("retry", "applied"): 1, ("mend", "applied"): 1, ("place", "applied"): 1}


def test_where_no_job_is_to_be_touched_the_remedy_is_only_written_into_the_log(organisation, failed):
    failed(exit_code=74)
    route = organisation.route()
    route.policy = replace(route.policy, bind=False)
    for _ in range(3):
        route.step()
    assert organisation.groups()[0].remedy is None
    assert kinds(organisation) == [("place", "applied"), ("retry", "tagged")]
