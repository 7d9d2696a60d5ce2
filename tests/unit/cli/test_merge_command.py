"""`glideroute merge`: what is there of a task joined by jobs."""

import pytest

from router.cli import merge
from router.testing.build import a_file


@pytest.fixture
def task(run, payload, organisation) -> str:
    """A submitted task of which one job has left its file."""
    found = run("submit", payload, "--json").json["task"]
    organisation.store.register([a_file(f"/user/alice/{found}/hist_0000.root", "SITE_A")], "alice", 1.0)
    return found


def test_it_says_what_is_joined_and_what_is_missing_and_asks_once(run, task):
    lfn = f"/user/alice/{task}/hist_partial-1.root"
    assert (
        run("merge", task, "--dry-run").out
        == f"1 file(s) of hist.root into {lfn}, 5 are missing; nothing is injected\n"
    )
    assert run("merge", task).out == f"1 file(s) of hist.root into {lfn}, 5 are missing; cluster 5\n"
    assert run("merge", task).out == f"1 file(s) of hist.root into {lfn}, 5 are missing; cluster 5 does so already\n"
    (told,) = run("merge", task, "--json").json
    assert (told["lfn"], told["parts"], told["missing"], told["cluster"], told["new"]) == (lfn, 1, 5, 5, False)


def test_waiting_ends_when_the_file_is_there(run, task, organisation, monkeypatch):
    lfn = f"/user/alice/{task}/hist_partial-1.root"
    monkeypatch.setattr(
        merge.time, "sleep", lambda _: organisation.store.register([a_file(lfn, "SITE_A")], "alice", 1.0)
    )
    shown = run("merge", task, "--wait")
    assert shown.out.endswith(f"{lfn} is there; `glideroute get {lfn}` copies it here.\n")


def test_waiting_ends_when_the_job_is_removed(run, task, organisation, monkeypatch):
    def removed(_: float) -> None:
        organisation.pool.as_user("alice").withdraw(task, ["partial-1"], "not wanted")
        organisation.step()

    monkeypatch.setattr(merge.time, "sleep", removed)
    shown = run("merge", task, "--wait")
    assert (shown.code, shown.err) == (1, "glideroute: The merge job 5.0 was removed. Ask for the merge again.\n")


def test_a_merge_job_that_is_given_up_ends_the_waiting_with_its_reason(run, task, organisation, monkeypatch):
    def failed(_: float) -> None:
        for _ in range(3):
            organisation.step()
            organisation.glidein("SITE_A")
            organisation.pool.negotiate()
            organisation.pool.fail("SITE_A", exit_code=77)

    monkeypatch.setattr(merge.time, "sleep", failed)
    shown = run("merge", task, "--wait")
    assert shown.code == 1
    assert "The merge job 5.0 failed: " in shown.err
    assert f"`glideroute logs {task} partial-1 --err` shows more" in shown.err


def test_a_task_with_nothing_to_merge_yet_is_a_matter_of_time(run, payload):
    task = run("submit", payload, "--json").json["task"]
    assert run("merge", task).code == 4
