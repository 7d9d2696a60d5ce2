"""Tokens and keys, and secrets of a user's own shell, are sought in everything that a pool with a job wrote."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from organisation import Organisation, run, until

from router.embedded import processes
from router.embedded.state import load

pytestmark = pytest.mark.pool

CANARY = "canary-of-the-shell-8c1f"
PEOPLE = ("alice", "router", "factory", "glidein-SITE_A", "condor", "admin")
HOLDERS = {"token", "glidein", "POOL"}
"""Names of the files that are there to hold a secret."""


@pytest.fixture(scope="module")
def secrets(organisation: Organisation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The pool's secrets by name, after a job has run through every hand; its glidein is still there."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "work.sh").write_text("#!/bin/sh\nenv\nps -efww 2>/dev/null\ntrue\n")
    (folder / "work.yaml").write_text("name: secret\nexecutable: work.sh\nrequests: {memory: 1 GB}\n")
    environment = {**organisation.environment("alice"), "AWS_SECRET_ACCESS_KEY": CANARY}
    answer = run(["submit", "--json", folder / "work.yaml"], environment)
    assert answer.code == 0, answer.err
    task = str(answer.json["task"])
    for daemon in ("router", "factory"):
        assert run([daemon, "run", "--once"], {**environment, "GLIDEROUTE_USER": daemon}).code == 0
    until(lambda: organisation.live.as_user("router").jobs() == (), 60)
    [ended] = [each for each in organisation.live.as_user("router").ended(0) if each.task == task]
    assert ended.exit_code == 0
    assert run(["router", "run", "--once"], {**environment, "GLIDEROUTE_USER": "router"}).code == 0
    pool = organisation.live.pool
    found = {name: pool.token(name).read_text().strip() for name in PEOPLE}
    yield {**found, "key": (pool.home / "keys/POOL").read_text().strip(), "shell": CANARY}
    organisation.live.queue("factory").act("Remove", "IsGlidein =?= true", "the test is over")


def leaks(secrets: dict[str, str], text: str) -> list[str]:
    """The names of the secrets that a text holds; of a token its signature is enough."""
    return [name for name, secret in secrets.items() if secret.rpartition(".")[2] in text]


def test_no_file_has_a_secret_but_those_that_are_for_it_and_these_are_private(
    organisation: Organisation, secrets: dict[str, str]
) -> None:
    files = [each for each in organisation.home.rglob("*") if each.is_file() and not each.is_symlink()]
    assert any(each.name == "work.sh" for each in files), "the task's folder is looked at"
    assert any(leaks(secrets, each.read_bytes().decode(errors="replace")) for each in files), "the search finds nothing"
    for file in files:
        if held := leaks(secrets, file.read_bytes().decode(errors="replace")):
            assert file.name in HOLDERS, f"{file} has {held}"
            assert file.stat().st_mode & 0o077 == 0, f"others may read {file}"


def test_no_ad_and_no_history_has_a_secret(organisation: Organisation, secrets: dict[str, str]) -> None:
    environment = {**os.environ, **organisation.live.pool.env("admin")}
    for command in ("condor_q -all -l", "condor_history -l", "condor_status -any -l", "condor_config_val -dump"):
        done = subprocess.run(command.split(), env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout
        assert leaks(secrets, done.stdout) == [], command


def test_no_process_of_the_pool_has_a_secret_in_its_arguments_or_environment(
    organisation: Organisation, secrets: dict[str, str]
) -> None:
    state = load(organisation.live.pool.home)
    assert state is not None and state.holder is not None
    everything = processes.descendants(state.holder)
    names = ("cmdline", "environ")
    texts = [_read(Path(f"/proc/{each.pid}/{name}")) for each in everything for name in names]
    assert any("condor_startd" in text for text in texts), "the glidein is looked at"
    assert [found for text in texts if (found := leaks(secrets, text))] == []


def test_a_password_of_the_database_is_in_no_message(organisation: Organisation, tmp_path: Path) -> None:
    (tmp_path / "glideroute.yaml").write_text("database: postgresql://glide:canary-password@127.0.0.1:9/x\n")
    for debug in ({}, {"GLIDEROUTE_DEBUG": "1"}):
        environment = {**organisation.environment("alice"), "GLIDEROUTE_HOME": str(tmp_path), **debug}
        answer = run(["status"], environment)
        assert answer.code != 0
        assert "canary-password" not in answer.out + answer.err


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # it ended meanwhile
        return ""
