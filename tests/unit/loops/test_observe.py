"""From the sources to a world: what is counted where, and what is believed of whom."""

import pytest

from router.loops.observe import Declared, assemble, observe
from router.model.job import JobState, SlotGroup
from router.model.pilot import MARGIN_S
from router.model.policy import BrokerPolicy
from router.model.record import SiteState
from router.model.site import Limits, Outcomes, SiteStatus
from router.model.task import Inputs
from router.testing.build import a_batch, a_failure, a_file, a_group, an_ended_job, an_entry, inputs_at

ONE_SITE = (Declared("SITE_A"),)
SLOT = SlotGroup("SITE_A", "e1", 2, 16, 5, 8000, 50_000, 8, 11)


def sites(declared=ONE_SITE, jobs=(), slots=(), states=None, outcomes=None, failures=()):
    found = assemble(declared, jobs, slots, states or {}, outcomes or {}, failures)
    return {site.name: site for site in found}


def test_a_declared_site_is_known_though_nothing_is_there():
    site = sites((Declared("SITE_A", (an_entry(cpus=8, memory_mb=4000),)),))["SITE_A"]
    assert (site.limits, site.status, site.cores) == (Limits(8, 4000, 10240, 86400 - MARGIN_S), SiteStatus.ONLINE, 0)


def test_a_site_is_known_by_its_glideins_or_their_refusals_but_not_because_a_job_names_it():
    slots = (SLOT, SlotGroup("SEEN", "x", 1, 4, 4, 2000, 3000, 4, 0))
    found = sites(slots=slots, jobs=[a_group(sites=("GHOST",))], failures=[a_failure(site="SICK")])
    assert sorted(found) == ["SEEN", "SICK", "SITE_A"]
    assert found["SEEN"].limits == Limits(4, 2000, 3000, 86400 - MARGIN_S)
    assert found["SICK"].limits == Limits()


def test_what_a_glidein_really_gives_counts_more_than_what_its_entry_promises():
    declared = (Declared("SITE_A", (an_entry("e1", cpus=8, disk_mb=60_000, walltime_s=3600), an_entry("e2", cpus=2))),)
    assert sites(declared, slots=(SLOT,))["SITE_A"].limits == Limits(8, 8000, 50_000, 86400 - MARGIN_S)


def test_idle_jobs_wait_at_each_of_their_sites_and_running_ones_run_at_one():
    jobs = [
        a_group(1, count=5, sites=("SITE_A", "SITE_B")),
        a_group(2, count=3, sites=("SITE_A",), site="SITE_A", state=JobState.RUNNING),
        a_group(3, count=7),
        a_group(4, count=2, sites=("SITE_B",), site="SITE_B", state=JobState.HELD, hold_code=3),
        a_group(5, count=9, site="SITE_B", state=JobState.HELD, hold_code=1),
    ]
    found = sites((Declared("SITE_A"), Declared("SITE_B")), jobs, slots=(SLOT,))
    a, b = found["SITE_A"], found["SITE_B"]
    assert (a.waiting_jobs, a.running_jobs, a.cores, a.idle_cores) == (5, 3, 16, 5)
    assert (b.waiting_jobs, b.running_jobs, b.outcomes) == (5, 0, Outcomes(0, 2))


def test_a_site_whose_nodes_are_refused_is_well_again_when_a_glidein_works():
    failures = [a_failure(message="old", at=1.0), a_failure(message="new", at=2.0)]
    assert sites(failures=failures)["SITE_A"].failure.message == "new"
    assert sites(failures=failures, slots=(SLOT,))["SITE_A"].failure is None


def test_what_operators_say_comes_with_its_reason():
    state = SiteState("SITE_A", SiteStatus.DRAINING, "cooling", "bob", 1.0)
    site = sites(states={"SITE_A": state})["SITE_A"]
    assert (site.status, site.status_reason) == (SiteStatus.DRAINING, "cooling")


def observed(organisation):
    sources = (organisation.pool, organisation.store, organisation.sites)
    return observe(*sources, BrokerPolicy(), organisation.clock.now())


@pytest.mark.parametrize(("age", "seen"), [(1799, True), (1801, False)])
def test_a_refusal_is_forgotten_after_a_while(organisation, age, seen):
    organisation.pool.refuse_node(a_failure(at=organisation.clock.now() - age))
    (site, _) = observed(organisation).sites
    assert (site.failure is not None) == seen


@pytest.mark.parametrize(("age", "failed"), [(3599, 1), (3601, 0)])
def test_outcomes_are_forgotten_after_a_while(organisation, age, failed):
    ended = an_ended_job(ended=organisation.clock.now() - age)
    organisation.store.record_ended([ended])
    assert observed(organisation).sites[0].outcomes == Outcomes(failed, 0)


def test_what_a_cluster_reads_is_known_by_its_batch_its_dataset_or_its_own_words(organisation):
    located = a_file("/demo/a", "SITE_A")
    organisation.store.register([located], "alice", 1.0)
    organisation.store.add_dataset("/demo/all", ["/demo/a"], "alice", 1.0)
    organisation.submit(a_batch(jobs=1, files=[located]))
    alice = organisation.pool.as_user("alice")
    alice.submit('My.RouterDataset = "/demo/all"\nexecutable = x\n', ())
    alice.submit('My.RouterDataset = "/demo/none"\nMy.RouterInputs = "SITE_B"\nexecutable = x\n', ())
    alice.submit("executable = x\n", ())
    assert dict(observed(organisation).inputs) == {
        1: inputs_at("SITE_A"),
        2: inputs_at("SITE_A"),
        3: Inputs(1, (("SITE_B", 1),)),
    }
