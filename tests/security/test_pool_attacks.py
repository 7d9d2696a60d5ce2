"""Attacks on a real schedd with the configuration we ship, as users, as strangers, and with forged identities."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pool_backend
import pytest

from router.embedded.tokens import Tokens
from router.errors import PermissionRefused, RouterError
from router.model.job import JobGroup
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.queue import Queue
from router.render import jdl
from router.testing.build import a_batch, a_decision, a_place, a_task

pytestmark = pytest.mark.pool


@pytest.fixture
def task(live_pool: pool_backend.LivePool, tmp_path: Path) -> Iterator[str]:
    """The name of a task of the test's own, whose jobs are removed with it."""
    name = f"attack-{os.getpid()}-{tmp_path.name[-12:]}"
    yield name
    live_pool.as_user("router").remove(name, "the test is over")


def submitted(live_pool: pool_backend.LivePool, task: str, *lines: str, user: str = "alice") -> int:
    text = "\n".join(("executable = /bin/true", f'My.RouterTask = "{task}"', 'My.RouterBatch = "b0"', *lines))
    return live_pool.as_user(user).submit(f"{text}\n", ())


def group(live_pool: pool_backend.LivePool, task: str) -> JobGroup:
    [found] = [each for each in live_pool.as_user("router").jobs() if each.task == task]
    return found


def edit(live_pool: pool_backend.LivePool, user: str, cluster: int, attribute: str, value: str) -> int:
    """condor_qedit, which knows no list of ours."""
    environment = live_pool.pool.env(user)
    program = shutil.which("condor_qedit", path=environment["PATH"]) or ""
    command = [program, str(cluster), attribute, value]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.attack("A11")
def test_nobody_submits_in_anothers_name(live_pool: pool_backend.LivePool, task: str) -> None:
    for line in ('My.Owner = "bob"', '+Owner = "root"', 'My.User = "bob@pool"', 'My.oWnEr = "bob"'):
        try:
            submitted(live_pool, task, line)
        except RouterError:
            continue
        assert group(live_pool, task).owner == "alice"
        live_pool.as_user("alice").remove(task, "next")


@pytest.mark.attack("A11", "A56")
def test_a_stranger_changes_nothing_of_anothers_jobs(live_pool: pool_backend.LivePool, task: str) -> None:
    cluster = submitted(live_pool, task)
    bob = live_pool.as_user("bob")
    assert bob.place(a_place(cluster, task=task, count=1, decision=a_decision("EVIL"))) == 0
    assert (bob.remove(task, "mine"), bob.release(cluster, "mine"), bob.retry(task, "mine")) == (0, 0, 0)
    assert edit(live_pool, "bob", cluster, "Requirements", "true") != 0
    assert group(live_pool, task).sites is None


@pytest.mark.attack("A12")
def test_what_only_the_router_says_is_dropped_at_submission_and_refused_later(
    live_pool: pool_backend.LivePool, task: str
) -> None:
    forged = (
        'My.RouterDecision = [ Epoch = 7; Sites = "EVIL" ]',
        'My.DESIRED_Sites = "EVIL"',
        "My.RouterEpoch = 7",
        'My.RouterState = "done"',
    )
    cluster = submitted(live_pool, task, *forged)
    found = group(live_pool, task)
    assert (found.sites, found.decision, found.allow) == (None, None, ("EVIL",))
    for attribute in ("DESIRED_Sites", "RouterDecision", "RouterTask", "RouterEpoch"):
        assert edit(live_pool, "alice", cluster, attribute, '"EVIL"') != 0
    assert group(live_pool, task) == found


@pytest.mark.attack("A56")
def test_a_token_that_another_pools_key_signed_is_nobodys(
    live_pool: pool_backend.LivePool, task: str, tmp_path: Path
) -> None:
    cluster = submitted(live_pool, task)
    environment = live_pool.pool.env("router")
    create = shutil.which("condor_token_create", path=environment["PATH"])
    domain = subprocess.run(
        [shutil.which("condor_config_val", path=environment["PATH"]) or "", "TRUST_DOMAIN"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    forger = Tokens(tmp_path, domain, Path(create or ""))
    forger.make_key()
    stranger = {**environment, "_CONDOR_SEC_TOKEN_DIRECTORY": str(forger.folder("router"))}
    queue = Queue(Channel(stranger, "a stranger"))
    try:
        with pytest.raises((PermissionRefused, RouterError)):
            CondorPool(queue).place(a_place(cluster, task=task, count=1, decision=a_decision("EVIL")))
    finally:
        queue.close()
    assert group(live_pool, task).sites is None


@pytest.mark.attack("A57")
@pytest.mark.parametrize("attribute", ["Cmd", "Args", "Arguments", "Env", "Environment", "Iwd"])
def test_what_a_job_runs_is_changed_by_nobody_once_it_is_in_the_queue(
    live_pool: pool_backend.LivePool, task: str, attribute: str
) -> None:
    cluster = submitted(live_pool, task, "arguments = a", 'environment = "A=b"')
    for user in ("alice", "router"):
        assert edit(live_pool, user, cluster, attribute, '"/bin/evil"') != 0


@pytest.mark.attack("A57")
def test_jobs_are_still_held_and_released_and_placed(live_pool: pool_backend.LivePool, task: str) -> None:
    cluster = submitted(live_pool, task)
    alice = live_pool.queue("alice")
    assert alice.act("Hold", f"ClusterId == {cluster}", "wait") == 1
    assert live_pool.queue("router").act("Release", f"ClusterId == {cluster}", "go on") == 1
    place = a_place(cluster, task=task, count=1, decision=a_decision("SITE_A"))
    assert live_pool.as_user("router").place(place) == 1


@pytest.mark.attack("A02", "A06", "A14")
def test_a_task_with_tricks_in_what_users_write_freely_is_as_many_jobs_as_it_has(
    live_pool: pool_backend.LivePool, task: str, tmp_path: Path
) -> None:
    for part in ("code", "jobs", "logs", "reports"):
        (tmp_path / part).mkdir()
    plain = a_task(task, directory=str(tmp_path))
    tricks = ("1\\", "$ENV(HOME)", "queue 1000", "include : touch CANARY |")
    made = replace(plain, payload=replace(plain.payload, arguments=tricks))
    injection = jdl.batch_injection(made, a_batch(jobs=2))
    live_pool.as_user("alice").submit(injection.text, [dict(item) for item in injection.items])
    assert group(live_pool, task).count == 2
    assert not list(tmp_path.rglob("CANARY"))
