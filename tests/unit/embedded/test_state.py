"""What a pool's folder remembers survives, and what it cannot be sure of it does not act on."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from router.embedded import processes
from router.embedded.pool import EmbeddedPool
from router.embedded.prefix import Installation
from router.embedded.processes import Process
from router.embedded.state import FILE, State, load, save
from router.errors import PoolUnreachable, RouterError
from router.render.pool_config import Release


def a_state(home: Path, holder: Process | None = None) -> State:
    release = Release(Path("/h/bin"), Path("/h/sbin"), Path("/h/lib"), Path("/h/libexec"))
    return State("pool-1", 9618, home / "sockets", Installation("25.14.1", release, Path("/h/programs")), holder)


def a_pool(home: Path) -> EmbeddedPool:
    return EmbeddedPool(home, home / "settings", cache=home / "cache")


@pytest.mark.parametrize("holder", [None, Process(12, 345, "a boot")])
def test_a_state_is_read_as_it_was_written(tmp_path: Path, holder: Process | None) -> None:
    save(tmp_path, a_state(tmp_path, holder))
    assert load(tmp_path) == a_state(tmp_path, holder)


def test_a_folder_that_never_held_a_pool_has_no_state(tmp_path: Path) -> None:
    assert load(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"domain": "d", "port": "x"}', "\x00"])
def test_a_damaged_state_is_reported_with_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(RouterError, match="is damaged") as raised:
        a_pool(tmp_path).down()
    assert "remove the file" in str(raised.value)


def test_a_process_number_that_now_belongs_to_another_is_left_alone(tmp_path: Path) -> None:
    myself = processes.find(os.getpid())
    assert myself is not None
    save(tmp_path, a_state(tmp_path, replace(myself, started=myself.started - 1)))
    pool = a_pool(tmp_path)
    assert pool.status().state == "down"
    pool.down()
    assert processes.alive(myself)


def test_the_sockets_of_a_pool_that_is_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "sockets").mkdir()
    save(tmp_path, a_state(tmp_path, Process(1 << 22, 1, "an earlier boot")))
    a_pool(tmp_path).down()
    assert not (tmp_path / "sockets").exists()


def test_ending_a_pool_that_never_was_does_nothing(tmp_path: Path) -> None:
    a_pool(tmp_path / "none").down()
    assert not (tmp_path / "none").exists()


def test_using_a_pool_that_never_was_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(PoolUnreachable, match="glideroute pool up"):
        a_pool(tmp_path).env("alice")


def test_a_folder_that_cannot_hold_a_pool_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RouterError, match="cannot be used: Not a directory") as raised:
        a_pool(tmp_path / "file/pool").up()
    assert "GLIDEROUTE_HOME" in str(raised.value)
