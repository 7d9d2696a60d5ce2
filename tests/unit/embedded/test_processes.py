"""Only a process that is certainly ours is ever signalled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from router.embedded import keeper, processes
from router.embedded.processes import Process


@contextmanager
def a_process(*command: str) -> Iterator[Process]:
    with subprocess.Popen(command or ("sleep", "60")) as started:
        found = processes.find(started.pid)
        assert found is not None
        yield found
        started.kill()


def test_a_process_is_known_by_its_start_as_well_as_its_number() -> None:
    with a_process() as process:
        assert processes.alive(process)
        assert not processes.alive(replace(process, started=process.started - 1))
        assert not processes.alive(replace(process, boot="another boot"))


def test_a_process_that_took_over_a_number_is_not_signalled() -> None:
    with a_process() as process:
        processes.send(replace(process, started=process.started - 1), signal.SIGKILL)
        assert processes.alive(process)


def test_an_ended_process_is_not_alive_even_before_it_is_reaped() -> None:
    with a_process() as process:
        os.kill(process.pid, signal.SIGKILL)
        assert processes.wait_until_gone([process], 10) == frozenset()


def test_waiting_gives_up_and_says_who_is_left() -> None:
    with a_process() as process:
        assert processes.wait_until_gone([process], 0.1) == frozenset([process])


def test_descendants_are_found_at_every_depth() -> None:
    with a_process("sh", "-c", "sh -c 'sleep 60; true' 'a name) (with brackets'; true") as process:
        deadline = time.monotonic() + 10
        while len(processes.descendants(process)) < 2 and time.monotonic() < deadline:
            time.sleep(processes.POLL_SECONDS)
        below = processes.descendants(process)
        assert len(below) == 2
        assert len(processes.children(process)) == 1
        assert processes.children(process) < below
        for each in below:
            processes.send(each, signal.SIGKILL)


def test_a_keeper_ends_what_its_program_left_behind_and_passes_on_its_exit_code(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    stray = f"setsid sh -c 'echo $$ > {marker}.part; mv {marker}.part {marker}; exec sleep 60'"
    script = f"{stray} & while ! test -e {marker}; do :; done; exit 3"
    done = subprocess.run([sys.executable, keeper.__file__, "/bin/sh", "-c", script], timeout=30, check=False)
    assert done.returncode == 3
    assert processes.find(int(marker.read_text())) is None


def test_a_keeper_passes_signals_on(tmp_path: Path) -> None:
    script = f"trap 'echo ended > {tmp_path}/said; exit 0' QUIT; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    with subprocess.Popen([sys.executable, keeper.__file__, "/bin/sh", "-c", script]) as started:
        while not (tmp_path / "ready").exists():
            assert started.poll() is None
            time.sleep(processes.POLL_SECONDS)
        started.send_signal(signal.SIGQUIT)
        assert started.wait(timeout=10) == 0
    assert (tmp_path / "said").read_text() == "ended\n"
