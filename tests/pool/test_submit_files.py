"""Ordinary submit files: routed like any payload, with our vocabulary, and unable to decide for the router."""

import shutil
import subprocess
from pathlib import Path

import pytest
from organisation import Organisation

from router.model.job import JobState

pytestmark = pytest.mark.pool

PLAIN = "executable = /bin/true\nrequest_memory = 100 MB\nRouterDataset = /test/data\nqueue 2\n"


@pytest.fixture
def submit_file(tmp_path: Path) -> Path:
    path = tmp_path / "plain.sub"
    path.write_text(PLAIN)
    return path


def test_a_dry_run_shows_where_a_submit_file_could_run_and_submits_nothing(
    organisation: Organisation, submit_file: Path
) -> None:
    before = sum(group.count for group in organisation.live.as_user("alice").jobs())
    answer = organisation.run("submit", "--dry-run", "--json", submit_file)
    assert answer.code == 0, answer.err
    [found] = answer.json
    assert (found["jobs"], found["sites"]) == (2, ["SITE_A"])
    assert sum(group.count for group in organisation.live.as_user("alice").jobs()) == before


def test_a_submit_file_becomes_a_task_that_can_be_seen_explained_and_killed(
    organisation: Organisation, submit_file: Path
) -> None:
    answer = organisation.run("submit", "--json", submit_file)
    assert answer.code == 0, answer.err
    task = answer.json["task"]
    assert organisation.run("router", "run", "--once", user="router").code == 0
    status = organisation.run("status", task, "--json").json
    assert status["counts"] == {"idle": 2}  # type: ignore[index]
    why = organisation.run("why", task)
    assert "placed at SITE_A" in why.out
    assert "SITE_B" in why.out
    assert organisation.run("kill", task, "--json").json == {"removed": 2}


def test_bare_condor_submit_is_routed_too(organisation: Organisation, submit_file: Path) -> None:
    cluster = condor_submit(organisation, submit_file)
    try:
        assert organisation.run("router", "run", "--once", user="router").code == 0
        [group] = [g for g in organisation.live.as_user("alice").jobs() if g.cluster == cluster]
        assert group.state is JobState.IDLE
        assert group.sites == ("SITE_A",)
    finally:
        organisation.live.queue("alice").act("Remove", f"ClusterId == {cluster}", "the test is over")


def test_the_template_gives_a_submit_file_our_vocabulary(organisation: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "template.sub"
    path.write_text("executable = /bin/true\nuse template : Glideroute(/test/data, 300, 20)\nqueue\n")
    cluster = condor_submit(organisation, path)
    try:
        [group] = [g for g in organisation.live.as_user("alice").jobs() if g.cluster == cluster]
        assert group.dataset == "/test/data"
        assert (group.requests.memory_mb, group.requests.walltime_s) == (300, 1200)
    finally:
        organisation.live.queue("alice").act("Remove", f"ClusterId == {cluster}", "the test is over")


def test_a_misspelt_submit_file_is_refused_in_condors_own_words(organisation: Organisation, tmp_path: Path) -> None:
    path = tmp_path / "bad.sub"
    path.write_text("universe = nonsense\nexecutable = /bin/true\nqueue\n")
    answer = organisation.run("submit", path)
    assert answer.code == 2
    assert "condor_submit refuses it" in answer.err
    assert "Traceback" not in answer.err


def condor_submit(organisation: Organisation, path: Path) -> int:
    environment = organisation.live.pool.env("alice")
    done = subprocess.run(
        [shutil.which("condor_submit", path=environment["PATH"]) or "", "-terse", str(path)],
        env=environment,
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.partition(".")[0])
