"""Two thousand simulated days of faults; and that the simulation repeats itself, and finds what is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invariants import Violation
from simulation import Simulation

from router.decide import lost_input
from router.loops import route
from router.loops.lease import Leadership
from router.pool import mending, placing
from router.store.store import Store

SOAK = Path(__file__).with_name("soak.py")


@pytest.fixture(scope="module")
def store():
    made = Store("sqlite://")
    yield made
    made.close()


def soak(*options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, str(SOAK), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=580, check=False)


@pytest.mark.timeout(600)
def test_no_invariant_is_violated_in_two_thousand_seeds():
    done = soak("--seeds", "0:2000")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_gives_the_same_events_in_any_process():
    first, second = (soak("--seeds", "7:12", "--trace", hash_seed=seed) for seed in ("1", "2"))
    assert first.stdout == second.stdout
    assert "begins a pass" in first.stdout


def commit_without_explanation(queue: Any, look: Any, jobs: Any) -> Any:
    return jobs


def settle_nothing(*_: Any) -> list[Any]:
    return []


def all_alike(changes: Any) -> Any:
    """Without a look at what jobs ask for."""
    yield [*changes], ()


def jobs_as_they_were(queue: Any, look: Any, changes: Any) -> Any:
    """Without a look at which jobs are idle: all that the cluster ever had."""
    return {change: [(change.cluster, 0, look[change.cluster][0].submitted - 1)] for change in changes}


def none_is_lost(idle: Any, inputs: Any) -> Any:
    return list(idle), []


def for_ever(leadership: Any) -> float:
    return float("inf")


def whatever_is_held(clusters: Any, due: int) -> str:
    return "JobStatus == 5"


@pytest.mark.parametrize(
    ("module", "name", "broken", "violated"),
    [
        (Leadership, "until", for_ever, ("I3", "I5")),
        (placing, "_explain", commit_without_explanation, ("I9", "I12")),
        (placing, "_as_seen", jobs_as_they_were, ("I7",)),
        (mending, "_mended", whatever_is_held, ("I7",)),
        (placing, "_apart", all_alike, ("I5", "I14")),
        (route, "settle", settle_nothing, ("I12",)),
        (lost_input, "parted", none_is_lost, ("I16",)),
    ],
)
def test_a_router_with_a_fault_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    module: Any,
    name: str,
    broken: Callable[..., Any],
    violated: tuple[str, ...],
):
    monkeypatch.setattr(module, name, broken)
    found = set()
    for seed in range(400):
        try:
            Simulation(seed, store).run()
        except Violation as violation:
            found.add(str(violation).split(":")[0])
            if found & set(violated):
                return
    pytest.fail(f"400 seeds found only {found or 'nothing'}")
