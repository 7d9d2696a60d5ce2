"""A payload on a worker node sees nothing of the glidein or of other jobs, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import classad2
import htcondor2  # noqa: F401, registers HTCondor's own functions
import pool_backend
import pytest

from router.model.pilot import Entry
from router.render.glidein import GlideinJob, PoolContact, glidein_files, glidein_submit
from router.resources import folder
from router.testing.build import a_decision, a_place

WRAPPER = folder("glidein_scripts") / "job_wrapper.sh"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A glidein's work directory with the directories of two jobs."""
    for part in ("main", "tokens", "run", "log", "tmp", "execute/dir_1", "execute/dir_2"):
        (tmp_path / "work" / part).mkdir(parents=True)
    (tmp_path / "work/tokens/glidein").write_text("canary")
    (tmp_path / "work/execute/dir_2/secret").write_text("canary")
    (tmp_path / "work/main/storage.json").write_text("[]")
    (tmp_path / "key").write_text("canary")
    return tmp_path / "work"


def job(work: Path, script: str, hidden: str = "", **environment: str) -> "subprocess.Popen[str]":
    """A job of the first directory, run as the starter would."""
    return subprocess.Popen(
        [WRAPPER, work, hidden, "/bin/sh", "-c", script],
        cwd=work / "execute/dir_1",
        env={"PATH": "/usr/bin:/bin", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(work: Path, script: str, hidden: str = "", **environment: str) -> str:
    done = job(work, script, hidden, **environment)
    return done.communicate(timeout=30)[0]


@pytest.fixture(autouse=True)
def possible(work: Path, request: pytest.FixtureRequest) -> None:
    """Skip where the machine lets nobody make a namespace."""
    found = said(work, "true") if "live_pool" not in request.fixturenames else ""
    if "unshare failed" in found or "not permitted" in found:
        pool_backend.give_up(f"no user namespace can be made here: {found}")


@pytest.mark.attack("A49")
@pytest.mark.parametrize(
    "attempt",
    [
        "cat ../../tokens/glidein",
        "cat ../dir_2/secret",
        "cat {top}/key",
        "umount {work}/tokens; cat ../../tokens/glidein",
        "unshare --user --map-root-user --mount sh -c 'umount {work}/tokens; cat {work}/tokens/glidein'",
        "cat /proc/*/root{work}/tokens/glidein",
        "grep -sa canary /proc/[0-9]*/environ && echo canary",
        "cat $HOME/../tokens/glidein {work}/execute/dir_2/secret",
    ],
)
def test_a_job_reads_no_token_no_key_and_no_other_jobs_files(work: Path, attempt: str) -> None:
    pilot = subprocess.Popen(["/bin/sleep", "60"], cwd=work, env={"HELD": "canary"})
    try:
        told = said(work, attempt.format(top=work.parent, work=work), f"{work.parent}/key:{work.parent}/absent")
    finally:
        pilot.kill()
        pilot.wait()
    assert "canary" not in told


@pytest.mark.attack("A49")
def test_a_job_keeps_what_it_needs(work: Path) -> None:
    told = said(work, "echo mine > out && cat out ../../main/storage.json && pwd && echo $V && exit 7", V="a b")
    assert told.split("\n")[:2] == ["mine", f"[]{work}/execute/dir_1"]
    assert "a b" in told
    assert (work / "execute/dir_1/out").read_text() == "mine\n"


@pytest.mark.attack("A49")
def test_a_job_changes_nothing_of_the_glideins(work: Path) -> None:
    said(work, "touch ../../main/x ../../y ../x; echo evil > ../../main/storage.json; rm -rf ../../main ../../tokens")
    assert (work / "main/storage.json").read_text() == "[]"
    assert sorted(path.name for path in work.iterdir()) == ["execute", "log", "main", "run", "tmp", "tokens"]
    assert (work / "tokens/glidein").read_text() == "canary"


@pytest.mark.attack("A49")
def test_a_job_signals_no_process_but_its_own(work: Path) -> None:
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    try:
        said(work, f"kill -9 {bystander.pid}")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.attack("A49")
def test_what_a_job_leaves_running_ends_with_it(work: Path) -> None:
    # It holds the job's output open, so that output ends only when the process has ended.
    started = time.monotonic()
    assert said(work, "setsid sleep 60 & echo started") == "started\n"
    assert time.monotonic() - started < 20


@pytest.mark.attack("A49")
@pytest.mark.parametrize("variable", ["BASH_ENV", "ENV", "PS4", "SHELLOPTS", "PATH", "BASH_FUNC_mount%%", "IFS"])
def test_a_jobs_environment_does_not_lead_the_wrapper(work: Path, variable: str) -> None:
    evil = work / "execute/dir_1/evil"
    evil.mkdir()
    for name in ("mount", "unshare", "setpriv", "mkdir", "evil"):
        (evil / name).write_text("#!/bin/sh\ncat ../../tokens/glidein >> stolen\n")
        (evil / name).chmod(0o755)
    values = {"PATH": f"{evil}:/usr/bin:/bin", "BASH_FUNC_mount%%": "() { cat ../../tokens/glidein >> stolen; }"}
    value = values.get(variable, f"{evil}/evil" if "ENV" in variable else "$(cat ../../tokens/glidein >> stolen)")
    said(work, "/bin/cat ../../tokens/glidein", **{variable: value})
    assert not (work / "execute/dir_1/stolen").exists()


@pytest.mark.attack("A49")
def test_a_job_ends_with_its_own_code_and_hears_sigterm(work: Path) -> None:
    done = job(work, "exit 7")
    assert done.wait(timeout=30) == 7
    assert done.stdout is not None
    done.stdout.close()
    told = job(work, "trap 'echo heard; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    assert told.stdout is not None
    assert told.stdout.readline() == "ready\n"
    told.send_signal(signal.SIGTERM)
    assert told.communicate(timeout=30)[0] == "heard\n"
    assert told.returncode == 9


@pytest.mark.attack("A49")
def test_the_wrapper_runs_nothing_outside_a_jobs_directory(work: Path) -> None:
    done = subprocess.run(
        [WRAPPER, work, "", "/bin/sh", "-c", "touch ran"], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no job's directory" in done.stderr
    assert not (work / "ran").exists()


@pytest.mark.attack("A49", "A54")
@pytest.mark.parametrize(
    ("environment", "kept_away"),
    [
        ("LD_PRELOAD=evil.so", True),
        ("A=b LD_AUDIT=evil.so", True),
        ("'LD_LIBRARY_PATH=/evil x'", True),
        ("A=b;LD_PRELOAD=evil.so", True),
        ("OLD_PRELOAD=x", False),
        ("A=b", False),
        (None, False),
    ],
)
def test_a_job_that_would_lead_the_linker_matches_no_glidein_that_keeps_jobs_apart(
    environment: str | None, kept_away: bool
) -> None:
    text = (WRAPPER.parent / "startd.config").read_text()
    [expression] = re.findall(r"^GLIDEIN_JOB_LED_LINKER = (.*)$", text, re.MULTILINE)
    for name in ("Environment", "Env"):
        given = {} if environment is None else {name: environment}
        assert classad2.ExprTree(expression.replace("TARGET.", "")).eval(classad2.ClassAd(given)) is kept_away


def eventually(true: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


SPY = """#!/bin/bash
echo "me=$(cat me) isolated=$ROUTER_ISOLATION"
work=${{PWD%/execute/*}}
cat "$work"/tokens/* {hidden} 2> /dev/null | grep -c .
ls "$work/execute" | wc -l
ls /proc | grep -c '^[0-9]'
echo end
"""


@pytest.fixture
def site(live_pool: pool_backend.LivePool, tmp_path: Path) -> Iterator[str]:
    """A site whose one glidein has joined the pool."""
    name = f"ISO_{os.getpid()}"
    environment = {**os.environ, **live_pool.pool.env("factory")}

    def told(*command: str) -> str:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()

    program = shutil.which("condor_status", path=environment["PATH"])
    assert program
    at = (told("condor_config_val", "COLLECTOR_HOST"), told("condor_config_val", "TRUST_DOMAIN"))
    hidden = tuple(str(live_pool.pool.home / part) for part in ("keys", "tokens"))
    contact = PoolContact(*at, str(Path(program).resolve().parents[1]), hidden=hidden)
    required = (("ROUTER_REQUIRE_ISOLATION", "true"), ("GLIDEIN_Update_Interval", "2"))
    entry = Entry(name.lower(), name, memory_mb=500, disk_mb=200, attributes=required)
    files = glidein_files(entry, contact, [], live_pool.pool.glidein_token(name).read_text())
    here = live_pool.home / name
    (here / "logs").mkdir(parents=True)
    for file, content in files.items():
        (here / file).write_bytes(content.content)
        (here / file).chmod(content.mode)
    (here / "glidein.jdl").write_text(glidein_submit(entry, GlideinJob(str(here), str(here / "logs"), "s"), files))
    told("condor_submit", str(here / "glidein.jdl"))
    where = ("-constraint", f'GLIDEIN_Site == "{name}"')
    try:
        eventually(lambda: told("condor_status", *where, "-af", "ROUTER_ISOLATION"), 20)
        assert told("condor_status", *where, "-af", "ROUTER_ISOLATION") == "namespaces"
        yield name
    finally:
        told("condor_rm", *where)


@pytest.mark.pool
@pytest.mark.attack("A49")
def test_jobs_of_a_real_glidein_are_kept_apart(live_pool: pool_backend.LivePool, site: str, tmp_path: Path) -> None:
    folder = live_pool.home / f"job-{site}"
    folder.mkdir()
    keys = " ".join(str(live_pool.pool.home / part / "*") for part in ("keys", "tokens/*"))
    (folder / "spy.sh").write_text(SPY.format(hidden=f"{keys} {live_pool.home}/{site}/token"))
    (folder / "me").write_text("mine\n")
    task = f"iso-{os.getpid()}"
    text = (
        f"executable = {folder}/spy.sh\ninitialdir = {folder}\noutput = out\nlog = log\nshould_transfer_files = YES\n"
        f'transfer_input_files = me\nrequest_memory = 50\nrequest_disk = 1M\nMy.RouterTask = "{task}"\n'
        'My.RouterBatch = "b0"\n'
    )
    cluster = live_pool.as_user("alice").submit(text, ())
    place = a_place(cluster, task=task, count=1, decision=a_decision(site))
    assert live_pool.as_user("router").place(place) == 1
    eventually(lambda: (folder / "out").exists() and "end" in (folder / "out").read_text(), 40)
    lines = (folder / "out").read_text().splitlines()
    assert lines[0] == "me=mine isolated=namespaces"
    assert lines[1:3] == ["0", "1"]
    assert int(lines[3]) < 10
