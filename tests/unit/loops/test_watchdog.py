"""Signs of life for systemd."""

import socket

import pytest

from router.errors import PoolUnreachable
from router.loops import runner
from router.loops.runner import Health, run
from router.loops.watchdog import notify


class Enough(Exception):
    """The test has seen what it wanted."""


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listener


def test_a_loop_says_that_it_is_ready_and_after_each_pass_that_it_lives(systemd):
    passes = iter([PoolUnreachable("down"), None, Enough()])

    def step():
        if error := next(passes):
            raise error

    health = Health()
    with pytest.raises(Enough):
        run(step, 0.0, health)
    assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert health.last_beat >= health.last_success > 0


def test_a_loop_says_that_it_stops(systemd, monkeypatch):
    monkeypatch.setattr(runner.signal, "signal", lambda *_: None)
    with runner.until_stopped():
        raise runner.Stopped
    assert systemd.recv(100) == b"STOPPING=1"


def test_an_abstract_socket_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0glideroute-test-notify")
        notify("READY=1", {"NOTIFY_SOCKET": "@glideroute-test-notify"})
        listener.setblocking(False)
        assert listener.recv(100) == b"READY=1"


def test_nobody_is_told_where_nobody_asks_and_a_lost_socket_is_no_failure(tmp_path, caplog):
    notify("READY=1", {})
    notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert "systemd is not told READY=1" in caplog.text
