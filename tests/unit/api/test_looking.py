"""Looking at tasks and changing them: what a user is told, in numbers and in words."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD as PAYLOAD
from fake_organisation import a_router, an_output_of

from router.errors import NotFound, TemporaryError, UserError
from router.model.job import JobState
from router.model.site import SiteStatus
from router.testing.build import a_file, a_report


@pytest.fixture
def task(router, folder, organisation):
    """A task of three batches of two jobs, all placed."""
    done = router.submit(router.plan(PAYLOAD, "my.yaml"), folder)
    organisation.step()
    return done.task


def ran(organisation, site, cores=8):
    organisation.glidein(site, cores)
    organisation.pool.negotiate()


def test_a_new_task_is_all_idle_and_its_merge_job_waits(router, task):
    status = router.status("zmumu")
    assert dict(status.counts) == {"idle": 6, "waiting": 1}
    assert (status.jobs, status.done, status.succeeded, status.problems) == (7, False, False, ())


def test_running_and_finished_jobs_are_counted_where_they_are(router, task, organisation):
    ran(organisation, "SITE_A", cores=4)
    organisation.pool.finish("SITE_A", 1)
    organisation.step()
    status = router.status(task.id)
    assert dict(status.counts) == {"idle": 2, "running": 3, "finished": 1, "waiting": 1}
    assert (dict(status.running_at), dict(status.finished_at)) == ({"SITE_A": 3}, {"SITE_A": 1})


def test_a_task_whose_last_jobs_are_about_to_leave_the_queue_is_not_done(router, task, monkeypatch):
    ended = tuple(replace(group, state=JobState.FINISHED) for group in router.pool.jobs())
    monkeypatch.setattr(router.pool, "jobs", lambda: ended)
    status = router.status(task.id)
    assert (dict(status.counts), status.done) == ({"finished": 7}, False)


def test_a_move_is_counted_once(router, task, organisation):
    router.set_site("SITE_B", SiteStatus.DRAINING, "cooling")
    organisation.step()
    organisation.step()
    assert router.status(task.id).moved == 4


def test_held_jobs_are_told_with_the_wrappers_own_words_once_for_all(router, task, organisation):
    ran(organisation, "SITE_A")
    assert organisation.pool.fail("SITE_A", 2, exit_code=71) == 2
    told = a_report("0000", exit_code=71, message="the input cannot be read")
    (Path(task.directory) / "reports" / "0000.json").write_text(told)
    (Path(task.directory) / "reports" / "0001.json").write_text("{ no report")
    assert router.status(task.id).problems == (
        "1 job(s) held, 0001 the first: exit code 71",
        "1 job(s) held, 0000 the first: the input cannot be read (exit code 71)",
    )
    lines, _ = router.lines(task.id)
    assert [line.reason for line in lines if line.state == "held"][:2] == [
        "the input cannot be read (exit code 71)",
        "exit code 71",
    ]


def test_a_job_that_was_stopped_and_waits_again_says_why(router, task, organisation):
    lines = organisation.pool.task_lines(task.id)
    stopped = [replace(lines[0], vacates=2, vacate_code=1013), replace(lines[1], vacates=1), *lines[2:]]
    router.pool.task_lines = lambda _: tuple(stopped)
    told = [line.reason for line in router.lines(task.id)[0]]
    assert told[0].endswith("; ran 2 time(s) before and was stopped, the last time: The glidein ended (by the site)")
    assert told[1].endswith("; ran 1 time(s) before and was stopped")
    assert "stopped" not in told[2]


def test_why_tells_every_sites_verdict_and_the_decisions_of_a_batch(router, task):
    router.set_site("SITE_B", SiteStatus.OFFLINE, "a fire")
    first = router.why(task.id)[0]
    assert (first.batch, first.cluster, [group.count for group in first.groups]) == ("b0", 1, [2])
    assert {verdict.site: verdict.refusal and verdict.refusal.words for verdict in first.choice.verdicts} == {
        "SITE_A": None,
        "SITE_B": "is offline: a fire",
    }
    assert [record.kind for record in first.history] == ["place"]


@pytest.mark.parametrize("wanted", ["3", "3.0", "3.17"])
def test_why_can_be_asked_of_a_cluster_or_a_job(router, task, wanted):
    (only,) = router.why(wanted)
    assert (only.cluster, only.groups[0].batch) == (3, "b2")


def test_why_answers_jobs_of_one_cluster_that_ask_for_different_things_apart(router, task, organisation):
    job = next(each for each in organisation.pool.schedd.queue if each.like.cluster == 3)
    job.like = replace(job.like, requests=replace(job.like.requests, memory_mb=1_000_000))
    large, usual = sorted(router.why("3"), key=lambda each: -each.shape.requests.memory_mb)
    assert [group.count for each in (large, usual) for group in each.groups] == [1, 1]
    assert {verdict.refusal and verdict.refusal.tag for verdict in large.choice.verdicts} == {"memory"}
    assert not any(verdict.refusal for verdict in usual.choice.verdicts)


def test_why_is_answered_of_jobs_that_are_gone(router, task):
    router.kill(task.id)
    assert [each.groups for each in router.why(task.id)] == [(), (), (), ()]
    assert router.why("777")[0].history == ()


@pytest.mark.parametrize("call", ["status", "why", "lines", "outputs", "kill", "retry"])
def test_a_task_that_is_not_there_is_told(router, call):
    with pytest.raises(NotFound, match="There is no task higgs"):
        getattr(router, call)("higgs")


def test_killing_removes_my_jobs_and_only_mine(router, task, organisation, tmp_path):
    bob = a_router(organisation, tmp_path / "tasks", "bob")
    assert bob.kill(task.id) == 0
    assert router.kill(task.id) == 7
    assert router.kill(task.id) == 0
    organisation.step()
    status = router.status(task.id)
    assert (dict(status.counts), status.done, status.succeeded) == ({"removed": 7}, True, False)


def test_a_retry_releases_failed_jobs_and_leaves_the_merge_job_on_hold(router, task, organisation):
    ran(organisation, "SITE_A")
    failed = organisation.pool.fail("SITE_A")
    assert router.retry(task.id) == failed == 4
    assert router.status(task.id).counts["waiting"] == 1


def test_jobs_that_their_owner_wants_elsewhere_go_there(router, task, organisation, tmp_path):
    organisation.step()
    (before,) = organisation.groups("b0")
    assert before.sites in (("SITE_A",), ("SITE_B",))
    assert router.send_elsewhere(str(before.cluster)) == before.count
    assert a_router(organisation, tmp_path / "tasks", "bob").send_elsewhere(task.id) == 0
    for _ in range(3):
        organisation.step()
    (moved,) = organisation.groups("b0")
    other = {"SITE_A": "SITE_B", "SITE_B": "SITE_A"}[before.sites[0]]
    assert (moved.state, moved.sites) == (JobState.IDLE, (other,))


def test_outputs_are_the_jobs_until_they_are_merged(router, task, organisation):
    with pytest.raises(TemporaryError, match="has no outputs yet"):
        router.outputs(task.id, partial=True)
    parts = [an_output_of(task, "0000"), an_output_of(task, "0001")]
    organisation.store.register(parts, "alice", 1.0)
    with pytest.raises(TemporaryError, match="4 of its 6 jobs have not left their outputs"):
        router.outputs(task.id)
    found = router.outputs(task.id, partial=True)
    assert (found.files, found.merged, found.missing) == (tuple(parts), False, 4)
    merged = an_output_of(task, "merged")
    organisation.store.register([merged], "alice", 1.0)
    found = router.outputs(task.id)
    assert (found.files, found.merged, found.missing) == ((merged,), True, 0)
    assert router.outputs(task.id, partial=True).files == tuple(parts)


def test_files_that_no_job_promised_are_no_outputs(router, task, organisation):
    strangers = [a_file(f"{task.outputs}/{name}", "SITE_A") for name in ("hist_x.root", "hist_0000_0001.root", "a.txt")]
    organisation.store.register([*strangers, an_output_of(task, "0003")], "alice", 1.0)
    assert [each.file.lfn for each in router.outputs(task.id, partial=True).files] == [f"{task.outputs}/hist_0003.root"]


def test_a_log_is_shown_as_it_is_and_one_that_is_not_there_yet_is_told(router, task):
    (Path(task.directory) / "logs" / "0000.out").write_bytes(b"hello\xff\n")
    assert router.log(task.id, "0000", "out") == "hello\ufffd\n"
    with pytest.raises(NotFound, match="has written nothing to err yet"):
        router.log(task.id, "0000", "err")


def test_an_operator_drains_and_resumes_a_site_with_a_reason(router, organisation):
    state = router.set_site("SITE_A", SiteStatus.DRAINING, "cooling")
    assert (state.by, state.reason, state.at) == ("alice", "cooling", organisation.clock.now())
    assert router.world().sites[0].status is SiteStatus.DRAINING
    router.set_site("SITE_A", SiteStatus.ONLINE, "")
    assert router.world().sites[0].status is SiteStatus.ONLINE


def test_a_site_nobody_knows_cannot_be_drained_and_one_that_is_only_seen_can(router, organisation):
    with pytest.raises(NotFound, match=r"There is no site SITE_X. There are: SITE_A, SITE_B"):
        router.set_site("SITE_X", SiteStatus.DRAINING, "x")
    organisation.glidein("SITE_X")
    assert router.set_site("SITE_X", SiteStatus.DRAINING, "x").site == "SITE_X"


def test_a_reason_of_two_lines_is_refused(router):
    with pytest.raises(UserError, match="The reason contains the control character"):
        router.set_site("SITE_A", SiteStatus.DRAINING, "two\nlines")


def test_the_jobs_of_a_dry_run_are_weighed_like_any_other(router):
    text = 'ClusterId=1\nProcId=0\nRouterDataset="/demo/zmumu"\n.\nProcId=1\n.\n'
    ((count, sites, choice),) = router.choices_for_dry_run(text)
    assert (count, sites) == (2, ("SITE_A", "SITE_B"))
    assert len(choice.verdicts) == 2


def test_a_task_from_a_submit_file_is_known_like_any_other(router, organisation, tmp_path):
    task = router.open_file_task("count", tmp_path)
    marks = f'executable = x\nMy.RouterTask = "{task.id}"\nMy.RouterBatch = "b0"\n'
    cluster = router.pool.submit(marks, [{"n": "1"}, {"n": "2"}])
    router.close_file_task(task, cluster, 2)
    status = router.status("count")
    assert (dict(status.counts), status.jobs, status.done) == ({"idle": 2}, 2, False)
    assert [each.cluster for each in router.why("count")] == [cluster]


def test_everyones_tasks_are_listed_on_demand(router, task, organisation, tmp_path):
    bob = a_router(organisation, tmp_path / "tasks", "bob")
    assert bob.tasks() == []
    assert [each.id for each in bob.tasks(everyone=True)] == [task.id]
