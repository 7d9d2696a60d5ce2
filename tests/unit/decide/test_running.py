"""Which runs are stopped: those that do nothing or cannot end in time, few at once, and only for another site."""

from dataclasses import replace

import pytest

from router.decide.running import stops
from router.model.attempt import Attempt
from router.model.job import JobState
from router.model.policy import BrokerPolicy, RunningPolicy
from router.model.site import SiteStatus
from router.testing.build import a_decision, a_group, a_site, a_world
from router.testing.clock import NOON

HOUR = 3600
SITES = (a_site("SITE_A"), a_site("SITE_B"))
PLACED = a_decision("SITE_A")


def a_run(proc=0, **changes):
    """A run at SITE_A that began three hours ago, works, and asks for eight hours."""
    default = Attempt(
        1, proc, int(NOON) - 3 * HOUR, "SITE_A", int(NOON), "zmumu-1", "b0", ("SITE_A",), PLACED, walltime_s=8 * HOUR
    )
    return replace(default, **changes)


def a_stuck_run(proc=0, **changes):
    return a_run(proc, **{"still_s": 2.5 * HOUR, **changes})


def stopped(*runs, sites=SITES, running=100, policy=None, **changes):
    group = a_group(1, state=JobState.RUNNING, site="SITE_A", sites=("SITE_A",), count=running, **changes)
    world = a_world(*sites, jobs=[group], runs=runs)
    return list(stops(world, BrokerPolicy(), policy or RunningPolicy()))


def test_a_run_that_does_nothing_for_long_is_stopped_and_its_job_keeps_away_from_the_site():
    (action,) = stopped(a_stuck_run(3))
    assert (action.jobs, action.old, action.last) == (((3, int(NOON) - 3 * HOUR),), ("SITE_A",), PLACED)
    made = action.decision
    assert (made.epoch, made.moves, made.sites, made.came_from, made.tag) == (2, 1, (), ("SITE_A",), "stuck")
    assert made.left == (("SITE_A", int(NOON)),)
    assert made.words == ("taken from SITE_A while it ran: it has used no processor time and written nothing for 2 h")


@pytest.mark.parametrize(
    "run",
    [
        a_run(),
        a_stuck_run(still_s=1.9 * HOUR),
        a_stuck_run(fixed=True),
        a_stuck_run(decision=replace(PLACED, moves=10)),
        a_run(ends=0),
        a_run(ends=int(NOON) + 6 * HOUR),
        a_run(ends=int(NOON) + 600),
    ],
    ids=["works", "not for long", "fixed", "moved often", "no end", "ends late enough", "little is saved"],
)
def test_a_run_goes_on_that(run):
    assert stopped(run) == []


def test_a_run_goes_on_where_no_other_site_can_run_its_job():
    assert stopped(a_stuck_run(), sites=(SITES[0], a_site("SITE_B", status=SiteStatus.DRAINING))) == []
    assert stopped(a_stuck_run(), allow=("SITE_A",)) == []


def test_a_run_goes_on_whose_job_is_nowhere_else_to_be_seen():
    assert stopped(a_stuck_run(site="SITE_C")) == []


def test_nothing_is_stopped_where_the_policy_leaves_what_runs():
    assert stopped(a_stuck_run(), policy=RunningPolicy(stop=False)) == []


def test_a_run_whose_glidein_ends_long_before_it_does_is_stopped_to_save_the_rest_of_the_glidein():
    (action,) = stopped(a_run(ends=int(NOON) + HOUR))
    assert action.decision.tag == "glidein-ending"
    assert action.words.endswith("its glidein ends in under 3 h, and it in under 12 h, by what is usual there")


def test_what_is_usual_at_the_site_counts_more_than_what_the_job_asks_for():
    quick = (a_site("SITE_A", mean_run_s=3.5 * HOUR), SITES[1])
    assert stopped(a_run(ends=int(NOON) + HOUR), sites=quick) == []


def test_a_site_that_will_be_closed_is_a_glidein_that_ends():
    closing = (a_site("SITE_A", closes_in_s=HOUR), SITES[1])
    (action,) = stopped(a_run(), sites=closing)
    assert action.decision.tag == "glidein-ending"


ILL = a_site("SITE_A", starts=20, evictions=15)


def test_at_a_site_that_throws_out_most_jobs_those_are_stopped_that_are_not_half_done():
    (action,) = stopped(a_run(0), a_run(1, started=int(NOON) - 5 * HOUR), sites=(ILL, SITES[1]))
    assert (action.jobs, action.decision.tag) == (((0, int(NOON) - 3 * HOUR),), "evicting")
    assert "the site threw out 15 jobs of the last 20" in action.words


def test_where_all_sites_look_ill_nothing_is_stopped_at_those_that_are_spared():
    assert stopped(a_run(), sites=(ILL, replace(ILL, name="SITE_B"), a_site("SITE_C"))) == []


@pytest.mark.parametrize(("running", "most"), [(100, 5), (20, 1), (3, 1)])
def test_in_one_look_no_more_are_stopped_than_a_share_of_those_that_run_and_one_in_any_case(running, most):
    (action,) = stopped(*(a_stuck_run(proc) for proc in range(30)), running=running)
    assert len(action.jobs) == most


def test_the_share_is_of_the_task_as_well_as_of_the_site():
    mine = a_group(1, state=JobState.RUNNING, site="SITE_A", sites=("SITE_A",), count=20, task="small-1")
    others = a_group(2, state=JobState.RUNNING, site="SITE_A", sites=("SITE_A",), count=980, task="large-1")
    world = a_world(*SITES, jobs=[mine, others], runs=[a_stuck_run(proc) for proc in range(20)])
    (action,) = stops(world, BrokerPolicy(), RunningPolicy())
    assert action.count == 1


def test_those_are_stopped_first_for_which_most_is_saved():
    runs = (a_stuck_run(0, started=int(NOON) - 6 * HOUR), a_stuck_run(1))
    (action,) = stopped(*runs, running=3)
    assert action.jobs[0][0] == 1
