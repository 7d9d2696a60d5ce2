"""Submitting: planned, refused in words, cut short anywhere and taken up again without a job too many."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD as PAYLOAD
from fake_organisation import a_router

from router.api import Router
from router.decide.write_tests import BELIEVED_S
from router.errors import NotFound, NothingFits, OutcomeUnknown, PoolUnreachable, UserError
from router.model.site import SiteStatus, Storage
from router.model.transfer import WriteTest
from router.services.planning import refuse_destination
from router.testing.build import a_site, a_storage, a_world
from router.testing.pool import FakePool


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


def submit(router: Router, folder: Path, text: str = PAYLOAD):
    return router.submit(router.plan(text, "my.yaml"), folder)


def in_queue(pool: FakePool) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in pool.jobs():
        found[group.batch] = found.get(group.batch, 0) + group.count
    return found


def test_a_plan_says_which_batches_there_will_be_and_where_they_would_go(router):
    plan = router.plan(PAYLOAD, "my.yaml")
    assert plan.jobs == 6
    assert [(planned.batch.key, len(planned.batch.chunks), planned.sites) for planned in plan.batches] == [
        ("b0", 2, ("SITE_A",)),
        ("b1", 2, ("SITE_A", "SITE_B")),
        ("b2", 2, ("SITE_B",)),
    ]
    assert router.pool.jobs() == ()
    assert router.tasks() == []


def test_a_submission_puts_every_batch_and_the_merge_job_into_the_queue_as_the_user(router, folder, organisation):
    done = submit(router, folder)
    assert not done.resumed
    assert dict(done.clusters) == {"b0": 1, "b1": 2, "b2": 3, "merge": 4}
    assert in_queue(organisation.pool) == {"b0": 2, "b1": 2, "b2": 2, "merge": 1}
    assert {group.owner for group in organisation.pool.jobs()} == {"alice"}
    assert organisation.store.incomplete_task("alice", "") is None


def test_the_task_directory_holds_code_and_a_description_for_every_job(router, folder):
    home = Path(submit(router, folder).task.directory)
    assert sorted(path.name for path in (home / "code").iterdir()) == [
        "analyse.py",
        "cuts.json",
        "merge_files.pyz",
        "run_job.pyz",
    ]
    parts = {path.stem: json.loads(path.read_text())["jobs"] for path in (home / "jobs").iterdir()}
    assert sorted(parts) == ["b0-0", "b1-0", "b2-0", "merge"]
    assert parts.pop("merge")["merge"]["merge"] == {"parts_of": "hist.root", "expected_parts": 6}
    jobs = {name: job for part in parts.values() for name, job in part.items()}
    assert sorted(jobs) == ["0000", "0001", "0002", "0003", "0004", "0005"]
    assert sum(each["events"] for job in jobs.values() for each in job["inputs"]) == 300
    assert (home / "payload.yaml").read_text() == PAYLOAD


def test_what_is_in_the_queue_is_not_described_again(router, folder, organisation):
    organisation.pool.break_at("submit applied", Killed())
    with pytest.raises(Killed):
        submit(router, folder)
    home = Path(router.tasks()[0].directory) / "jobs"
    (home / "b0-0.json").write_text("a job may be reading it")
    assert submit(router, folder).resumed
    assert (home / "b0-0.json").read_text() == "a job may be reading it"
    assert json.loads((home / "b1-0.json").read_text())["batch"] == "b1"


POINTS = ["submit", "submit applied"]


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("point", POINTS)
def test_a_submission_killed_at_any_batch_is_taken_up_where_it_stopped(router, folder, organisation, before, point):
    kept = router.pool.submit
    calls = []

    def submit_then_die(text, items):
        calls.append(text)
        if len(calls) == before + 1:
            organisation.pool.break_at(point, Killed())
        return kept(text, items)

    router.pool.submit = submit_then_die
    with pytest.raises(Killed):
        submit(router, folder)
    router.pool.submit = kept
    done = submit(router, folder)
    assert done.resumed
    assert in_queue(organisation.pool) == {"b0": 2, "b1": 2, "b2": 2, "merge": 1}
    assert dict(done.clusters) == {record.key: record.cluster for record in organisation.store.batches(done.task.id)}
    assert [task.id for task in router.tasks()] == [done.task.id]


def test_a_submission_without_an_answer_that_was_applied_goes_on(router, folder, organisation):
    organisation.pool.break_at("submit applied", OutcomeUnknown("no answer"))
    done = submit(router, folder)
    assert dict(done.clusters) == {"b0": 1, "b1": 2, "b2": 3, "merge": 4}
    assert in_queue(organisation.pool) == {"b0": 2, "b1": 2, "b2": 2, "merge": 1}


def test_a_submission_without_an_answer_that_was_not_applied_is_told_and_can_be_repeated(router, folder, organisation):
    organisation.pool.break_at("submit", OutcomeUnknown("no answer"))
    with pytest.raises(OutcomeUnknown):
        submit(router, folder)
    assert submit(router, folder).resumed
    assert in_queue(organisation.pool) == {"b0": 2, "b1": 2, "b2": 2, "merge": 1}


def test_a_batch_that_ended_before_the_submission_was_taken_up_is_not_injected_again(router, folder, organisation):
    organisation.pool.break_at("submit applied", Killed())
    with pytest.raises(Killed):
        submit(router, folder)
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.pool.negotiate()
    organisation.pool.finish("SITE_A")
    submit(router, folder)
    assert in_queue(organisation.pool) == {"b1": 2, "b2": 2, "merge": 1}


def test_submitting_a_complete_task_again_is_another_task(router, folder):
    assert submit(router, folder).task.id != submit(router, folder).task.id


@pytest.mark.parametrize("changed", ["analyse.py", "cuts.json"])
def test_other_code_is_another_task(router, folder, organisation, changed):
    organisation.pool.break_at("submit", PoolUnreachable("down"))
    with pytest.raises(PoolUnreachable):
        submit(router, folder)
    (folder / changed).write_text("changed\n")
    assert not submit(router, folder).resumed


def test_another_user_does_not_take_up_my_submission(router, folder, organisation, tmp_path):
    organisation.pool.break_at("submit", PoolUnreachable("down"))
    with pytest.raises(PoolUnreachable):
        submit(router, folder)
    done = submit(a_router(organisation, tmp_path / "tasks", "bob"), folder)
    assert (done.resumed, done.task.owner) == (False, "bob")


def test_nothing_is_remembered_where_a_file_is_missing(router, folder, organisation):
    (folder / "cuts.json").unlink()
    with pytest.raises(UserError, match=r"cuts.json cannot be read: No such file"):
        submit(router, folder)
    assert router.tasks() == []
    assert organisation.pool.jobs() == ()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("name: a\n", UserError, "executable: is missing"),
        (
            PAYLOAD.replace("/demo/zmumu", "/demo/none"),
            NotFound,
            "There is no dataset /demo/none. There are: /demo/zmumu",
        ),
        (PAYLOAD + "requests: {memory: 64 GB}\n", NothingFits, "SITE_A: asks for 65,536 MB of memory"),
        (PAYLOAD + "sites: {allow: [NOWHERE]}\n", NothingFits, "the payload allows only NOWHERE"),
        (PAYLOAD + "sites: {block: [SITE_A, SITE_B]}\n", NothingFits, "the payload blocks it"),
    ],
)
def test_what_can_never_run_is_refused_with_the_reasons(router, text, error, words):
    with pytest.raises(error) as caught:
        router.plan(text, "my.yaml")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "storage", "words"),
    [
        ("NOWHERE_DISK", Storage(), "no site has a storage element named NOWHERE_DISK. Declared are: SITE_A_DISK"),
        ("SITE_B_DISK", Storage(quota_mb=10, over=("alice",)), "your quota of 10 MB"),
        ("SITE_B_DISK", Storage(space_mb=100, used_mb=95, reserve_mb=10), "SITE_B_DISK is full: 5 MB are free"),
        ("SITE_B_DISK", Storage(tape=True), "SITE_B_DISK is tape"),
    ],
    ids=["that nobody declares", "where the quota is used up", "that is full", "on tape"],
)
def test_a_destination_is_refused(name, storage, words):
    known = {site: a_storage(site) for site in ("SITE_A", "SITE_B")}
    world = a_world(a_site("SITE_A"), a_site("SITE_B", storage=storage))
    refuse_destination("SITE_A_DISK", "alice", known, world, {})
    with pytest.raises(UserError, match=re.escape(words)):
        refuse_destination(name, "alice", known, world, {})


def written(router, cause: str, age_s: float = 60.0) -> None:
    """The agent has tested the storage of SITE_B."""
    at = router.clock.now() - age_s
    router.memory.record_write_test(WriteTest("SITE_B_DISK", at, at, 0.1, cause, "403 Forbidden" if cause else ""))


WRITES = PAYLOAD + "destination: SITE_B_DISK\n"


def test_a_destination_where_the_agent_may_not_write_is_refused_before_anything_runs(router):
    written(router, "permission")
    with pytest.raises(UserError, match=r"cannot write to SITE_B_DISK \(permission\): 403 Forbidden"):
        router.plan(WRITES, "my.yaml")


def test_a_destination_that_does_not_answer_is_told_of_and_outputs_wait(router):
    written(router, "destination-down")
    assert any("SITE_B_DISK takes no outputs now" in note for note in router.plan(WRITES, "my.yaml").notes)


@pytest.mark.parametrize(("cause", "age_s"), [("", 60.0), ("permission", BELIEVED_S), ("permission", -BELIEVED_S)])
def test_a_destination_that_was_written_to_and_one_that_was_tested_long_ago_are_taken(router, cause, age_s):
    written(router, cause, age_s)
    assert not any("SITE_B_DISK" in note for note in router.plan(WRITES, "my.yaml").notes)


def test_a_payload_with_a_destination_that_nobody_declares_is_not_planned(router):
    with pytest.raises(UserError, match="named NOWHERE"):
        router.plan(PAYLOAD + "destination: NOWHERE\n", "my.yaml")


def test_what_cannot_run_now_may_wait(router):
    for site in ("SITE_A", "SITE_B"):
        router.set_site(site, SiteStatus.DRAINING, "cooling")
    assert [planned.sites for planned in router.plan(PAYLOAD, "my.yaml").batches] == [(), (), ()]


def test_nothing_fits_where_no_site_is_known(router):
    router.sites = ()
    with pytest.raises(NothingFits, match="no site is declared"):
        router.plan(PAYLOAD, "my.yaml")


def test_a_merge_job_that_no_site_can_run_is_refused_before_anything_is_injected(router):
    small = [replace(entry, memory_mb=500) for entry in router.sites[0].entries]
    router.sites = [replace(router.sites[0], entries=tuple(small))]
    modest = PAYLOAD + "requests: {memory: 300 MB}\nsites: {allow: [SITE_A]}\n"
    with pytest.raises(NothingFits, match=r"batch merge:\n  SITE_A: asks for 1,024 MB"):
        router.plan(modest, "my.yaml")
    assert router.plan(modest.replace(", merge: auto", ""), "my.yaml").jobs == 6


def chosen(router: Router, text: str) -> list[str]:
    dataset = router.plan(PAYLOAD.replace("{dataset: /demo/zmumu}", text), "my.yaml").dataset
    return [located.file.lfn for located in dataset.files] if dataset else []


def test_files_are_chosen_by_their_metadata(router):
    router.memory.describe({"/demo/f1.root": {"run": 1}, "/demo/f3.root": {"run": 3}}, "alice")
    assert chosen(router, "{dataset: /demo/zmumu, where: run > 1}") == ["/demo/f3.root"]
    assert chosen(router, "{query: '/demo//: not run = 3'}") == ["/demo/f1.root", "/demo/f2.root"]
    assert len(chosen(router, "{dataset: /demo/zmumu, where: event.run > 1}")) == 3


def test_a_choice_of_no_file_is_refused_with_the_place_that_was_searched(router):
    router.memory.describe({"/demo/f1.root": {"run": 1}}, "alice")
    with pytest.raises(UserError, match="No file of /demo// is as the input asks"):
        chosen(router, "{query: '/demo//: run = 3'}")


def test_jobs_are_told_which_events_are_asked_for(router, folder):
    text = PAYLOAD.replace("{dataset: /demo/zmumu}", "{dataset: /demo/zmumu, where: event.run > 1}")
    home = Path(submit(router, folder, text).task.directory)
    told = [json.loads(path.read_text())["environment"] for path in (home / "jobs").glob("b*")]
    assert told == [{"GLIDEROUTE_SELECTION": "run > 1"}] * 3


def test_a_submission_is_another_one_when_its_files_are_others(router, folder):
    text = PAYLOAD.replace("{dataset: /demo/zmumu}", "{query: run = 1}")
    router.memory.describe({"/demo/f1.root": {"run": 1}}, "alice")
    first = submit(router, folder, text)
    router.memory.describe({"/demo/f2.root": {"run": 1}}, "alice")
    second = submit(router, folder, text)
    assert first.task.id != second.task.id
    assert len(first.clusters) < len(second.clusters)
