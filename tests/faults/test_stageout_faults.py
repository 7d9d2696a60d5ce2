"""Outputs under faults: whatever fails, and wherever the agent is killed, nothing is lost and nothing arrives twice."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from router.model.policy import StageOutPolicy
from router.testing.outputs import Outputs

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from router.testing.outputs import Outputs
    from router.store.store import Store
    from router.transfer.local import LocalEndpoint

    def deadly(owner, name, at):
        found, calls = getattr(owner, name), 0
        def call(*given):
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return found(*given)
        setattr(owner, name, call)

    deadly({owner}, {name!r}, {at})
    Outputs(Path({folder!r})).agent().step()
"""
SEAMS = [
    ("Store", "begin_transfers"),
    ("LocalEndpoint", "write"),
    ("LocalEndpoint", "publish"),
    ("Store", "settle_transfers"),
    ("LocalEndpoint", "remove"),
    ("Store", "clear_transfers"),
]


def killed(folder: Path, owner: str, name: str, at: int) -> None:
    program = textwrap.dedent(KILLED).format(owner=owner, name=name, at=at, folder=str(folder))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_an_agent_that_is_killed_anywhere_loses_nothing_and_repeats_nothing(tmp_path):
    outputs = Outputs(tmp_path).made(60)
    for owner, name in SEAMS:
        killed(tmp_path, owner, name, 1 if owner == "Store" else 5)
    outputs.agent().step()
    assert outputs.faults_found() == (0, 0)


@pytest.mark.parametrize("seed", range(2))
def test_one_in_a_hundred_operations_failing_of_each_cause_loses_nothing(tmp_path, seed):
    outputs = Outputs(tmp_path, faults=0.01, seed=seed).made(300)
    failed = outputs.run(StageOutPolicy())
    assert len(failed) >= 5
    assert outputs.faults_found() == (0, 0)


def test_two_agents_at_once_bring_each_output_once(tmp_path):
    """The lease forbids it; a clock that jumps may let it come to it for a moment."""
    outputs = Outputs(tmp_path).made(40)
    program = "from pathlib import Path; "
    program += f"from router.testing.outputs import Outputs; Outputs(Path({str(tmp_path)!r})).agent().step()"
    other = subprocess.Popen([sys.executable, "-c", program])
    outputs.agent().step()
    assert other.wait() == 0
    outputs.agent().step()
    assert outputs.faults_found() == (0, 0)
