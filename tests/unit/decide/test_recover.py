"""Which finished jobs must run again: those whose outputs are needed and not there."""

import pytest

from router.decide.recover import lost
from router.model.job import JobState
from router.testing.build import a_payload, a_task, an_ended_job, an_output

TASK = a_task(payload=a_payload(outputs=(an_output("hist.root", merge=True), an_output("log.txt"))))
PART = "/user/alice/zmumu-1/hist_{}.root"
LOG = "/user/alice/zmumu-1/log_{}.txt"
MERGED = PART.format("merged")
JOBS = [an_ended_job(job=name, proc=number) for number, name in enumerate(("0000", "0001"))]
MERGE = an_ended_job(cluster=2, batch="merge", job="merge")
ALL = {form.format(name) for form in (PART, LOG) for name in ("0000", "0001")}


@pytest.mark.parametrize(
    ("ended", "gone", "again"),
    [
        (JOBS, set(), []),
        (JOBS, {PART.format("0001")}, ["0001"]),
        (JOBS, {LOG.format("0000")}, ["0000"]),
        ([*JOBS, MERGE], {PART.format("0000"), PART.format("0001")}, []),
        ([*JOBS, MERGE], {LOG.format("0000")}, ["0000"]),
        ([*JOBS, MERGE], {MERGED}, ["merge"]),
        ([*JOBS, MERGE], {MERGED, PART.format("0001")}, ["0001", "merge"]),
        ([an_ended_job(job="0000", state=JobState.REMOVED)], ALL, []),
    ],
    ids=[
        "all there", "a part", "a file that is not merged", "parts of a merged file", "a file beside a merged one",
        "the merged file", "the merged file and a part", "a job that was removed",
    ],
)  # fmt: skip
def test_what_is_needed_and_gone_is_made_again_and_nothing_else(ended, gone, again):
    assert [job.job for job in lost(TASK, ended, {*ALL, MERGED} - gone)] == again


def test_each_of_several_merge_jobs_answers_for_its_own_file():
    task = a_task(payload=a_payload(outputs=(an_output("a.root", merge=True), an_output("b.root", merge=True))))
    ended = [an_ended_job(cluster=2, proc=number, batch="merge", job=f"merge{number}") for number in range(2)]
    assert [job.job for job in lost(task, ended, {"/user/alice/zmumu-1/a_merged.root"})] == ["merge1"]


def test_a_task_without_outputs_has_nothing_to_lose():
    assert lost(a_task(), [an_ended_job()], ()) == ()
