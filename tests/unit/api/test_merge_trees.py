"""Trees of merge jobs, from the payload to their release."""

import json
from pathlib import Path

import pytest
from fake_organisation import an_output_of

from router.errors import UserError
from router.model.action import Release
from router.model.answer import WAITING
from router.model.world import TaskProgress


@pytest.fixture
def submitted(router, organisation, tmp_path):
    """A task of five jobs whose output is merged by at most three at once."""
    (tmp_path / "a.py").write_text("")
    text = "name: a\nexecutable: a.py\njobs: 5\noutputs: [{name: hist.root, merge: auto, fan_in: 3}]\n"
    return router.submit(router.plan(text, "a.yaml", tmp_path), tmp_path)


def test_each_merge_job_of_a_tree_is_a_batch_that_knows_its_parts(submitted, router):
    assert list(dict(submitted.clusters)) == ["b0", "merge-1-0", "merge-1-1", "merge"]
    jobs = Path(submitted.task.directory) / "jobs"
    told = {name: json.loads((jobs / f"{name}.json").read_text()) for name in ("merge-1-1", "merge")}
    assert told["merge-1-1"]["batch"] == "merge-1-1"
    node = told["merge-1-1"]["jobs"]["merge-1-1"]
    assert node["merge"] == {"parts_of": "hist.root", "expected_parts": 3, "jobs": ["0002", "0003", "0004"]}
    assert node["outputs"][0]["lfn"] == f"{submitted.task.outputs}/hist_merge-1-1.root"
    last = told["merge"]["jobs"]["merge"]["merge"]
    assert last == {"parts_of": "hist.root", "expected_parts": 2, "jobs": ["merge-1-0", "merge-1-1"]}
    assert router.status(submitted.task.id).counts[WAITING] == 3


def test_a_merge_job_is_released_when_its_own_parts_are_there(submitted, organisation):
    task, clusters = submitted.task, dict(submitted.clusters)
    organisation.store.register([an_output_of(task, job) for job in ("0000", "0001", "0003")], "alice", 1.0)
    assert organisation.store.progress() == (
        TaskProgress(task.id, 2, 2, clusters["merge-1-0"]),
        TaskProgress(task.id, 3, 1, clusters["merge-1-1"]),
        TaskProgress(task.id, 7, 0, clusters["merge"]),
    )
    released = [action.cluster for action in organisation.step() if isinstance(action, Release)]
    assert released == [clusters["merge-1-0"]]


def test_a_merge_job_reads_what_lies_where_its_parts_lie(submitted, organisation):
    task = submitted.task
    organisation.store.register([an_output_of(task, job) for job in ("0000", "0001")], "alice", 1.0)
    found = organisation.store.inputs([(task.id, "merge-1-0")])[task.id, "merge-1-0"]
    assert found.at_sites == (("SITE_A", found.size),)


def test_partly_merged_files_are_no_outputs(submitted, organisation, router):
    task = submitted.task
    made = [an_output_of(task, "0000"), an_output_of(task, "merge-1-0")]
    organisation.store.register(made, "alice", 1.0)
    assert [each.file.lfn for each in router.outputs(task.id, partial=True).files] == [f"{task.outputs}/hist_0000.root"]


def test_what_a_merge_job_joins_may_be_said_twice(submitted, organisation):
    before = organisation.store.progress()
    organisation.store.add_merge_nodes(submitted.task.id, {"merge-1-0": [f"{submitted.task.outputs}/hist_0000.root"]})
    assert organisation.store.progress() == before


def test_no_job_of_a_tree_is_split_again(submitted, router):
    with pytest.raises(UserError, match="merges in a tree"):
        router.split_again(submitted.task.id, "0000", 2)
