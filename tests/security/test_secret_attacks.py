"""Secrets are in no file, message, log or process list where they need not be, and our files are nobody else's."""

import io
import logging
import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import wiring
from router.embedded.tokens import Tokens, write_private
from router.errors import RouterError
from router.model.files import Replica
from router.model.pilot import Entry
from router.packages.taskdir import TaskDirectory
from router.pilots.condor import CondorFactory, Factory
from router.pool.channel import Channel
from router.redact import HIDDEN, Formatter, redacted
from router.render.glidein import PoolContact, glidein_files
from router.store.store import Store
from router.testing.build import a_file
from router.transfer import fetch
from router.transfer.reading import MOUNTED
from router.worker.wrapper.description import Job
from router.worker.wrapper.payload import payload_environment

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "a token": JWT,
    "a key": KEY,
    "half a key": "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5",
    "an address's password": "postgresql://router:canary-pw@db.example.org/x",
    "a claim id": "<127.0.0.1:9618?addrs=x>#1700000000#12#[Encryption=YES;]canarycanary",
    "a signed address": "https://s3.example.org/b?X-Amz-Signature=canary0123",
    "a header": "Authorization: Bearer canary-0123",
}


@pytest.mark.attack("A52")
@pytest.mark.parametrize("kind", SECRETS)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_secret_in_any_text_is_hidden(kind: str, before: str, after: str) -> None:
    told = redacted(f"{before} {SECRETS[kind]} {after}")
    assert HIDDEN in told
    assert "canary" not in told.lower()
    assert "Y2FuYXJ5" not in told
    assert "c2lnbmF0dXJl" not in told


@pytest.mark.attack("A52")
@given(st.text(st.characters(exclude_characters=":-#=?&@ .\n"), max_size=60))
def test_a_text_without_secrets_is_told_as_it_is(text: str) -> None:
    assert redacted(text) == text
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.attack("A52")
@pytest.mark.parametrize("secret", [JWT, KEY, SECRETS["an address's password"]])
def test_a_log_hides_secrets_of_messages_arguments_and_tracebacks(secret: str) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Formatter("%(message)s"))
    log = logging.Logger("canary")
    log.addHandler(handler)
    try:
        raise RouterError(f"it failed with {secret}")
    except RouterError:
        log.exception("told %s", secret)
    assert "Traceback" in written.getvalue()
    assert "canary-pw" not in written.getvalue()
    assert secret not in written.getvalue()


class Submitted:
    """A queue that keeps what is submitted to it."""

    def __init__(self) -> None:
        self.text = ""

    def submit(self, text: str, items: object) -> int:
        self.text += text
        return 1


@pytest.mark.attack("A52", "A53")
def test_a_glideins_token_is_in_one_private_file_and_nowhere_else(tmp_path: Path) -> None:
    queue = Submitted()
    contact = PoolContact("127.0.0.1:1", "pool", "/release")
    factory = Factory(tmp_path / "factory", contact, "schedd", {}, lambda _: JWT, 0)
    before = os.umask(0)
    try:
        CondorFactory(queue, factory).start(Entry("e1", "SITE_A"), 1)  # type: ignore[arg-type]
    finally:
        os.umask(before)
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and JWT in path.read_text()]
    assert [path.name for path in holders] == ["token"]
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(holders[0].parent.stat().st_mode) == 0o700
    assert JWT not in queue.text


@pytest.mark.attack("A52")
def test_no_representation_of_a_glideins_files_shows_the_token() -> None:
    files = glidein_files(Entry("e1", "SITE_A"), PoolContact("127.0.0.1:1", "pool", "/r"), [], JWT)
    try:
        raise ValueError(files)
    except ValueError:
        assert "c2lnbmF0dXJl" not in traceback.format_exc()


@pytest.mark.attack("A52")
@pytest.mark.parametrize("url", ["postgresql+nosuch://u:canary-pw@db/x", "nonsense://u:canary-pw@db", "u:canary-pw"])
def test_a_databases_password_is_in_no_error(url: str) -> None:
    with pytest.raises(RouterError) as caught:
        Store(url)
    assert "canary-pw" not in redacted("".join(traceback.format_exception(caught.value)))


@pytest.mark.attack("A49", "A52")
def test_the_payload_is_told_no_credential_of_the_pilots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = ["_CONDOR_CREDS", "_CONDOR_SEC_TOKEN_DIRECTORY", "BEARER_TOKEN", "BEARER_TOKEN_FILE", "CONDOR_CONFIG"]
    for name in (*held, "X509_USER_PROXY"):
        monkeypatch.setenv(name, "canary")
    job = Job("t", "b", "j", "x", (), {}, (), (), None, {})
    told = payload_environment(job, tmp_path)
    assert b"canary" not in told.values()
    assert b"PATH" in told


@pytest.mark.attack("A52", "A54")
def test_the_child_that_speaks_to_htcondor_has_no_secret_in_its_arguments_and_no_stranger_in_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    evil = f"open({str(tmp_path / 'CANARY')!r}, 'w')\n"
    (tmp_path / "evil").mkdir()
    for name in ("htcondor2.py", "classad2.py", "sitecustomize.py", "json.py"):
        (tmp_path / "evil" / name).write_text(evil)
    monkeypatch.chdir(tmp_path / "evil")
    hostile = {"PYTHONPATH": str(tmp_path / "evil"), "PYTHONSTARTUP": str(tmp_path / "evil" / "json.py")}
    hostile |= {"LD_LIBRARY_PATH": str(tmp_path / "evil"), "_CONDOR_SCHEDD_HOST": "evil", "CONDOR_CONFIG": "/evil"}
    for name, value in {**hostile, "DATABASE_PASSWORD": "canary"}.items():
        monkeypatch.setenv(name, value)
    channel = Channel({"CONDOR_CONFIG": "/dev/null", "_CONDOR_SEC_TOKEN_DIRECTORY": "/tokens"})
    try:
        assert channel.call("parse_ads", text="A = 7", attributes=["A"]) == [{"A": 7}]
        process = channel._process
        assert process is not None
        told = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    finally:
        channel.close()
    names = {each.partition("=")[0] for each in told if each}
    assert not names & (set(hostile) - {"CONDOR_CONFIG"} | {"DATABASE_PASSWORD"})
    assert "CONDOR_CONFIG=/dev/null" in told
    assert "token" not in words.lower()
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.attack("A54")
def test_a_daemon_of_the_pool_loads_no_module_of_its_working_directory_or_of_pythonpath(tmp_path: Path) -> None:
    for name in ("click.py", "router.py", "sitecustomize.py", "logging.py"):
        (tmp_path / name).write_text("raise SystemExit('CANARY')\n")
    for daemon in wiring.daemons(tmp_path):
        done = subprocess.run(
            [*daemon.argv, "--help"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", **daemon.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, "CANARY" in done.stdout + done.stderr) == (0, False)


def a_token_maker(folder: Path) -> Path:
    """A condor_token_create that answers at once."""
    program = folder / "create"
    program.write_text(f"#!{sys.executable} -S\nprint('a.b.c')\n")
    program.chmod(0o755)
    return program


@pytest.mark.attack("A53")
def test_keys_and_tokens_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "pool", "d", a_token_maker(tmp_path))
    (tmp_path / "pool").mkdir()
    before = os.umask(0)
    try:
        tokens.make_key()
        tokens.folder("alice")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "pool").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "pool/keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "pool/tokens/alice").stat().st_mode) == 0o700


@pytest.mark.attack("A53")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_signing_key_that_others_can_read_signs_nothing(tmp_path: Path, mode: int) -> None:
    tokens = Tokens(tmp_path, "d", a_token_maker(tmp_path))
    tokens.make_key()
    (tmp_path / "keys/POOL").chmod(mode)
    with pytest.raises(RouterError, match=r"open to others.*chmod 600"):
        tokens.make_key()


@pytest.mark.attack("A58")
def test_a_link_where_a_private_file_will_be_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "state.json").symlink_to(victim)
    write_private(tmp_path / "state.json", "ours")
    assert (victim.read_text(), (tmp_path / "state.json").is_symlink()) == ("precious", False)


@pytest.mark.attack("A58")
def test_a_link_where_the_glideins_files_will_be_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    factory = Factory(tmp_path / "f", PoolContact("127.0.0.1:1", "pool", "/r"), "s", {}, lambda _: JWT, 0)
    CondorFactory(Submitted(), factory).start(Entry("e1", "SITE_A"), 1)  # type: ignore[arg-type]
    [made] = [path for path in (tmp_path / "f").iterdir() if path.name != "logs"]
    for path in made.iterdir():
        path.unlink()
    made.rmdir()
    (tmp_path / "f" / f".{made.name}.new").symlink_to(victim)
    with pytest.raises(RouterError, match="cannot be written"):
        CondorFactory(Submitted(), factory).start(Entry("e1", "SITE_A"), 1)  # type: ignore[arg-type]
    assert list(victim.iterdir()) == []


@pytest.mark.attack("A58")
@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_report_that_is_no_file_of_the_job_is_not_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "reports").mkdir()
    path = tmp_path / "reports" / "0000.json"
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(RouterError, match="cannot be read"):
        TaskDirectory(tmp_path).report("0000")


@pytest.mark.attack("A58")
def test_a_fetched_file_goes_through_a_name_that_nobody_can_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, source = tmp_path / "victim", tmp_path / "source"
    victim.write_text("precious")
    source.write_text("ours")
    monkeypatch.setattr(fetch.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".h.root.guessed").symlink_to(victim)
    located = a_file("/a/h.root", "SITE_A")
    with pytest.raises(FileExistsError):
        fetch._copy(
            MOUNTED, Replica("SITE_A", "SITE_A", f"file://{source}"), tmp_path / "h.root", located, lambda _: None
        )
    assert victim.read_text() == "precious"
