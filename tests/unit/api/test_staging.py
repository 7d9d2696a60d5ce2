"""Automatic splitting over the fake pool: probes, main jobs, tails, merge; cut short anywhere, by the owner only."""

import json
from collections import Counter
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD, a_router, an_output_of

from router.errors import PermissionRefused, TemporaryError, UserError
from router.render.jdl import Injection
from router.testing.build import a_file, a_report

PAYLOAD = SPLIT_PAYLOAD.replace("{by: events, target: 60}", "{by: auto, target: 100 s}")


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


@pytest.fixture
def task(router, folder, organisation):
    """A task at its probes: of three files of 100 events, one event each."""
    made = router.submit(router.plan(PAYLOAD, "my.yaml", folder), folder).task
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site, cores=200)
    return made


def run(router, organisation, task, failing=0):
    """Let all idle jobs end, the first `failing` at SITE_A badly; an event takes a second."""
    organisation.step()
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", failing, exit_code=72)
    lines = [line for line in router.lines(task.id)[0] if line.state == "running"]
    for line in lines:
        events = sum(each[2] for each in inputs(task)[line.job]) if line.job != "merge" else 0
        told = a_report(
            line.job,
            task=task.id,
            batch=line.batch,
            events=events,
            payload={"seconds": float(events)},
            outputs=[an_output_of(task, "merged" if line.job == "merge" else line.job)],
        )
        organisation.reports.add(task.id, line.job, told)
        (Path(task.directory) / "reports" / f"{line.job}.json").write_text(told)
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.finish(site)
    organisation.step()
    organisation.step()


def inputs(task):
    """What each described job of a batch reads."""
    found = {}
    for path in sorted((Path(task.directory) / "jobs").glob("[pbt]*.json")):
        for job, told in json.loads(path.read_text())["jobs"].items():
            found[job] = [(each["lfn"], each["first_event"], each["events"]) for each in told["inputs"]]
    return found


def events_read(router, organisation, task):
    """How often each event is read by jobs that ended well."""
    return Counter(
        (lfn, event)
        for job in organisation.store.ended(task.id)
        if job.state == "finished" and job.job != "merge"
        for lfn, first, count in inputs(task)[job.job]
        for event in range(first, first + count)
    )


def test_probes_come_first_and_a_task_is_not_done_with_them(router, organisation, task):
    assert router.status(task.id).jobs == 3
    assert router.proceed(task.id).words == "0 of 3 probes have ended"
    assert not router.next_stage(task.id).due
    run(router, organisation, task)
    assert router.next_stage(task.id).due
    status = router.status(task.id)
    assert (dict(status.counts), status.stage, status.done) == ({"finished": 3}, "probes", False)


def test_main_jobs_are_cut_by_what_the_probes_measured_and_merged_with_them(router, organisation, task):
    run(router, organisation, task)
    found = router.proceed(task.id)
    assert (found.stage, [key for key, _ in found.clusters]) == ("main", ["b0", "b1", "b2"])
    assert sorted(sum(each[2] for each in read) for read in inputs(task).values()) == [1, 1, 1, 24, 24, 24, 75, 75, 75]
    run(router, organisation, task)
    found = router.proceed(task.id)
    assert (found.stage, [key for key, _ in found.clusters], found.open) == ("complete", ["merge"], False)
    merge = json.loads((Path(task.directory) / "jobs" / "merge.json").read_text())
    assert merge["jobs"]["merge"]["merge"]["expected_parts"] == 9
    run(router, organisation, task)
    run(router, organisation, task)
    status = router.status(task.id)
    assert (dict(status.counts), status.done) == ({"finished": 10}, True)
    assert set(events_read(router, organisation, task).values()) == {1}
    assert len(events_read(router, organisation, task)) == 300


def test_the_work_of_failed_jobs_goes_to_tails(router, organisation, task):
    run(router, organisation, task, failing=1)
    router.proceed(task.id)
    run(router, organisation, task, failing=2)
    found = router.proceed(task.id)
    assert (found.stage, found.words) == ("complete", "2 job(s) failed, and get tails")
    assert [key for key, _ in found.clusters][-1] == "merge"
    run(router, organisation, task)
    run(router, organisation, task)
    assert router.status(task.id).succeeded
    assert set(events_read(router, organisation, task).values()) == {1}
    assert len(events_read(router, organisation, task)) == 300


def test_when_every_probe_fails_nothing_more_is_added(router, organisation, task):
    organisation.step()
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.fail(site, exit_code=72)
    organisation.step()
    found = router.proceed(task.id)
    assert (found.stage, found.clusters, found.open) == ("failed", (), False)
    assert "every probe failed" in found.words
    assert router.proceed(task.id).stage == "failed"


def test_a_failure_that_may_be_mended_is_waited_for(router, organisation, task):
    organisation.step()
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.fail(site, exit_code=71)
    organisation.step()
    assert router.proceed(task.id).words == "0 of 3 probes have ended"


@pytest.mark.parametrize("point", ["submit", "submit applied", "withdraw", "withdraw applied"])
def test_a_step_that_was_cut_short_is_taken_up(router, organisation, task, point):
    run(router, organisation, task, failing=1)
    organisation.pool.break_at(point, Killed())
    with pytest.raises(Killed):
        router.proceed(task.id)
    assert router.next_stage(task.id).due
    router.proceed(task.id)
    assert not router.next_stage(task.id).due
    run(router, organisation, task)
    router.proceed(task.id)
    run(router, organisation, task)
    run(router, organisation, task)
    assert router.status(task.id).succeeded
    assert set(events_read(router, organisation, task).values()) == {1}
    assert len(events_read(router, organisation, task)) == 300


def test_proceeding_twice_is_proceeding_once(router, organisation, task):
    run(router, organisation, task)
    router.proceed(task.id)
    assert router.proceed(task.id).clusters == ()
    run(router, organisation, task)
    router.proceed(task.id)
    assert router.proceed(task.id).clusters == ()
    assert router.status(task.id).jobs == 10


def test_a_task_that_is_killed_gets_no_more_jobs(router, organisation, task):
    run(router, organisation, task)
    router.kill(task.id)
    assert (router.proceed(task.id).stage, router.proceed(task.id).clusters) == ("killed", ())
    assert router.status(task.id).done


def test_two_at_once_do_not_add_the_same_jobs(router, organisation, task):
    run(router, organisation, task)
    with router.directory(Path(task.directory)).exclusively(), pytest.raises(TemporaryError, match="just now"):
        router.proceed(task.id)


def test_only_the_owner_proceeds_and_only_with_an_automatic_split(router, folder, organisation, task, tmp_path):
    with pytest.raises(PermissionRefused):
        a_router(organisation, tmp_path / "tasks", "bob").proceed(task.id)
    other = router.submit(router.plan(SPLIT_PAYLOAD, "my.yaml", folder), folder).task
    with pytest.raises(UserError, match="not split automatically"):
        router.proceed(other.id)


def test_new_files_of_the_dataset_are_not_read_by_a_task_that_is_under_way(router, organisation, task):
    router.add_dataset("/demo/zmumu", [a_file("/demo/f4.root", "SITE_A")])
    run(router, organisation, task)
    router.proceed(task.id)
    assert {read[0] for job in inputs(task).values() for read in job} == {f"/demo/f{n}.root" for n in (1, 2, 3)}


def test_a_job_of_the_users_carries_the_task_on_unless_the_user_does(router, folder, organisation):
    asked, inject = [], router.pool.submit

    def submit(text, items):
        if text != "steward":
            return inject(text, items)
        asked.append(list(items))
        return 99

    router.pool.submit = submit
    router.steward = lambda task: Injection("steward", "steward", ())
    plan = router.plan(PAYLOAD, "my.yaml", folder)
    assert dict(router.submit(plan, folder).clusters)["steward"] == 99
    assert "steward" not in dict(router.submit(plan, folder, alone=True).clusters)
    assert asked == [[]]
