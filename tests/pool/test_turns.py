"""Which of a user's own jobs HTCondor takes first, and that a user can keep jobs where they are."""

import shutil
import subprocess
from pathlib import Path

import pytest
from organisation import Organisation

pytestmark = pytest.mark.pool


def in_turn(organisation: Organisation) -> list[tuple[str, int]]:
    """The jobs of the queue as names of their batches and JobPrio, in the order in which their owner's turns go."""
    environment = organisation.live.pool.env("alice")
    done = subprocess.run(
        [shutil.which("condor_q", path=environment["PATH"]) or "", "-all", "-af", "RouterTask", "RouterJob", "JobPrio"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    rows = [line.split() for line in done.stdout.splitlines()]
    found = [(task.rpartition("-")[0] + " " + job, int(priority)) for task, job, priority in rows]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def submitted(organisation: Organisation, folder: Path, text: str) -> str:
    (folder / "work.sh").write_text("#!/bin/sh\necho done\n")
    path = folder / "payload.yaml"
    path.write_text("executable: work.sh\nrequests: {memory: 1 GB}\n" + text)
    answer = organisation.run("submit", "--json", path)
    assert answer.code == 0, answer.err
    return str(answer.json["task"])


def test_a_later_small_task_takes_turns_with_a_large_one_and_a_merge_job_goes_before(
    organisation: Organisation, tmp_path: Path
) -> None:
    submitted(organisation, tmp_path, "name: large\njobs: 150\noutputs: [{name: h.csv, merge: auto}]\n")
    submitted(organisation, tmp_path, "name: small\njobs: 2\n")
    submitted(organisation, tmp_path, "name: urgent\npriority: 2\n")
    found = in_turn(organisation)
    assert found[:2] == [("urgent 0000", 20_000), ("large merge", 1)]
    assert {priority for name, priority in found if name.startswith("small")} == {0}
    assert [name for name, priority in found if priority == -1] == [f"large {job:04d}" for job in range(100, 150)]


def test_jobs_that_their_owner_wants_left_alone_are_placed_and_stay(organisation: Organisation, tmp_path: Path) -> None:
    task = submitted(organisation, tmp_path, "name: still\nmove: false\nsites: {allow: [SITE_A]}\n")
    assert organisation.run("router", "run", "--once", user="router").code == 0
    try:
        assert organisation.run("sites", "drain", "SITE_A", "--reason", "cooling").code == 0
        answer = organisation.run("router", "run", "--once", "--json", user="router")
        assert answer.json == []
        [group] = [each for each in organisation.live.as_user("alice").jobs() if each.task == task]
        assert (group.sites, group.fixed) == (("SITE_A",), True)
    finally:
        organisation.run("sites", "resume", "SITE_A")


def test_in_tag_mode_the_log_says_what_would_be_done_and_the_queue_stays_as_it_is(
    organisation: Organisation, tmp_path: Path
) -> None:
    settings = organisation.home / "glideroute.yaml"
    before = settings.read_text()
    settings.write_text(before.replace("{", '{"broker": {"mode": "tag", "policy": "replicas"}, ', 1))
    try:
        task = submitted(organisation, tmp_path, "name: tagged\ninput: {dataset: /test/data}\n")
        for _ in range(2):
            assert organisation.run("router", "run", "--once", user="router").code == 0
        [why] = organisation.run("why", task, "--json").json
        assert [(each["outcome"], each["words"]) for each in why["history"]] == [
            ("tagged", "placed at SITE_A by replicas")
        ]
        assert why["policy"] == "replicas"
        assert {group.sites for group in organisation.live.as_user("alice").jobs()} == {None}
    finally:
        settings.write_text(before)
