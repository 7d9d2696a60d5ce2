"""The router is killed at its N-th system call that changes anything: nothing is lost, and nothing is done twice.

`GLIDEROUTE_KILL_AT=1:400` tries that range; without it a few of them are tried. It needs strace, and leave to trace.
"""

import os
import shutil
import subprocess
import sys

import pytest
from breakable import Breakable

pytestmark = [pytest.mark.pool, pytest.mark.timeout(3600)]

CALLS = "write,pwrite64,fdatasync,fsync,sendto,sendmsg,rename,ftruncate,unlink,connect"
FEW = (1, 4, 7, 10, 13, 16, 20, 25, 30, 40)


def why_not() -> str:
    """Why nothing can be traced here; empty where it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    tried = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"nothing may be traced here: {tried.stderr.strip()}"


def numbers() -> list[int]:
    wanted = os.environ.get("GLIDEROUTE_KILL_AT", "")
    return list(range(*map(int, wanted.split(":")))) if wanted else list(FEW)


def killed_at(pool: Breakable, number: int) -> bool:
    """Do a pass that is killed at its `number`-th call; False where it ended before."""
    return not pass_with(pool, CALLS, f"signal=KILL:when={number}")


def pass_with(pool: Breakable, calls: str, fault: str) -> bool:
    """Do a pass with a fault at some system calls; whether it ended well."""
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    command += [sys.executable, "-m", "router.cli.main", "router", "run", "--once"]
    environment = pool.organisation.environment("router")
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    return done.returncode == 0


@pytest.mark.skipif(why_not() != "", reason=why_not() or "can be traced")
def test_a_router_that_is_killed_at_any_system_call_loses_nothing_and_repeats_nothing(pool: Breakable) -> None:
    killed = 0
    for number in numbers():
        clusters = pool.submit(3)
        killed += killed_at(pool, number)
        pool.once()
        assert pool.once() == "0 action(s)\n"
        pool.sound(clusters)
        pool.clear()
    assert killed
