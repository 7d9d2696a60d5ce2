"""Outputs that were lost are made again by their owner: what is missing, once, and nothing else."""

import json
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD as PAYLOAD
from fake_organisation import a_router, an_output_of

from router.errors import OutcomeUnknown, PermissionRefused, PoolUnreachable, RouterError
from router.model.job import JobState
from router.testing.build import a_file, a_report


@pytest.fixture
def task(router, folder, organisation):
    """A task whose six jobs have ended at SITE_A and left their parts."""
    router.set_site("SITE_B", "draining", "cooling")
    made = router.submit(router.plan(PAYLOAD, "my.yaml"), folder).task
    organisation.step()
    for batch in ("0000", "0001", "0002", "0003", "0004", "0005"):
        organisation.reports.add(made.id, batch, a_report(batch, task=made.id, outputs=[an_output_of(made, batch)]))
    run(organisation)
    return made


def run(organisation, site="SITE_A"):
    organisation.glidein(site, cores=8)
    organisation.pool.negotiate()
    organisation.clock.pass_time(60)
    organisation.pool.finish(site)
    organisation.step()


def lose(organisation, task, *jobs):
    for job in jobs:
        organisation.store.remove_replica(f"{task.outputs}/hist_{job}.root", "SITE_A_DISK")


def test_nothing_is_lost_of_what_is_there(router, task):
    assert router.lost(task.id) == ()
    assert router.status(task.id).lost == 0
    assert router.make_again(task.id, ()) == {}


def test_what_is_lost_is_told_and_made_again_and_only_that(router, task, organisation):
    lose(organisation, task, "0000", "0003")
    assert router.status(task.id).lost == 2
    again = router.lost(task.id)
    assert [job.job for job in again] == ["0000", "0003"]
    clusters = router.make_again(task.id, again)
    assert list(clusters) == ["b0-r1", "b1-r1"]
    described = json.loads((Path(task.directory) / "jobs" / "b0-r1-0.json").read_text())
    assert (described["batch"], list(described["jobs"])) == ("b0-r1", ["0000"])
    status = router.status(task.id)
    assert (dict(status.counts), status.jobs, status.lost) == ({"finished": 4, "idle": 3}, 7, 0)
    assert sorted(line.job for line in router.lines(task.id)[0]) == ["0000", "0003", "merge"]


def test_a_file_that_is_made_again_may_be_another(router, task, organisation):
    lose(organisation, task, "0000")
    router.make_again(task.id, router.lost(task.id))
    other = a_file(f"{task.outputs}/hist_0000.root", "SITE_A", size=777, adler32="12345678")
    organisation.reports.add(task.id, "0000", a_report("0000", task=task.id, outputs=[other]))
    organisation.step()
    run(organisation)
    (located,) = organisation.store.files([other.file.lfn])
    assert (located.file.size, located.sites) == (777, other.sites)
    assert router.lost(task.id) == ()
    assert router.status(task.id).counts["finished"] >= 6


def test_a_copy_that_the_storage_has_not_is_forgotten(router, task, organisation):
    gone = f"{task.outputs}/hist_0002.root"
    assert [job.job for job in router.lost(task.id, lambda _, replica: not replica.pfn.endswith(gone))] == ["0002"]
    assert router.status(task.id).lost == 1


def test_where_the_storage_does_not_answer_nothing_is_called_lost(router, task):
    def silent(*_):
        raise PoolUnreachable("the storage does not answer")

    with pytest.raises(PoolUnreachable):
        router.lost(task.id, silent)
    assert router.status(task.id).lost == 0


def test_only_the_owner_makes_a_tasks_jobs_again(router, task, organisation, tmp_path):
    lose(organisation, task, "0000")
    bob = a_router(organisation, tmp_path / "tasks", "bob")
    with pytest.raises(PermissionRefused, match=r"only alice may run its jobs again"):
        bob.make_again(task.id, bob.lost(task.id))
    assert router.status(task.id).lost == 1


@pytest.mark.parametrize("point", ["submit", "submit applied"])
@pytest.mark.parametrize("error", [PoolUnreachable("down"), OutcomeUnknown("no answer")])
def test_a_recovery_that_is_cut_short_is_taken_up_and_injects_once(router, task, organisation, point, error):
    lose(organisation, task, "0000", "0003")
    organisation.pool.break_at(point, error)
    try:
        router.make_again(task.id, router.lost(task.id))
    except (PoolUnreachable, OutcomeUnknown):
        router.make_again(task.id, router.lost(task.id))
    queued = [group for group in organisation.pool.jobs() if group.batch.endswith("-r1")]
    assert sorted((group.batch, group.count) for group in queued) == [("b0-r1", 1), ("b1-r1", 1)]
    assert router.status(task.id).jobs == 7


def test_what_is_lost_twice_is_made_a_third_time(router, task, organisation):
    for key in ("b0-r1", "b0-r2"):
        lose(organisation, task, "0000")
        assert list(router.make_again(task.id, router.lost(task.id))) == [key]
        organisation.step()
        run(organisation)
    assert router.lost(task.id) == ()
    assert router.status(task.id).jobs == 7


@pytest.mark.parametrize("text", [None, "{", "[]", '{"jobs": {}}'])
def test_a_job_that_nothing_describes_any_more_is_told_and_not_injected(router, task, organisation, text):
    part = Path(task.directory) / "jobs" / "b0-0.json"
    part.unlink() if text is None else part.write_text(text)
    lose(organisation, task, "0000")
    with pytest.raises(RouterError, match=r"cannot be made again: .* Submit the payload again"):
        router.make_again(task.id, router.lost(task.id))
    assert [group.batch for group in organisation.pool.jobs()] == ["merge"]


def test_a_lost_merged_file_is_merged_again_when_its_parts_are_there(router, task, organisation):
    merged = an_output_of(task, "merged")
    organisation.reports.add(task.id, "merge", a_report("merge", task=task.id, outputs=[merged]))
    organisation.step()
    run(organisation)
    assert router.status(task.id).succeeded
    lose(organisation, task, "merged", "0004")
    again = router.lost(task.id)
    assert [job.job for job in again] == ["0004", "merge"]
    assert list(router.make_again(task.id, again)) == ["b2-r1", "merge"]
    assert router.status(task.id).counts["waiting"] == 1
    organisation.step()
    assert organisation.groups("merge")[0].state is JobState.HELD, "a part is missing"
    run(organisation)
    organisation.step()
    run(organisation)
    assert router.status(task.id).succeeded
