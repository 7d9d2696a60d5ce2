"""What is there of a task merged by jobs, on request, beside the task's own merge job."""

import json
from pathlib import Path

import pytest
from fake_organisation import a_router, an_output_of

from router.errors import NotFound, PermissionRefused, TemporaryError, UserError
from router.model.action import Release
from router.model.task import MERGE_BATCH
from router.testing.build import a_file, a_report

PAYLOAD = "name: a\nexecutable: analyse.py\njobs: 3\noutputs: [{name: hist.root, merge: auto}]\n"


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


@pytest.fixture
def task(router, folder, organisation):
    """A task of three jobs, of which two have ended and left what they promised."""
    made = router.submit(router.plan(PAYLOAD, "a.yaml", folder), folder).task
    organisation.step()
    organisation.glidein("SITE_A", cores=2)
    organisation.pool.negotiate()
    for job in ("0000", "0001", "0002"):
        organisation.reports.add(made.id, job, a_report(job, task=made.id, outputs=[an_output_of(made, job)]))
    organisation.pool.finish("SITE_A")
    organisation.step()
    return made


def ends(organisation, task, job, batch, name):
    """Let what waits run, and the merge job of this name leave its file."""
    made = a_file(f"{task.outputs}/hist_{name}.root", "SITE_A")
    organisation.reports.add(task.id, job, a_report(job, task=task.id, batch=batch, outputs=[made]))
    organisation.step()
    organisation.step()
    organisation.pool.negotiate()
    organisation.pool.finish("SITE_A")
    organisation.step()


def test_a_job_that_knows_the_parts_is_injected_and_released(router, task, organisation):
    (found,) = router.merge_now(task.id)
    assert (found.parts, found.missing, found.new) == (2, 1, True)
    assert found.lfn == f"{task.outputs}/hist_partial-1.root"
    told = json.loads((Path(task.directory) / "jobs" / "partial-1.json").read_text())["jobs"]["partial-1"]
    assert told["merge"] == {"parts_of": "hist.root", "expected_parts": 2, "jobs": ["0000", "0001"]}
    assert told["outputs"][0]["lfn"] == found.lfn
    assert Release(found.cluster, task.id, "all 2 parts are there") in organisation.step()


def test_it_is_placed_by_where_its_parts_lie_and_asks_for_disk_by_their_size(router, task, organisation):
    router.merge_now(task.id)
    inputs = organisation.store.inputs([(task.id, "partial-1")])[task.id, "partial-1"]
    assert inputs.at_sites == (("SITE_A", 2000),)
    big = [a_file(f"{task.outputs}/hist_0002.root", "SITE_A", size=3 * 1024**3)]
    organisation.store.register(big, "alice", 1.0)
    with pytest.raises(UserError, match="its own merge job joins them all"):
        router.merge_now(task.id)
    router.memory.set_stage(task.id, "main")  # more jobs will come
    router.merge_now(task.id)
    (group,) = organisation.groups("partial-2")
    assert group.requests.disk_mb == 6 * 1024 + 1


def test_the_same_files_are_merged_once_and_more_files_again(router, task, organisation):
    (first,) = router.merge_now(task.id)
    (again,) = router.merge_now(task.id)
    assert (again.cluster, again.new) == (first.cluster, False)
    organisation.store.register([a_file(first.lfn, "SITE_A")], "alice", 1.0)
    (done,) = router.merge_now(task.id)
    assert (done.cluster, done.new) == (first.cluster, False)
    router.memory.set_stage(task.id, "main")  # more jobs will come
    organisation.store.register([an_output_of(task, "0003")], "alice", 1.0)
    (more,) = router.merge_now(task.id)
    assert (more.lfn, more.parts, more.new) == (f"{task.outputs}/hist_partial-2.root", 3, True)


def test_a_merge_whose_job_was_removed_is_made_anew(router, task, organisation):
    router.merge_now(task.id)
    organisation.pool.as_user("alice").withdraw(task.id, ["partial-1"], "not wanted")
    organisation.step()
    assert router.merge_now(task.id)[0].lfn.endswith("hist_partial-2.root")


def test_a_merge_whose_file_is_gone_is_made_anew(router, task, organisation):
    router.memory.set_stage(task.id, "main")
    ends(organisation, task, "0002", "b0", "0002")
    router.merge_now(task.id)
    ends(organisation, task, "partial-1", "partial-1", "partial-1")
    assert not router.merge_now(task.id)[0].new
    router.catalogue.remove([f"{task.outputs}/hist_partial-1.root"])
    assert router.merge_now(task.id)[0].lfn.endswith("hist_partial-2.root")


def test_the_tasks_own_merge_job_counts_neither_the_job_nor_its_file(router, task, organisation):
    router.merge_now(task.id)
    merge = dict((each.key, each.cluster) for each in router.memory.batches(task.id))[MERGE_BATCH]
    (own,) = [each for each in organisation.store.progress() if each.merge_cluster == merge]
    assert (own.expected, own.finished) == (3, 2)
    ends(organisation, task, "partial-1", "partial-1", "partial-1")
    ends(organisation, task, "merge", "merge", "merged")
    names = sorted(organisation.store.listing(task.outputs))
    assert names == [f"{task.outputs}/hist_{each}.root" for each in ("0000", "0001", "0002", "merged", "partial-1")]
    assert [each.file.lfn for each in router.outputs(task.id).files] == [f"{task.outputs}/hist_merged.root"]
    assert router.lost(task.id) == ()
    with pytest.raises(UserError, match="is merged already"):
        router.merge_now(task.id)


def test_a_merge_that_failed_keeps_nothing_waiting(router, task, organisation):
    router.merge_now(task.id)
    organisation.step()
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.pool.negotiate()
    organisation.pool.finish("SITE_A", 1)  # job 0002
    organisation.pool.fail("SITE_A", exit_code=77)
    ends(organisation, task, "merge", "merge", "merged")
    assert [each.file.lfn for each in router.outputs(task.id).files] == [f"{task.outputs}/hist_merged.root"]


@pytest.mark.parametrize("point", ["submit", "submit applied"])
def test_a_merge_that_was_cut_short_is_injected_once(router, task, organisation, point):
    organisation.pool.break_at(point, Killed())
    with pytest.raises(Killed):
        router.merge_now(task.id)
    organisation.step()
    (found,) = router.merge_now(task.id)
    assert found.lfn.endswith("hist_partial-1.root")
    assert [group.count for group in organisation.groups("partial-1")] == [1]
    assert router.merge_now(task.id)[0].cluster == found.cluster


def test_a_dry_run_injects_nothing(router, task, organisation):
    before = organisation.pool.jobs()
    (found,) = router.merge_plan(task.id)
    assert (found.parts, found.cluster, found.new) == (2, 0, False)
    assert organisation.pool.jobs() == before
    assert not router.merge_plan(task.id)[0].cluster


def test_of_several_outputs_each_is_merged_and_one_may_be_named(router, folder, organisation):
    text = PAYLOAD.replace("[{name: hist.root, merge: auto}]", "[{name: a.root}, {name: b.txt, merge: auto}]")
    made = router.submit(router.plan(text, "a.yaml", folder), folder).task
    with pytest.raises(TemporaryError, match="nothing to merge yet"):
        router.merge_now(made.id)
    files = [a_file(f"{made.outputs}/{name}", "SITE_A") for name in ("a_0000.root", "b_0000.txt", "b_0001.txt")]
    organisation.store.register(files, "alice", 1.0)
    assert [each.lfn for each in router.merge_now(made.id)] == [f"{made.outputs}/b_partial1-1.txt"]
    assert [each.lfn for each in router.merge_now(made.id, ["a.root"])] == [f"{made.outputs}/a_partial0-1.root"]
    assert [each.parts for each in router.merge_now(made.id, ["a.root", "b.txt"])] == [1, 2]


def test_what_cannot_be_merged_is_told(router, task, organisation, tmp_path):
    with pytest.raises(UserError, match=r"has no output x\.root\. Its outputs are: hist\.root"):
        router.merge_now(task.id, ["x.root"])
    with pytest.raises(PermissionRefused, match="only alice may add jobs"):
        a_router(organisation, tmp_path / "tasks", "bob").merge_now(task.id)


def test_a_task_that_merges_nothing_asks_which_output_is_meant(router, folder):
    made = router.submit(router.plan(PAYLOAD.replace("auto", "none"), "a.yaml", folder), folder).task
    with pytest.raises(UserError, match=r"Name one with --output: hist\.root"):
        router.merge_now(made.id)
    with pytest.raises(NotFound):
        router.merge_now("nobody-knows")
