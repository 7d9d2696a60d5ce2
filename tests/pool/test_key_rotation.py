"""The key that signs tokens is replaced while everything runs: nobody is locked out who should not be."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from organisation import Organisation, until

pytestmark = pytest.mark.pool


@contextmanager
def a_running_router(organisation: Organisation) -> Iterator[Path]:
    """A router whose connections are made anew for each pass, so that each pass proves who it is."""
    address = organisation.home / "run/router.address"
    address.unlink(missing_ok=True)
    environment = {**organisation.environment("router"), "_CONDOR_SEC_DEFAULT_SESSION_DURATION": "1"}
    command = [sys.executable, "-m", "router.cli.main", "router", "run"]
    router = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until(address.exists)
        yield address
    finally:
        router.terminate()
        router.wait(timeout=10)


def passes(address: Path) -> dict[str, float]:
    """Passes of the router so far, by result."""
    with urllib.request.urlopen(f"http://{address.read_text().strip()}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {result: float(count) for result, count in re.findall(r'cycles_total\{result="(\w+)"\} (\S+)', text)}


def some_more(address: Path) -> None:
    """Wait for passes that began after now."""
    before = passes(address)["ok"]
    until(lambda: passes(address)["ok"] >= before + 2 or passes(address)["error"])


def test_a_router_misses_no_pass_while_key_and_tokens_are_replaced_and_old_tokens_end_with_the_old_key(
    organisation: Organisation, tmp_path: Path
) -> None:
    pool = organisation.live.pool
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    shutil.copy(pool.token("bob"), kept / "token")

    def reads_with(folder: Path) -> bool:
        program = shutil.which("condor_q", path=pool.env("bob")["PATH"])
        environment = {**os.environ, **pool.env("bob"), "_CONDOR_SEC_TOKEN_DIRECTORY": str(folder)}
        done = subprocess.run([str(program), "-all"], env=environment, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    with a_running_router(organisation) as address:
        some_more(address)
        assert "bob" in organisation.run("pool", "rotate").out
        assert pool.token("bob").read_text() != (kept / "token").read_text()
        assert reads_with(kept), "the old token goes on until the rotation is finished"
        some_more(address)
        assert organisation.run("pool", "rotate", "--finish").code == 0
        assert not reads_with(kept), "the old key is gone"
        assert reads_with(pool.token("bob").parent)
        job = organisation.live.queue("alice").submit('executable = /bin/true\nMy.RouterDataset = "/test/data"\n', ())
        until(lambda: [each.sites for each in organisation.live.as_user("router").jobs_in([job]) if each.sites])
        assert passes(address)["error"] == 0
