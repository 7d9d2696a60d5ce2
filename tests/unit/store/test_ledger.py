"""The ledger: tasks, how jobs ended, what operators said."""

from dataclasses import replace

import pytest

from router.errors import NotFound, RouterError
from router.model.job import JobState
from router.model.record import BatchRecord, SiteState
from router.model.site import Outcomes, SiteStatus
from router.model.world import TaskProgress
from router.testing.build import a_batch, a_file, a_payload, a_task, an_ended_job

TEXT = "name: zmumu\nexecutable: analyse.py\n"
TWO_JOBS = a_batch(jobs=2)


def opened(store, task="zmumu-1", digest="d1", batches=(TWO_JOBS,), merge_jobs=0, **changes):
    made = a_task(task, **changes)
    store.open_task(made, TEXT, digest, batches, merge_jobs)
    return made


def test_a_task_is_remembered_whole(store):
    task = opened(store)
    assert store.task("zmumu-1") == task
    assert store.batches("zmumu-1") == [BatchRecord("zmumu-1", "b0", 2, None)]


def test_a_task_is_found_by_its_id_its_beginning_or_its_name(store):
    first = opened(store, "zmumu-1a", created=1.0)
    second = opened(store, "zmumu-2b", created=2.0)
    assert store.task("zmumu-1a") == first
    assert store.task("zmumu-1") == first
    assert store.task("zmumu") == second
    with pytest.raises(NotFound, match="2 or more tasks begin so; write more of its id"):
        store.task("zmumu-")
    with pytest.raises(NotFound, match=r"There is no task higgs. `glideroute status` lists them"):
        store.task("higgs")


@pytest.mark.parametrize("wanted", ["%", "_", "zmumu_1", "' OR 1=1 --", "", "\x00", "z%"])
def test_a_pattern_or_a_quote_finds_no_task(store, wanted):
    opened(store, "zmumu-1")
    opened(store, "zmumu-2")
    with pytest.raises(NotFound):
        store.task(wanted)


def test_the_newest_tasks_of_one_owner_or_of_all_come_first(store):
    opened(store, "a-1", created=1.0)
    opened(store, "a-2", created=2.0, owner="bob")
    assert [task.id for task in store.tasks()] == ["a-2", "a-1"]
    assert [task.id for task in store.tasks("alice")] == ["a-1"]
    assert [task.id for task in store.tasks(limit=1)] == ["a-2"]


def test_a_job_that_is_made_again_has_not_ended_even_if_the_history_says_so_once_more(store):
    opened(store)
    jobs = [an_ended_job(proc=0, job="0000"), an_ended_job(proc=1, job="0001")]
    store.record_ended(jobs)
    store.set_report(jobs[0], usable=True)
    assert store.read("zmumu-1") == [jobs[0]]
    store.make_again("zmumu-1", "b0-r1", [jobs[0]])
    store.record_ended(jobs)
    assert store.ended("zmumu-1") == [jobs[1]]
    assert store.to_make_again("zmumu-1") == [replace(jobs[0], batch="b0-r1")]
    assert store.batches("zmumu-1") == [
        BatchRecord("zmumu-1", "b0", 1, None),
        BatchRecord("zmumu-1", "b0-r1", 1, None),
    ]


def test_a_batch_that_is_made_again_reads_what_the_first_read(store):
    located = a_file("/demo/f1.root", "SITE_A")
    store.register([located], "alice", 1.0)
    opened(store, batches=(a_batch(jobs=2, files=[located]),))
    store.make_again("zmumu-1", "b0-r1", [an_ended_job()])
    read = store.inputs([("zmumu-1", "b0"), ("zmumu-1", "b0-r1")])
    assert {batch: inputs.at_sites for (_, batch), inputs in read.items()} == {
        "b0": (("SITE_A", 1000),),
        "b0-r1": (("SITE_A", 1000),),
    }


def test_opening_a_task_twice_is_refused_and_leaves_the_first_alone(store):
    task = opened(store)
    with pytest.raises(RouterError):
        opened(store, batches=(a_batch("b7"),))
    assert store.task("zmumu-1") == task
    assert [each.key for each in store.batches("zmumu-1")] == ["b0"]


def test_an_unfinished_submission_is_found_until_it_is_complete(store):
    task = opened(store)
    assert store.incomplete_task("alice", "d1") == task
    assert store.incomplete_task("bob", "d1") is None
    assert store.incomplete_task("alice", "d2") is None
    store.set_complete(task.id)
    assert store.incomplete_task("alice", "d1") is None


def test_batches_come_in_the_order_they_were_cut_the_merge_batch_last(store):
    opened(store, batches=[a_batch(f"b{n}") for n in (10, 2, 0)], merge_jobs=1)
    store.set_cluster("zmumu-1", "b2", 17)
    found = [(each.key, each.cluster) for each in store.batches("zmumu-1")]
    assert found == [("b0", None), ("b2", 17), ("b10", None), ("merge", None)]


def test_how_a_job_ended_is_remembered_once_and_the_last_word_counts(store):
    opened(store)
    store.record_ended([])
    store.record_ended([an_ended_job(ended=5.0), an_ended_job(proc=1, ended=7.0)])
    store.record_ended([an_ended_job(ended=6.0, wall_s=3.0)])
    assert [(job.proc, job.ended, job.wall_s) for job in store.ended("zmumu-1")] == [(0, 6.0, 3.0), (1, 7.0, 0.0)]


def test_how_far_the_history_was_read_is_remembered_with_what_it_told(store):
    opened(store)
    assert store.history_read() is None
    store.record_history([])
    assert store.history_read() is None
    store.record_history([an_ended_job(proc=1, ended=6.0), an_ended_job(ended=7.0)])
    store.record_history([])
    assert store.history_read() == (1, 1)
    assert [job.ended for job in store.ended("zmumu-1")] == [7.0, 6.0]
    store.record_history([an_ended_job(cluster=9)])
    assert store.history_read() == (9, 0)


def test_a_job_of_a_stranger_is_none_of_the_tasks(store):
    opened(store)
    store.record_ended([an_ended_job(), an_ended_job(cluster=2, owner="bob")])
    assert [job.owner for job in store.ended("zmumu-1")] == ["alice"]


def test_a_job_told_again_keeps_its_read_report(store):
    opened(store)
    store.record_ended([an_ended_job()])
    store.set_report(an_ended_job(), usable=True)
    store.record_ended([an_ended_job()])
    assert store.unread_reports() == []


def test_reports_are_asked_of_jobs_that_ended_well_and_belong_to_a_task(store):
    task = opened(store)
    store.record_ended(
        [
            an_ended_job(proc=0),
            an_ended_job(proc=1, state=JobState.REMOVED),
            an_ended_job(proc=2, task=""),
            an_ended_job(proc=3, task="someone-elses"),
            an_ended_job(proc=4),
        ]
    )
    store.set_report(an_ended_job(proc=4), usable=False)
    assert store.unread_reports() == [(an_ended_job(proc=0), task)]


def test_a_report_of_a_strangers_job_comes_with_the_tasks_true_owner(store):
    task = opened(store)
    store.record_ended([an_ended_job(owner="bob")])
    assert store.unread_reports() == [(an_ended_job(owner="bob"), task)]


def test_outcomes_are_counted_by_site_within_the_window_and_without_removed_jobs(store):
    store.record_ended(
        [
            an_ended_job(proc=0, ended=100.0),
            an_ended_job(proc=1, ended=100.0, site="SITE_B"),
            an_ended_job(proc=2, ended=100.0, state=JobState.REMOVED, exit_code=None),
            an_ended_job(proc=3, ended=10.0),
            an_ended_job(proc=4, ended=100.0, site=""),
        ]
    )
    assert store.outcomes(50.0) == {"SITE_A": Outcomes(1, 0), "SITE_B": Outcomes(1, 0)}


def test_a_merge_job_waits_for_every_report_and_is_forgotten_when_it_has_ended(store):
    opened(store, batches=[a_batch("b0", 2), a_batch("b1", 1)], merge_jobs=1)
    assert store.progress() == ()
    store.set_cluster("zmumu-1", "merge", 9)
    assert store.progress() == (TaskProgress("zmumu-1", 3, 0, 9),)
    jobs = [an_ended_job(proc=n) for n in range(3)]
    store.record_ended(jobs)
    store.set_report(jobs[0], usable=True)
    store.set_report(jobs[1], usable=False)
    assert store.progress() == (TaskProgress("zmumu-1", 3, 1, 9),)
    store.record_ended([an_ended_job(cluster=9, batch="merge")])
    assert store.progress() == ()


def test_what_operators_say_of_a_site_replaces_what_they_said(store):
    store.set_site_state(SiteState("SITE_A", SiteStatus.DRAINING, "cooling", "bob", 1.0))
    last = SiteState("SITE_A", SiteStatus.ONLINE, "", "alice", 2.0)
    store.set_site_state(last)
    assert store.site_states() == {"SITE_A": last}


def test_a_task_reads_each_file_once_however_many_jobs_share_it(store):
    shared = a_file("/demo/a.root", "SITE_A")
    store.register([shared], "alice", 1.0)
    opened(store, batches=[a_batch("b0", 50, [shared, shared])], payload=a_payload())
    assert store.inputs([("zmumu-1", "b0")])["zmumu-1", "b0"].size == 1000
