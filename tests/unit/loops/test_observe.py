"""From the sources to a world: what is counted where, and what is believed of whom."""

from dataclasses import replace

import pytest

from router.loops.observe import EVENTS_FRESH_S, Declared, assemble, observe, tape_of
from router.model.job import JobState, SlotGroup
from router.model.node import Gpus, Platform
from router.model.pilot import MARGIN_S
from router.model.policy import BrokerPolicy
from router.model.record import SiteState
from router.model.site import Access, Limits, Outcomes, SiteStatus, Storage
from router.model.task import Inputs
from router.testing.build import a_batch, a_failure, a_file, a_group, an_ended_job, an_entry, inputs_at
from router.testing.events import FakeEventLog
from router.testing.pool import FakePool

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


def test_a_site_is_known_by_the_nodes_it_has_and_by_promises_where_it_has_none():
    promised = an_entry("e2", gpus=Gpus(1, 9000), arch="x86_64-v3", os="el9")
    old = replace(SLOT, platform=Platform("x86_64-v2", "el8"))
    new = replace(SLOT, platform=Platform("x86_64-v3", "el8"), gpus=Gpus(2, 8000))
    declared = (Declared("SITE_A", (an_entry("e1", os="el7"), promised)),)
    site = sites(declared, slots=(old, new))["SITE_A"]
    assert site.platforms == (old.platform, new.platform, promised.platform)
    assert site.limits.gpus == Gpus(2, 9000)


def test_a_site_takes_the_groups_that_its_declaration_says():
    only = Access(allow=("higgs",))
    found = sites((Declared("SITE_A", access=only), Declared("SITE_B")))
    assert (found["SITE_A"].access, found["SITE_B"].access) == (only, Access())


def test_the_catalogue_is_asked_what_lies_where_space_or_quota_are_limited(store):
    store.register([a_file("/user/alice/a", "SITE_A", "SITE_B", size=3 * 2**20)], "alice", 1.0)
    store.register([a_file("/user/bob/b", "SITE_A", size=2**20)], "bob", 1.0)
    assert store.stored() == {"SITE_A": {"alice": 3 * 2**20, "bob": 2**20}, "SITE_B": {"alice": 3 * 2**20}}
    declared = (Declared("SITE_A", storage=Storage(space_mb=5, quota_mb=2)), Declared("SITE_B"))
    found = {site.name: site.storage for site in observe(FakePool(), store, declared, BrokerPolicy(), 10.0).sites}
    assert found["SITE_A"] == Storage(space_mb=5, quota_mb=2, used_mb=4, over=("alice",))
    assert found["SITE_B"] == Storage()


def test_what_lies_at_a_tape_site_is_on_tape():
    assert tape_of((Declared("A", storage=Storage(tape=True)), Declared("B"))) == {"A"}


def test_idle_jobs_wait_at_each_of_their_sites_and_running_ones_run_at_one():
    jobs = [
        a_group(1, count=5, sites=("SITE_A", "SITE_B")),
        a_group(2, count=3, sites=("SITE_A",), site="SITE_A", state=JobState.RUNNING),
        a_group(3, count=7),
        a_group(4, count=2, sites=("SITE_B",), site="SITE_B", state=JobState.HELD, hold_code=3),
    ]
    found = sites((Declared("SITE_A"), Declared("SITE_B")), jobs, slots=(SLOT,))
    a, b = found["SITE_A"], found["SITE_B"]
    assert (a.waiting_jobs, a.running_jobs, a.cores, a.idle_cores) == (5, 3, 16, 5)
    assert (b.waiting_jobs, b.running_jobs) == (5, 0)


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


def failed_at_a(organisation):
    """Ten jobs of which two fail at SITE_A."""
    organisation.submit()
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", 2, exit_code=71)


def test_without_an_event_log_failures_are_the_jobs_that_are_held_for_them(organisation):
    failed_at_a(organisation)
    assert observed(organisation).sites[0].outcomes == Outcomes(0, 2)


def test_with_an_event_log_a_site_is_known_by_all_that_happened_there(organisation):
    organisation.events = FakeEventLog(organisation.pool)
    failed_at_a(organisation)
    organisation.pool.evict("SITE_A", 1)
    organisation.pool.finish("SITE_A", 1)
    organisation.step()
    assert observed(organisation).sites[0].outcomes == Outcomes(1, 2, 8, 1, (("hold-3.71", 2),), 0.0)
    organisation.pool.retry("zmumu-1", "again")
    assert observed(organisation).sites[0].outcomes.failed == 2, "what was mended has happened all the same"


@pytest.mark.parametrize(("age", "known"), [(EVENTS_FRESH_S, 8), (EVENTS_FRESH_S + 1, 0)])
def test_an_event_log_that_nobody_reads_any_more_is_not_believed(organisation, age, known):
    organisation.events = FakeEventLog(organisation.pool)
    failed_at_a(organisation)
    organisation.step()
    organisation.clock.pass_time(age)
    assert observed(organisation).sites[0].outcomes.starts == known
    assert observed(organisation).sites[0].outcomes.failed == 2


def test_what_a_cluster_reads_is_known_by_its_batch_its_dataset_or_its_own_words(organisation):
    located = a_file("/demo/a", "SITE_A")
    organisation.store.register([located], "alice", 1.0)
    organisation.store.add_dataset("/demo/all", ["/demo/a"], "alice", 1.0)
    organisation.submit(a_batch(jobs=1, files=[located]))
    alice = organisation.pool.as_user("alice")
    alice.submit('My.RouterDataset = "/demo/all"\nexecutable = x\n', ())
    alice.submit('My.RouterDataset = "/demo/none"\nMy.RouterInputs = "SITE_B"\nexecutable = x\n', ())
    alice.submit("executable = x\n", ())
    assert {cluster: read for (cluster, *_), read in observed(organisation).inputs} == {
        1: inputs_at("SITE_A"),
        2: inputs_at("SITE_A"),
        3: Inputs(1, (("SITE_B", 1),)),
    }


def test_jobs_of_one_cluster_read_what_each_of_them_names(organisation):
    for name, site in (("a", "SITE_A"), ("b", "SITE_B")):
        organisation.store.register([a_file(f"/demo/{name}", site)], "alice", 1.0)
        organisation.store.add_dataset(f"/demo/all-{name}", [f"/demo/{name}"], "alice", 1.0)
    organisation.pool.as_user("alice").submit(
        'executable = x\nMy.RouterDataset = "/demo/all-$(which)"\n', [{"which": "a"}, {"which": "b"}]
    )
    assert dict(observed(organisation).inputs) == {
        (1, "/demo/all-a", ()): inputs_at("SITE_A"),
        (1, "/demo/all-b", ()): inputs_at("SITE_B"),
    }
