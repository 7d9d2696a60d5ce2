"""`glideroute pool` says the same to a person and to a program."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli.pool import default_home, default_user, pool_group
from router.embedded.prefix import Installation
from router.embedded.state import State, save
from router.embedded.tokens import write_private
from router.render.pool_config import Daemon, Release


def none(_: Path) -> Sequence[Daemon]:
    return ()


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(pool_group(home / "settings", none), ["--home", str(home), *arguments])


def a_pool_that_was_up(home: Path) -> None:
    release = Release(Path("/h/bin"), Path("/h/sbin"), Path("/h/lib"), Path("/h/libexec"))
    pool = home / "pool"
    (pool / "tokens/alice").mkdir(parents=True)
    write_private(pool / "tokens/alice/token", "a token")
    save(pool, State("pool-1", 9618, pool / "s", Installation("25.14.1", release, Path("/h/pro grams")), None))


def test_a_pool_that_is_down_is_reported_with_an_exit_code(tmp_path: Path) -> None:
    done = run(tmp_path, "status")
    assert done.exit_code == 4
    assert done.output == f"The pool in {tmp_path}/pool is down.\n"


def test_the_status_is_also_one_json_object(tmp_path: Path) -> None:
    a_pool_that_was_up(tmp_path)
    done = run(tmp_path, "status", "--json")
    assert json.loads(done.output) == {
        "state": "down",
        "home": f"{tmp_path}/pool",
        "port": None,
        "pid": None,
        "version": "25.14.1",
        "missing": ["collector", "negotiator", "schedd"],
    }


def test_ending_a_pool_that_is_down_succeeds(tmp_path: Path) -> None:
    a_pool_that_was_up(tmp_path)
    assert run(tmp_path, "down").exit_code == 0


def test_the_environment_is_printed_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a 'home'"
    a_pool_that_was_up(home)
    monkeypatch.setenv("PATH", "/bin")
    lines = run(home, "env", "--user", "alice").output.splitlines()
    assert [shlex.split(line) for line in lines] == [
        ["export", f"CONDOR_CONFIG={home}/pool/client.config"],
        ["export", f"_CONDOR_SEC_TOKEN_DIRECTORY={home}/pool/tokens/alice"],
        ["export", "PATH=/h/pro grams:/bin"],
    ]


def test_the_environment_is_also_one_json_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_pool_that_was_up(tmp_path)
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    found = json.loads(run(tmp_path, "env", "--json").output)
    assert set(found) == {"CONDOR_CONFIG", "_CONDOR_SEC_TOKEN_DIRECTORY", "PATH"}


@pytest.mark.parametrize(("login", "user"), [("alice", "alice"), ("root", "user")])
def test_root_who_cannot_submit_goes_by_another_name(monkeypatch: pytest.MonkeyPatch, login: str, user: str) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: login)
    assert default_user() == user


def test_the_daemons_are_asked_for_with_the_home(tmp_path: Path) -> None:
    asked: list[Path] = []

    def daemons(home: Path) -> Sequence[Daemon]:
        asked.append(home)
        return ()

    CliRunner().invoke(pool_group(tmp_path, daemons), ["--home", str(tmp_path), "status"])
    assert asked == [tmp_path]


def test_the_home_follows_the_desktop_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    assert default_home() == Path("/d/glideroute")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_home() == Path.home() / ".local/share/glideroute"
