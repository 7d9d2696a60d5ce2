"""The embedded pool is a real HTCondor: it starts, knows its users apart, and leaves no process behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from router.embedded import containment, processes, startup
from router.embedded import pool as pool_module
from router.embedded.pool import EmbeddedPool
from router.embedded.state import load
from router.errors import RouterError, UserError
from router.render.pool_config import Daemon

pytestmark = pytest.mark.pool

TEMPLATES = Path(__file__).parents[2] / "schedd_config/embedded"


def a_pool(home: Path, daemons: tuple[Daemon, ...] = ()) -> EmbeddedPool:
    """A pool with our own settings alone: the production fragments have their own tests."""
    settings = home / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    if not (settings / "embedded").exists():
        (settings / "embedded").symlink_to(TEMPLATES)
    return EmbeddedPool(home / "pool", settings, daemons)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPool]:
    pool = a_pool(tmp_path_factory.mktemp("shared"))
    pool.up()
    yield pool
    pool.down()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    a_pool(tmp_path).down()


def run(pool: EmbeddedPool, user: str, *command: str) -> subprocess.CompletedProcess[str]:
    return run_in(pool.env(user), *command)


def run_in(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, **environment}
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=60, check=False)


def output(pool: EmbeddedPool, user: str, *command: str) -> str:
    done = run(pool, user, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def submit(pool: EmbeddedPool, user: str, folder: Path, **description: str) -> str:
    """Submit one job with condor_submit and return its id."""
    file = folder / f"{user}-{len(list(folder.iterdir()))}.sub"
    lines = {"initialdir": str(folder), **description}
    file.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()) + "queue\n")
    text = output(pool, user, "condor_submit", "-terse", str(file))
    return text.split(" ")[0]


def eventually(condition: Callable[[], bool], seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def tree(pool: EmbeddedPool) -> frozenset[processes.Process]:
    state = load(pool.home)
    assert state is not None
    assert state.holder is not None
    return processes.descendants(state.holder) | {state.holder}


def processes_naming(text: str) -> list[str]:
    """The living processes whose command line or environment names this."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in words:
                found.append(entry.name)
    return found


def daemon_pid(pool: EmbeddedPool, program: str) -> int:
    found = [
        each.pid
        for each in tree(pool)
        if Path(Path(f"/proc/{each.pid}/cmdline").read_bytes().split(b"\0")[0].decode()).name == program
    ]
    assert len(found) == 1, found
    return found[0]


A_GLIDEIN = """#!/bin/bash
set -e
for name in $(compgen -e | grep -iE '^_?condor'); do unset "$name"; done
folder=$(mktemp -d "$PWD/glidein-XXXXXX")
cd "$folder"
mkdir log execute
export CONDOR_CONFIG=$PWD/glidein.config
cat > "$CONDOR_CONFIG" <<END
{settings}
LOCAL_DIR = $PWD
STARTD_NAME = glidein$$
END
exec {sbin}/condor_master -f
"""


def a_glidein(pool: EmbeddedPool, folder: Path) -> Path:
    """The least a glidein is: a master and a startd that know the pool and hold the glideins' token."""
    domain = output(pool, "factory", "condor_config_val", "TRUST_DOMAIN")
    names = ("BIN", "SBIN", "LIB", "LIBEXEC", "COLLECTOR_HOST", "TRUST_DOMAIN", "UID_DOMAIN")
    settings = {name: output(pool, "factory", "condor_config_val", name) for name in names} | {
        "LOG": "$(LOCAL_DIR)/log",
        "EXECUTE": "$(LOCAL_DIR)/execute",
        "LOCK": "$(LOG)",
        "RUN": "$(LOG)",
        "SPOOL": "$(LOCAL_DIR)",
        "DAEMON_LIST": "MASTER STARTD",
        "NETWORK_INTERFACE": "127.0.0.1",
        "NO_DNS": "True",
        "DEFAULT_DOMAIN_NAME": domain,
        "USE_SHARED_PORT": "False",
        "SEC_USE_FAMILY_SESSION": "False",
        "SEC_DEFAULT_AUTHENTICATION": "REQUIRED",
        "SEC_DEFAULT_ENCRYPTION": "REQUIRED",
        "SEC_DEFAULT_INTEGRITY": "REQUIRED",
        "SEC_DEFAULT_AUTHENTICATION_METHODS": "IDTOKENS",
        "SEC_CLIENT_AUTHENTICATION_METHODS": "IDTOKENS",
        "SEC_TOKEN_DIRECTORY": str(pool.glidein_token("HERE").parent),
        "GLIDEIN_Site": '"HERE"',
        "STARTD_ATTRS": "GLIDEIN_Site",
        "MASTER_ATTRS": "GLIDEIN_Site",
        "ALLOW_READ": f"condor@{domain}",
        "ALLOW_WRITE": f"condor@{domain}",
        "ALLOW_DAEMON": f"condor@{domain}",
        "ALLOW_ADMINISTRATOR": f"condor@{domain}",
        "NUM_CPUS": "1",
    }
    script = folder / "glidein.sh"
    text = "\n".join(f"{name} = {value}" for name, value in settings.items()).replace("$", "\\$")
    script.write_text(A_GLIDEIN.format(settings=text, sbin=settings["SBIN"]))
    script.chmod(0o700)
    return script


def test_a_user_submits_with_the_bindings_and_owns_the_jobs(pool: EmbeddedPool, tmp_path: Path) -> None:
    program = f"""if True:
        import htcondor2, json
        schedd = htcondor2.Schedd()
        local = {{"universe": "local", "executable": "/usr/bin/id", "output": "{tmp_path}/id"}}
        plain = {{"executable": "/bin/true"}}
        ids = [schedd.submit(htcondor2.Submit(each)).cluster() for each in (local, plain)]
        print(json.dumps([ids, [ad["User"] for ad in schedd.query(projection=["User"])]]))
    """
    (local, plain), users = json.loads(output(pool, "alice", sys.executable, "-c", program))
    assert {user.split("@")[0] for user in users} == {"alice"}
    assert eventually(lambda: f"{local}" not in output(pool, "alice", "condor_q", "-af", "ClusterId").split())
    assert "uid=" in (tmp_path / "id").read_text()
    assert output(pool, "alice", "condor_q", str(plain), "-af", "JobStatus", "Owner") == "1 alice"


def test_starting_a_pool_that_is_up_does_nothing(pool: EmbeddedPool) -> None:
    before = pool.status()
    pool.up()
    assert before.state == "up"
    assert pool.status() == before


def test_two_users_cannot_touch_each_others_jobs_and_the_router_may_edit_both(
    pool: EmbeddedPool, tmp_path: Path
) -> None:
    job = submit(pool, "alice", tmp_path, executable="/bin/true")
    assert run(pool, "bob", "condor_qedit", job, "JobPrio", "7").returncode != 0
    assert run(pool, "bob", "condor_rm", job).returncode != 0
    assert run(pool, "router", "condor_qedit", job, "JobPrio", "9").returncode == 0
    assert output(pool, "alice", "condor_q", job, "-af", "JobPrio") == "9"


def test_a_job_whose_glidein_died_is_soon_given_up(pool: EmbeddedPool, tmp_path: Path) -> None:
    job = submit(pool, "alice", tmp_path, executable="/bin/true")
    assert output(pool, "alice", "condor_q", job, "-af", "JobLeaseDuration") == "60"


@pytest.mark.parametrize(
    ("user", "command", "allowed"),
    [
        ("alice", "condor_q -all", True),
        ("alice", "condor_reconfig", False),
        ("router", "condor_reconfig", False),
        ("admin", "condor_reconfig", True),
        ("alice", "condor_advertise UPDATE_STARTD_AD AD", False),
        ("router", "condor_advertise UPDATE_SCHEDD_AD AD", False),
        ("glidein-HERE", "condor_advertise UPDATE_STARTD_AD AD", True),
        ("glidein-HERE", "condor_advertise UPDATE_SCHEDD_AD AD", False),
        ("glidein-HERE", "condor_submit -terse JOB", False),
        ("factory", "condor_submit -terse JOB", True),
    ],
)
def test_each_identity_may_do_its_work_and_no_more(
    pool: EmbeddedPool, tmp_path: Path, user: str, command: str, allowed: bool
) -> None:
    (tmp_path / "AD").write_text('MyType = "Machine"\nName = "a-test"\nMyAddress = "<127.0.0.1:9>"\n')
    (tmp_path / "JOB").write_text("executable = /bin/true\nqueue\n")
    words = [str(tmp_path / word) if word in ("AD", "JOB") else word for word in command.split()]
    done = run(pool, user, *words)
    said = (done.stdout + done.stderr).lower()
    refused = done.returncode != 0 or "denied" in said or "failed" in said or "can't send" in said
    assert refused is not allowed, said


def test_nobody_without_a_token_learns_anything(pool: EmbeddedPool, tmp_path: Path) -> None:
    stranger = {**pool.env("alice"), "_CONDOR_SEC_TOKEN_DIRECTORY": str(tmp_path)}
    done = run_in(stranger, "condor_status", "-schedd")
    assert done.returncode != 0
    assert "schedd@" not in done.stdout


def test_the_pools_secrets_are_its_owners_alone(pool: EmbeddedPool) -> None:
    pool.token("alice")
    secret = [pool.home, *(pool.home / "keys").rglob("*"), *(pool.home / "tokens").rglob("*")]
    assert [each for each in secret if each.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("name", ["", "../condor", "a b", "x/y", "alice\n", "-v"])
def test_an_impossible_user_name_is_refused_in_words(pool: EmbeddedPool, name: str) -> None:
    with pytest.raises(UserError, match="cannot be a user of the pool"):
        pool.env(name)


@pytest.mark.parametrize("kernel_ends_all", [True, False])
def test_glideins_run_a_users_job_and_nothing_of_them_outlives_the_pool(
    home: Path, monkeypatch: pytest.MonkeyPatch, kernel_ends_all: bool
) -> None:
    if not kernel_ends_all:
        monkeypatch.setattr(containment, "PID_NAMESPACE", ("--no-such-option",))
    pool = a_pool(home)
    pool.up()
    folder = home / "work"
    folder.mkdir()
    glidein = a_glidein(pool, folder)
    submit(pool, "factory", folder, universe="local", executable=str(glidein), log=str(folder / "g.log"))
    # A job that leaves a process in a session of its own, as daemons do.
    stray = folder / "stray.sh"
    stray.write_text(f"#!/bin/sh\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\necho up > {folder}/up\nsleep 1000\n")
    stray.chmod(0o700)
    submit(pool, "alice", folder, executable=str(stray), should_transfer_files="yes", transfer_executable="false")
    assert eventually((folder / "up").exists)
    everything = tree(pool)
    names = {Path(f"/proc/{each.pid}/stat").read_text().split("(")[1].split(")")[0] for each in everything}
    assert {"sleep", "condor_startd", "condor_schedd"} <= names

    began = time.monotonic()
    pool.down()

    assert time.monotonic() - began < 15
    assert [each for each in everything if processes.alive(each)] == []
    assert processes_naming(str(home)) == []
    assert pool.status().state == "down"


def test_jobs_stay_queued_while_the_pool_is_down(home: Path) -> None:
    pool = a_pool(home)
    pool.up()
    submit(pool, "alice", home, executable="/bin/true")
    pool.down()
    pool.up()
    assert output(pool, "alice", "condor_q", "-af", "Owner", "JobStatus") == "alice 1"


def test_a_daemon_of_ours_is_run_logged_restarted_and_ended(home: Path) -> None:
    script = 'echo "$GREETING $$"; env | grep CONDOR; trap "echo goodbye; exit" TERM; while :; do sleep 0.1; done'
    pool = a_pool(home, (Daemon("GREETER", ("/bin/sh", "-c", script), {"GREETING": "it's up"}),))
    pool.up()
    log = pool.home / "log/GREETER.log"

    def greetings() -> int:
        return log.read_text().count("it's up ") if log.exists() else 0

    assert eventually(lambda: greetings() == 1)
    os.kill(daemon_pid(pool, "sh"), signal.SIGKILL)
    assert eventually(lambda: greetings() == 2)
    assert "CONDOR" not in log.read_text(), "a secret of the daemons' own"
    everything = tree(pool)
    pool.down()
    assert log.read_text().endswith("goodbye\n")
    assert [each for each in everything if processes.alive(each)] == []


def test_two_pools_stand_side_by_side_and_know_nothing_of_each_other(home: Path, pool: EmbeddedPool) -> None:
    other = a_pool(home)
    other.up()
    assert other.status().port != pool.status().port
    crossed = {**other.env("alice"), "_CONDOR_SEC_TOKEN_DIRECTORY": str(pool.token("alice").parent)}
    assert run_in(crossed, "condor_q").returncode != 0
    other.down()
    assert pool.status().state == "up"


def test_a_killed_daemon_comes_back_and_starting_again_waits_for_it(home: Path) -> None:
    pool = a_pool(home)
    pool.up()
    pid = pool.status().pid
    os.kill(daemon_pid(pool, "condor_collector"), signal.SIGKILL)
    pool.up()
    assert pool.status().state == "up"
    assert pool.status().pid == pid


def test_a_pool_that_cannot_mend_itself_is_started_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = a_pool(home)
    pool.up()
    pid = pool.status().pid
    monkeypatch.setattr(startup, "ASK_SECONDS", 2.0)
    monkeypatch.setattr(pool_module, "READY_SECONDS", 8.0)
    os.kill(daemon_pid(pool, "condor_collector"), signal.SIGSTOP)
    assert pool.status().state == "partial"
    everything = tree(pool)
    pool.up()
    assert pool.status().state == "up"
    assert pool.status().pid != pid
    assert [each for each in everything if processes.alive(each)] == []


def test_a_pool_that_was_killed_is_down_and_starts_again(home: Path) -> None:
    pool = a_pool(home)
    pool.up()
    everything = tree(pool)
    pid = pool.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not any(processes.alive(each) for each in everything))
    assert pool.status().state == "down"
    pool.up()
    assert pool.status().state == "up"


@pytest.mark.parametrize(
    ("setting", "named"),
    [("PREEN = /bin/true\nPREEN_INTERVAL = 0\n", "PREEN_INTERVAL"), ("this is no setting\n", "bad[.]config")],
)
def test_a_bad_setting_is_reported_with_the_end_of_the_log_and_nothing_is_left(
    home: Path, setting: str, named: str
) -> None:
    pool = a_pool(home)
    bad = pool.home / "config.d/bad.config"
    bad.parent.mkdir(parents=True)
    bad.write_text(setting)
    with pytest.raises(RouterError, match=named) as raised:
        pool.up()
    assert "then start the pool again" in str(raised.value)
    assert processes_naming(str(pool.home)) == []
    bad.unlink()
    pool.up()


def test_a_daemon_that_stays_away_is_named_with_its_own_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "READY_SECONDS", 4.0)
    pool = a_pool(home)
    (pool.home / "config.d").mkdir(parents=True)
    (pool.home / "config.d/bad.config").write_text("SCHEDD.SPOOL = /proc/nowhere\n")
    with pytest.raises(RouterError, match="no schedd") as raised:
        pool.up()
    assert "SchedLog" in str(raised.value)
    assert "/proc/nowhere" in str(raised.value)
    assert processes_naming(str(pool.home)) == []


def test_an_interrupted_start_leaves_nothing_behind(home: Path) -> None:
    program = f"""if True:
        import signal
        from pathlib import Path
        from router.embedded.pool import EmbeddedPool
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        EmbeddedPool(Path({str(home / "pool")!r}), Path({str(home / "settings")!r})).up()
    """
    pool = a_pool(home)
    (pool.home / "config.d").mkdir(parents=True)
    (pool.home / "config.d/bad.config").write_text("SCHEDD.SPOOL = /proc/nowhere\n")  # it is never ready
    started = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    assert eventually(lambda: processes_naming(f"CONDOR_CONFIG={home}") != [], 20)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    assert processes_naming(f"CONDOR_CONFIG={home}") == []


def test_a_port_that_others_took_meanwhile_is_replaced(home: Path) -> None:
    pool = a_pool(home)
    pool.up()
    port = pool.status().port
    pool.down()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port or 0))
        other.listen()
        pool.up()
        assert pool.status().port != port
        assert output(pool, "alice", "condor_q", "-af", "ClusterId") == ""


def test_two_commands_at_once_start_one_pool(home: Path) -> None:
    said: list[str] = []
    pools = [EmbeddedPool(home / "pool", a_pool(home)._schedd_config, progress=said.append) for _ in range(2)]
    threads = [threading.Thread(target=pool.up) for pool in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([line for line in said if line.startswith("starting HTCondor")]) == 1
    assert pools[0].status().state == "up"


def test_a_folder_with_a_long_and_unusual_name_holds_a_pool(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = home / ("a long $(name), with 'quotes' and #signs " + "x" * 80)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    pool = a_pool(deep)
    pool.up()
    assert output(pool, "alice", "condor_q", "-af", "ClusterId") == ""
    pool.down()
