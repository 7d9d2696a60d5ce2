"""The demonstration, as a newcomer runs it: twice at once, and cut short."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pool_backend
import pytest

pytestmark = [pytest.mark.pool, pytest.mark.demo]

DEMO = Path(__file__).parents[2] / "examples" / "zmumu" / "demo.py"


def start(output: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(DEMO), "--output", str(output), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes_with(text: str) -> list[str]:
    """Command lines, and environments, of the running processes that name `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in told:
                found.append(told.decode(errors="replace"))
    return found


def test_two_demonstrations_at_once_show_all_they_promise_and_leave_nothing(
    live_pool: pool_backend.LivePool, tmp_path: Path
) -> None:
    running = [start(tmp_path / str(number), "--json") for number in range(2)]
    for number, demo in enumerate(running):
        out, _ = demo.communicate(timeout=240)
        assert demo.returncode == 0, out
        facts = json.loads(out.splitlines()[-1])
        assert set(facts) == {"chosen", "events", "peak", "jobs", "moved", "refused", "plot", "traced", "home"}
        assert [name for name, fact in facts.items() if not fact["holds"]] == []
        assert facts["events"]["words"] == "2,304 of 2,304"
        assert (tmp_path / str(number) / "zmumu.png").read_bytes().startswith(b"\x89PNG")
        crate = json.loads((tmp_path / str(number) / "ro-crate-metadata.json").read_text())
        assert len([each for each in crate["@graph"] if each["@id"].startswith("#job-")]) == 13
        assert not processes_with(facts["home"]["words"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demonstration_that_is_cut_short_leaves_nothing(
    live_pool: pool_backend.LivePool, tmp_path: Path, number: signal.Signals
) -> None:
    before = set(Path("/tmp").glob("glideroute-demo-*"))
    demo = start(tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "has submitted" in line:
            break
    [home] = set(Path("/tmp").glob("glideroute-demo-*")) - before
    demo.send_signal(number)
    out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, out
    assert "nothing is left running" in out
    assert not home.exists()
    assert not processes_with(str(home))
