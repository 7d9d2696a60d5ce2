"""What is done about failed jobs: a remedy for each hold, once, within limits, in words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.retry import failures, treat
from router.model.action import Diagnose, Mend
from router.model.cause import Cure, Fault
from router.model.job import ASKED_ELSEWHERE, BY_HAND, JobState
from router.model.policy import RetryPolicy
from router.model.site import SiteStatus
from router.testing.build import a_failed_group, a_remedy, a_site, a_world
from router.testing.clock import NOON

POLICY = RetryPolicy()
SITES = (a_site("SITE_A"), a_site("SITE_B"))


def treated(*groups, sites=SITES, now=NOON, policy=POLICY):
    return list(treat(a_world(*sites, jobs=groups, now=now), policy))


def remedy(group, **given):
    (action,) = treated(group, **given)
    assert isinstance(action, Diagnose)
    return action.remedy


def test_an_error_of_the_program_is_not_retried_and_says_what_to_do():
    made = remedy(a_failed_group(hold_subcode=72))
    assert (made.cure, made.tries, made.memory_mb) == (Cure.NONE, 0, 0)
    assert made.words == (
        "failed at SITE_A: The payload ended with an error; not retried, for another try would fail alike. "
        "Read the job's output and error files (`glideroute logs`), mend the program, submit it again."
    )


def asked(**changes):
    return a_failed_group(hold_code=BY_HAND, hold_subcode=ASKED_ELSEWHERE, sites=("SITE_A",), **changes)


def test_jobs_that_a_person_wants_elsewhere_leave_all_sites_they_have_or_were_at_and_it_counts_as_no_retry():
    made = remedy(asked(site="SITE_C", fixed=True), policy=RetryPolicy(retry=False))
    assert (made.cure, made.tries, made.due) == (Cure.ELSEWHERE, 0, int(NOON))
    assert (made.avoid, made.until) == (("SITE_A", "SITE_C"), int(NOON + POLICY.avoid_s))
    assert made.words == "Its owner or an operator wants it at another site: it leaves SITE_A, SITE_C"


def test_jobs_that_a_person_wants_elsewhere_go_on_where_they_are_when_no_other_site_can_run_them():
    made = remedy(asked(allow=("SITE_A",)))
    assert (made.cure, made.avoid, made.tries, made.due) == (Cure.AGAIN, (), 0, int(NOON))
    assert made.words.endswith("it stays, since no other site can run it")


def test_what_may_be_the_sites_fault_is_retried_at_another_site_at_once():
    made = remedy(a_failed_group(hold_subcode=74))
    assert (made.cure, made.tries, made.due) == (Cure.ELSEWHERE, 1, int(NOON))
    assert (made.avoid, made.until) == (("SITE_A",), int(NOON + POLICY.avoid_s))
    assert made.words == (
        "failed at SITE_A (a fault of the site): An output could not be written to the site's storage element; "
        "it goes to another site (retry 1 of 3)"
    )


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"fixed": True}, "at the same site, since its owner asked that it never moves"),
        ({"allow": ("SITE_A",)}, "at the same sites, since no other can run it"),
        ({"block": ("SITE_B",)}, "at the same sites, since no other can run it"),
        ({"memory_mb": 20_000}, "at the same sites, since no other can run it"),
    ],
)
def test_where_no_other_site_can_run_it_it_is_retried_at_the_same_after_a_delay(given, where):
    made = remedy(a_failed_group(**given))
    assert (made.cure, made.due, made.avoid) == (Cure.AGAIN, int(NOON + POLICY.delay_s), ())
    assert f"it runs again after 5 min {where}" in made.words


def test_a_closed_site_is_no_other_site():
    assert remedy(a_failed_group(), sites=(SITES[0], a_site("SITE_B", status=SiteStatus.OFFLINE))).cure is Cure.AGAIN


@pytest.mark.parametrize(("tries", "minutes"), [(0, 5), (1, 10), (2, 20)])
def test_what_passes_by_itself_is_retried_later_and_later(tries, minutes):
    last = a_remedy(tries=tries, cause="transfer-protocol", hold=1) if tries else None
    made = remedy(a_failed_group(hold_code=11, holds=tries + 1, remedy=last))
    assert (made.cure, made.due, made.tries) == (Cure.AGAIN, int(NOON + 60 * minutes), tries + 1)


def test_no_delay_is_longer_than_the_policy_says():
    patient = replace(POLICY, tries=20)
    last = a_remedy(tries=19, cause="unspecified")
    made = remedy(a_failed_group(hold_code=11, holds=2, remedy=last), policy=patient)
    assert made.due == int(NOON + POLICY.most_delay_s)


@pytest.mark.parametrize(("code", "subcode"), [(3, 78), (3, 137), (34, 0)])
def test_a_job_that_ran_out_of_memory_gets_a_third_more(code, subcode):
    made = remedy(a_failed_group(hold_code=code, hold_subcode=subcode, memory_mb=2000))
    assert (made.cure, made.memory_mb, made.due) == (Cure.MEMORY, 2624, int(NOON))
    assert "it gets 2,624 MB of memory instead of 2,000 MB (retry 1 of 3)" in made.words


def test_memory_grows_to_what_a_site_has_and_no_further():
    sites = (a_site("SITE_A", memory_mb=2200), a_site("SITE_B", memory_mb=2100))
    assert remedy(a_failed_group(hold_code=34, memory_mb=2000), sites=sites).memory_mb == 2200
    most = remedy(a_failed_group(hold_code=34, memory_mb=2200), sites=sites)
    assert (most.cure, most.memory_mb) == (Cure.NONE, 0)
    assert "asks for 2,200 MB already, and no retry gets more than 2,200 MB" in most.words


def test_memory_grows_to_what_the_policy_allows_and_no_further():
    sites = (a_site("SITE_A", memory_mb=100_000),)
    assert remedy(a_failed_group(hold_code=34, memory_mb=16_000), sites=sites).memory_mb == POLICY.most_memory_mb
    assert remedy(a_failed_group(hold_code=34, memory_mb=16_384), sites=sites).cure is Cure.NONE


def test_a_job_that_ran_out_of_time_gets_a_third_more_in_whole_minutes():
    made = remedy(a_failed_group(hold_code=47, walltime_s=600))
    assert (made.cure, made.walltime_s) == (Cure.WALLTIME, 780)
    assert remedy(a_failed_group(hold_code=47, walltime_s=86_400)).cure is Cure.NONE, "no glidein lives longer"


def test_a_second_failure_elsewhere_keeps_away_from_both_sites():
    sites = (*SITES, a_site("SITE_C"))
    made = remedy(a_failed_group(holds=2, site="SITE_B", remedy=a_remedy()), sites=sites)
    assert (made.hold, made.tries, made.avoid) == (2, 2, ("SITE_A", "SITE_B"))


def test_a_site_is_not_avoided_for_ever():
    later = NOON + POLICY.avoid_s
    made = remedy(a_failed_group(holds=2, site="SITE_B", remedy=a_remedy()), now=later)
    assert made.avoid == ("SITE_B",)
    assert a_failed_group(remedy=a_remedy()).avoided(NOON) == ("SITE_A",)
    assert a_failed_group(remedy=a_remedy()).avoided(later) == ()


def test_limits_end_it():
    made = remedy(a_failed_group(holds=4, remedy=a_remedy(hold=3, tries=3)))
    assert (made.cure, made.tries) == (Cure.NONE, 3)
    assert "not retried, for it has been retried 3 time(s)" in made.words


def test_a_cause_that_is_worth_one_try_gets_one():
    first = remedy(a_failed_group(hold_subcode=79))
    assert (first.cure, first.tries) == (Cure.ELSEWHERE, 1)
    assert remedy(a_failed_group(hold_subcode=79, holds=2, site="SITE_B", remedy=first)).cure is Cure.NONE
    assert remedy(a_failed_group(hold_subcode=71, holds=2, remedy=first)).cure is Cure.ELSEWHERE, "of another cause"


def test_a_person_who_releases_what_was_given_up_gives_it_a_fresh_start():
    given_up = a_remedy(hold=4, tries=3, cure=Cure.NONE)
    made = remedy(a_failed_group(holds=5, starts=1, remedy=given_up))
    assert (made.cure, made.tries, made.starts) == (Cure.ELSEWHERE, 1, 1)


def test_an_owner_who_edits_the_number_of_holds_gets_no_fresh_start_without_a_run():
    given_up = a_remedy(hold=4, tries=3, cure=Cure.NONE, starts=4)
    for forged in (0, 5, 99):
        made = remedy(a_failed_group(holds=forged, starts=4, remedy=given_up))
        assert (made.cure, made.tries) == (Cure.NONE, 3)


@pytest.mark.parametrize(
    "group",
    [
        a_failed_group(hold_code=1),
        a_failed_group(hold_code=15, batch="merge"),
        a_failed_group(hold_code=16),
        a_failed_group(state=JobState.IDLE, hold_code=0),
        a_failed_group(state=JobState.RUNNING, remedy=a_remedy()),
    ],
    ids=["held by hand", "waiting merge job", "spooling", "idle", "running"],
)
def test_what_nobody_asked_us_to_mend_is_left_alone(group):
    assert treated(group) == []


def test_a_remedy_waits_until_it_is_due_and_is_then_carried_out():
    group = a_failed_group(remedy=a_remedy(due=int(NOON) + 60))
    assert treated(group) == []
    assert treated(group, now=NOON + 60) == [
        Mend(1, "zmumu-1", "b0", 10, group.hold, a_remedy(due=int(NOON) + 60)),
    ]


def test_what_was_given_up_stays_so():
    assert treated(a_failed_group(remedy=a_remedy(cure=Cure.NONE)), now=NOON + 1e6) == []


def test_retries_can_be_switched_off():
    assert treated(a_failed_group(), policy=RetryPolicy(retry=False)) == []
    assert remedy(a_failed_group(), policy=RetryPolicy(tries=0)).cure is Cure.NONE


CODES = st.sampled_from(
    [(3, 70), (3, 71), (3, 72), (3, 74), (3, 78), (3, 79), (3, 139), (6, 8), (11, 0), (34, 0), (47, 0)]
)


@given(st.lists(CODES, min_size=1, max_size=12))
def test_whatever_a_job_fails_of_it_is_retried_no_oftener_than_the_policy_says(codes):
    group, now, retries = a_failed_group(holds=0), NOON, 0
    for code, subcode in codes:
        group = replace(group, hold_code=code, hold_subcode=subcode, holds=group.holds + 1)
        made = remedy(group, now=now)
        assert made.words and made.hold == group.holds
        group = replace(group, remedy=made)
        if made.cure is Cure.NONE:
            break
        retries += 1
        now = made.due
        (mend,) = treated(group, now=now)
        assert isinstance(mend, Mend)
    assert retries <= POLICY.tries


def test_failures_are_told_by_cause_with_what_becomes_of_them():
    waiting, looked_at = a_failed_group(hold_subcode=72, count=3), a_failed_group(2, remedy=a_remedy(words="retried"))
    told = failures([waiting, looked_at, a_failed_group(3, hold_code=15), a_failed_group(4, state=JobState.RUNNING)])
    assert [(each.jobs, each.cause, each.fault, each.remedy, each.tries, each.due) for each in told] == [
        (10, "stage-in-failed", Fault.DATA, "retried", 0, NOON),
        (3, "payload-failed", Fault.USER, "", 0, 0.0),
    ]
