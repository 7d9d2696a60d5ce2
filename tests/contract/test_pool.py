"""One suite for every Pool: what a schedd with our configuration does, the fake does, and the other way round."""

import platform
import time
from dataclasses import replace

import pytest
from mine import eventually

from router.errors import RouterError
from router.model.job import JobGroup, JobState
from router.model.node import Platform, image_kind
from router.testing.build import (
    a_batch,
    a_payload,
)
from router.testing.pool import FakePool


def test_a_batch_is_in_the_queue_as_it_was_described(mine):
    cluster = mine.submit(a_batch(jobs=3, sites=frozenset({"SITE_B", "SITE_A"})))
    group = mine.group()
    assert group.oldest > 0
    assert replace(group, oldest=0) == JobGroup(
        cluster=cluster,
        owner="alice",
        state=JobState.IDLE,
        count=3,
        task=mine.task.id,
        batch="b0",
        requests=replace(mine.task.payload.requests, walltime_s=660),
        dataset="/demo/zmumu",
        held_by=("SITE_A", "SITE_B"),
        allow=("SITE_A", "SITE_B"),
        block=("SITE_C",),
        group="higgs.zz",
        writes=True,
        wrapped=True,
    )


@pytest.mark.parametrize("image", ["docker://debian:12", "/cvmfs/a/b.sif", "/cvmfs/a/b/"])
def test_the_image_of_a_container_is_in_the_queue(mine, image):
    kind = (image_kind(image),)
    payload = a_payload(container=image, platform=Platform("x86_64", images=kind))
    mine = replace(mine, task=replace(mine.task, payload=payload))
    mine.submit(a_batch())
    assert mine.group().requests.platform == payload.requests.platform


def test_a_batch_that_asks_for_no_architecture_gets_that_of_the_access_point(mine):
    mine = replace(mine, task=replace(mine.task, payload=a_payload()))
    mine.submit(a_batch())
    assert mine.group().requests.platform == Platform(platform.machine())


def test_each_job_of_a_batch_has_its_name(mine):
    cluster = mine.submit(a_batch(jobs=2))
    lines = sorted(mine.alice.task_lines(mine.task.id), key=lambda line: line.proc)
    assert [(line.id, line.job, line.batch, line.state, line.sites) for line in lines] == [
        (f"{cluster}.0", "0000", "b0", "idle", ()),
        (f"{cluster}.1", "0001", "b0", "idle", ()),
    ]


def test_two_batches_are_two_clusters_and_found_again_by_their_keys(mine):
    first, second = mine.submit(a_batch("b0")), mine.submit(a_batch("b1"))
    assert first != second
    assert mine.alice.clusters(mine.task.id, "alice") == {"b0": first, "b1": second}


def test_some_clusters_are_looked_at_as_all_are(mine):
    first, _, third = (mine.submit(a_batch(key, jobs=2)) for key in ("b0", "b1", "b2"))
    found = mine.router.jobs_in([third, first, 999_999])
    assert {(group.cluster, group.batch, group.count) for group in found} == {(first, "b0", 2), (third, "b2", 2)}
    assert set(found) == {group for group in mine.groups() if group.batch != "b1"}


def test_a_description_that_htcondor_cannot_read_is_an_error_and_leaves_no_job(mine):
    with pytest.raises(RouterError):
        mine.submit_text("universe = nonsense")
    assert mine.groups() == ()


def test_a_stranger_releases_and_removes_nothing(mine):
    cluster = mine.submit_merge()
    assert mine.bob.release(cluster, "mine now") == 0
    assert mine.bob.remove(mine.task.id, "mine now") == 0
    assert mine.group().state is JobState.HELD


def test_a_task_that_is_removed_leaves_the_queue_and_enters_the_history(mine):
    before = time.time()
    cluster = mine.submit(a_batch(jobs=2))
    assert mine.alice.remove(mine.task.id, 'said "no"') == 2
    eventually(mine.groups, lambda found: found == ())

    def ended():
        return [job for job in mine.router.ended(0) if job.task == mine.task.id]

    jobs = sorted(eventually(ended, lambda found: len(found) == 2), key=lambda job: job.proc)
    assert [(job.cluster, job.proc, job.batch, job.job) for job in jobs] == [
        (cluster, 0, "b0", "0000"),
        (cluster, 1, "b0", "0001"),
    ]
    assert {(job.owner, job.state, job.exit_code, job.reason) for job in jobs} == {
        ("alice", JobState.REMOVED, None, 'said "no" (by user alice)')
    }
    if not isinstance(mine.pools, FakePool):
        assert all(before - 2 <= job.ended <= time.time() + 2 for job in jobs)
    assert mine.alice.remove(mine.task.id, "again") == 0


def test_jobs_are_withdrawn_by_name_as_far_as_they_are_held_and_by_nobody_else(mine):
    cluster = mine.submit(a_batch(jobs=3))
    mine.hold(cluster)
    assert mine.bob.withdraw(mine.task.id, ["0000", "0002"], "mine now") == 0
    assert mine.alice.withdraw(mine.task.id, ["0000", "0002"], "smaller ones") == 2
    left = eventually(lambda: mine.alice.task_lines(mine.task.id), lambda found: len(found) == 1)
    assert [line.job for line in left] == ["0001"]
    mine.alice.retry(mine.task.id, "on")
    assert mine.alice.withdraw(mine.task.id, ["0001"], "smaller ones") == 0


def test_the_router_may_remove_what_is_not_its_own(mine):
    mine.submit_merge()
    assert mine.router.remove(mine.task.id, "the owner left") == 1


def test_a_cluster_whose_jobs_are_gone_is_still_known(mine):
    cluster = mine.submit(a_batch())
    mine.alice.remove(mine.task.id, "away")
    found = eventually(lambda: mine.alice.clusters(mine.task.id, "alice"), lambda found: bool(found))
    assert found == {"b0": cluster}


def test_history_is_read_from_a_moment_on(mine):
    mine.submit(a_batch())
    mine.alice.remove(mine.task.id, "away")

    def ended(since: float):
        return [job for job in mine.router.ended(since) if job.task == mine.task.id]

    (job,) = eventually(lambda: ended(0), lambda found: bool(found))
    assert ended(job.ended) == [job], "told again within the overlap"
    assert ended(job.ended + 3600) == []


def test_history_is_read_on_from_the_job_that_was_the_newest(mine):
    cluster = mine.submit(a_batch(jobs=3))
    mine.hold(cluster)

    def ended(after: tuple[int, int] | None = None):
        return [job.proc for job in mine.router.ended(0, after) if job.task == mine.task.id]

    for proc in (2, 0, 1):
        mine.alice.withdraw(mine.task.id, [f"{proc:04d}"], "away")
        eventually(ended, lambda found, proc=proc: proc in found)
    assert ended() == [1, 0, 2], "newest first"
    assert ended((cluster, 0)) == [1]
    assert ended((cluster, 1)) == []
    assert ended((cluster, 77)) == [1, 0, 2], "of a job that is not there all is read"


def test_a_task_name_that_is_an_expression_matches_nothing(mine):
    mine.submit(a_batch())
    trick = 'x" || true || "'
    assert mine.router.remove(trick, "all of it") == 0
    assert mine.router.retry(trick, "all of it") == 0
    assert mine.router.task_lines(trick) == ()
    assert mine.router.clusters(trick, "alice") == {}
    assert mine.group().count == 1


def test_a_task_name_in_other_letters_is_another_task(mine):
    mine.submit(a_batch())
    assert mine.router.task_lines(mine.task.id.upper()) == ()
    assert mine.router.clusters(mine.task.id.upper(), "alice") == {}


DRY_RUN = """\
Dry-run job(s)
ClusterId=1
ProcId=0
RouterDataset="/demo/zmumu"
RequestMemory=700
DESIRED_Sites="SITE_B,SITE_A"
.
ProcId=1
.
ProcId=2
RequestMemory=800
.
"""


def test_jobs_of_a_dry_run_are_described_as_they_would_be_in_the_queue(mine):
    two, one = mine.alice.described(DRY_RUN)
    assert (two.count, two.dataset, two.requests.memory_mb) == (2, "/demo/zmumu", 700)
    assert (two.sites, two.allow) == (None, ("SITE_A", "SITE_B"))
    assert one == replace(two, cluster=one.cluster, count=1, requests=replace(two.requests, memory_mb=800))


def test_a_pool_without_glideins_has_no_slots_and_no_refusals(mine):
    assert (mine.router.slots(), mine.router.failures()) == ((), ())
