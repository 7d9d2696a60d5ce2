"""A failed job split again: its events in smaller jobs, each once, however often the command is cut short."""

import json
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD as PAYLOAD
from fake_organisation import a_router, an_output_of

from router.errors import NotFound, PermissionRefused, UserError
from router.testing.build import a_report, some_lumis


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


@pytest.fixture
def task(router, folder, organisation):
    """A task whose jobs 0000 and 0001 failed at SITE_A and left a report there."""
    made = router.submit(router.plan(PAYLOAD, "my.yaml", folder), folder).task
    organisation.step()
    organisation.glidein("SITE_A", cores=2)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=72)
    (Path(made.directory) / "reports" / "0001.json").write_text(a_report("0001", task=made.id, exit_code=72))
    return made


def events(task):
    """The events that each described job reads."""
    found = {}
    for path in sorted((Path(task.directory) / "jobs").glob("b*.json")):
        for job, told in json.loads(path.read_text())["jobs"].items():
            found[job] = [(each["lfn"], each["first_event"], each["events"]) for each in told["inputs"]]
    return found


def in_queue(router, task):
    return sorted(line.job for line in router.lines(task.id)[0])


def test_smaller_jobs_read_exactly_what_the_failed_one_read(router, task):
    assert router.split_again(task.id, "0001", 3) == {"b0-s1": 5}
    found = events(task)
    assert found["0001"] == [("/demo/f1.root", 60, 40)]
    assert [found[job] for job in ("0006", "0007", "0008")] == [
        [("/demo/f1.root", 60, 14)],
        [("/demo/f1.root", 74, 14)],
        [("/demo/f1.root", 88, 12)],
    ]
    assert in_queue(router, task) == ["0000", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "merge"]


def test_the_replaced_job_counts_no_more_and_its_report_is_put_away(router, task, organisation):
    router.split_again(task.id, "0001", 2)
    organisation.step()
    status = router.status(task.id)
    assert (status.jobs, status.counts.get("removed", 0), sum(status.counts.values())) == (8, 0, 8)
    home = Path(task.directory)
    assert not (home / "reports" / "0001.json").exists()
    assert (home / "replaced" / "0001.json").exists()


def test_the_merge_job_waits_for_the_smaller_ones(router, task, organisation):
    router.split_again(task.id, "0001", 2)
    merge = json.loads((Path(task.directory) / "jobs" / "merge.json").read_text())
    assert merge["jobs"]["merge"]["merge"]["expected_parts"] == 7
    router.retry(task.id)
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    for job in ("0000", "0002", "0003", "0004", "0005", "0006", "0007"):
        organisation.reports.add(task.id, job, a_report(job, task=task.id, outputs=[an_output_of(task, job)]))
    for expected in ("waiting", "idle"):
        assert dict(router.status(task.id).counts)[expected] >= 1
        organisation.step()
        organisation.pool.negotiate()
        for site in ("SITE_A", "SITE_B"):
            organisation.pool.finish(site)
        organisation.step()
    assert dict(router.status(task.id).counts) == {"finished": 8}


@pytest.mark.parametrize("point", ["withdraw", "withdraw applied", "submit", "submit applied"])
def test_a_split_that_was_cut_short_is_taken_up_and_nothing_is_read_twice(router, task, organisation, point):
    organisation.pool.break_at(point, Killed())
    with pytest.raises(Killed):
        router.split_again(task.id, "0001", 2)
    organisation.step()
    assert list(router.split_again(task.id, "0001", 2)) == ["b0-s1"]
    assert in_queue(router, task) == ["0000", "0002", "0003", "0004", "0005", "0006", "0007", "merge"]
    assert router.status(task.id).jobs == 8
    with pytest.raises(UserError, match="is split already"):
        router.split_again(task.id, "0001", 2)


def test_a_smaller_job_that_fails_is_split_again(router, task, organisation):
    router.split_again(task.id, "0001", 2)
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=72)
    assert list(router.split_again(task.id, "0006", 2)) == ["b0-s2"]
    assert events(task)["0008"] == [("/demo/f1.root", 60, 10)]


def test_jobs_of_luminosity_sections_are_split_between_them(router, folder, organisation):
    router.memory.set_lumis({f"/demo/f{n}.root": some_lumis((n, 1, 9)) for n in (1, 2, 3)}, "alice")
    text = PAYLOAD.replace("{by: events, target: 60}", "{by: lumis, target: 9}")
    task = router.submit(router.plan(text, "my.yaml", folder), folder).task
    organisation.step()
    organisation.glidein("SITE_A", cores=1)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=72)
    router.split_again(task.id, "0000", 2)
    part = json.loads((Path(task.directory) / "jobs" / "b0-s1-0.json").read_text())
    assert [told["inputs"][0]["lumis"] for told in part["jobs"].values()] == [{"1": [[1, 5]]}, {"1": [[6, 9]]}]


@pytest.mark.parametrize(
    ("job", "error", "words"),
    [
        ("0003", UserError, "Job 0003 of .* is idle: only a job that failed is split again"),
        ("merge", NotFound, "has no job merge that reads input"),
        ("0099", NotFound, "has no job 0099"),
    ],
)
def test_what_cannot_be_split_is_told_and_stays(router, task, job, error, words):
    before = in_queue(router, task)
    with pytest.raises(error, match=words):
        router.split_again(task.id, job, 2)
    assert in_queue(router, task) == before


def test_a_job_of_one_event_is_not_split(router, folder, organisation, task):
    text = PAYLOAD.replace("target: 60}", "target: 1, total: 1}").replace("name: zmumu", "name: one")
    one = router.submit(router.plan(text, "my.yaml", folder), folder).task
    organisation.step()
    organisation.glidein("SITE_A", cores=1)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=72)
    with pytest.raises(UserError, match="reads too little to be split"):
        router.split_again(one.id, "0000", 2)
    assert in_queue(router, one) == ["0000", "merge"]


def test_only_the_owner_splits_a_job(task, organisation, tmp_path):
    with pytest.raises(PermissionRefused, match="only alice may add jobs to it"):
        a_router(organisation, tmp_path / "tasks", "bob").split_again(task.id, "0001", 2)
