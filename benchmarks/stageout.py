"""How fast the stage-out agent moves outputs beside its mover alone, and what is lost when operations fail."""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Figures, arguments, positive, progress, taken, tell
from router.model.policy import StageOutPolicy
from router.testing.outputs import Outputs

SIZE = 65_536


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns 1 where an output is lost or there twice."""
    parser = arguments("stageout", __doc__)
    parser.add_argument("--outputs", type=positive, default=10_000, help="outputs that are moved, each time")
    parser.add_argument("--rounds", type=positive, default=2, help="how often mover and agent take turns, and back")
    parser.add_argument("--faults", type=float, default=0.01, help="probability of each fault in an operation")
    given = parser.parse_args(argv)
    found = measure(given.outputs, given.faults, given.rounds)
    tell(found, "Stage-out", given.json)
    return int(bool(found["lost"] or found["twice"]))


def measure(count: int, faults: float, rounds: int = 1) -> Figures:
    """Move `count` outputs by the mover and by the agent, in turns; then by the agent under faults.

    The ratio is the median of those of neighbours, as other work on the machine comes and goes.
    """
    seconds: dict[str, list[float]] = {"mover": [], "agent": []}
    for side in ("mover", "agent", "agent", "mover") * rounds:
        progress(f"{count:,} outputs by the {side}")
        with tempfile.TemporaryDirectory() as folder:
            outputs = Outputs(Path(folder), size=SIZE).made(count)
            seconds[side].append(taken(_by_mover(outputs) if side == "mover" else lambda made=outputs: _agent(made)))
            outputs.close()
    progress(f"{count:,} outputs under faults")
    with tempfile.TemporaryDirectory() as folder:
        outputs = Outputs(Path(folder), faults=faults, size=SIZE).made(count)
        failed = outputs.run(StageOutPolicy())
        lost, twice = outputs.faults_found()
        outputs.close()
    rates = {side: count / statistics.median(each) for side, each in seconds.items()}
    return {
        "outputs": count,
        "mover_per_s": rates["mover"],
        "agent_per_s": rates["agent"],
        "ratio": statistics.median(mover / agent for mover, agent in zip(*seconds.values(), strict=True)),
        "faults": sum(failed.values()),
        "lost": lost,
        "twice": twice,
        "faults_by_cause": failed,
    }


def _by_mover(outputs: Outputs) -> Callable[[], None]:
    """What the agent's mover does, without the agent."""
    mover = outputs.agent().mover

    def move() -> None:
        for outcome in mover.move(outputs.wanted):
            if outcome and outcome[1] is None:
                mover.clear(outcome[0])

    return move


def _agent(outputs: Outputs) -> None:
    while {str(each.state) for each in outputs.store.transfer_counts()} != {"moved"}:
        outputs.agent().step()
