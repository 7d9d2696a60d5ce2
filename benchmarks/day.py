"""A day of a large collaboration, pass by pass: how long deciding takes, how much memory, how many calls follow.

The product's own `decide` runs at the router's own cadence over the simulated grid of the quality bench. The day begins
with an empty pool, so that its queue is built by what comes in.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.measure import Figures, arguments, memory_mb, positive, progress, tell
from benchmarks.quality.calibration import calibration
from benchmarks.quality.engine import Simulation
from benchmarks.quality.generate import Recipe
from benchmarks.quality.scenarios import setting
from router.decide.reconcile import decide
from router.model.action import Action, Place
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.world import World
from router.settings import Loop

RECIPE = Recipe(days=1.0, rho=0.9, outages=0.05, task_median=100.0, batch_jobs=100, users=500)
"""Tasks of 100 jobs in the middle and 230 in the mean, 500 users, and work for 90 % of the slots."""

RESET = Path("/proc/self/clear_refs")


@dataclass
class Passes:
    """What each pass saw and cost, as columns."""

    largest: World | None = None
    """The world with the most groups of idle jobs."""
    hour: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    added_mb: list[float] = field(default_factory=list)
    """What the process grew by while deciding, at most: it reuses what it has got before."""
    peak_mb: float = 0.0
    """The process, simulated grid and all."""
    groups: list[int] = field(default_factory=list)
    """Groups of idle jobs."""
    idle: list[int] = field(default_factory=list)
    """Jobs."""
    running: list[int] = field(default_factory=list)
    placed: list[int] = field(default_factory=list)
    """Batches given sites, first or other ones."""
    calls: list[int] = field(default_factory=list)
    """Edits that the schedd gets for them: one for each distinct explanation, and for each distinct set."""

    def decide(self, world: World) -> Iterable[Action]:
        """The product's decision, watched."""
        before = _forget_peak()
        begun = time.perf_counter()
        actions = list(decide(world, BrokerPolicy()))
        self.seconds.append(time.perf_counter() - begun)
        peak = memory_mb("VmHWM")
        self.added_mb.append(max(peak - before, 0.0))
        self.peak_mb = max(self.peak_mb, peak)
        self.hour.append(world.now / 3600)
        idle = [group.count for group in world.jobs if group.state is JobState.IDLE]
        if self.largest is None or len(idle) > max(self.groups):
            self.largest = world
        self.groups.append(len(idle))
        self.idle.append(sum(idle))
        self.running.append(sum(group.count for group in world.jobs if group.state is JobState.RUNNING))
        made = [action.decision for action in actions if isinstance(action, Place)]
        self.placed.append(len(made))
        self.calls.append(len(set(made)) + len({decision.sites for decision in made}))
        if len(self.hour) % 100 == 0:
            progress(f"{self.hour[-1]:.1f} h: {len(idle)} groups idle, a pass takes {self.seconds[-1]:.2f} s")
        return actions


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("day", __doc__)
    parser.add_argument("--jobs", type=positive, default=2_000_000, help="jobs that are submitted within the day")
    parser.add_argument("--sites", type=positive, default=500)
    parser.add_argument("--hours", type=float, default=24.0, help="how much of the day is simulated")
    parser.add_argument("--pass", type=float, default=Loop().interval_s, dest="pass_s", help="seconds between passes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", metavar="FILE", help="draw the passes over the day, as .png or .svg")
    given = parser.parse_args(argv)
    recipe = replace(RECIPE, jobs=given.jobs, sites=given.sites)
    passes, figures = measure(recipe, given.hours, given.pass_s, given.seed)
    if given.plot:
        draw(passes, Path(given.plot), f"{given.jobs:,} jobs in a day, {given.sites} sites")
    tell(figures, "A day, pass by pass", given.json)
    return 0


def measure(recipe: Recipe, hours: float, pass_s: float, seed: int) -> tuple[Passes, Figures]:
    """Simulate `hours` of a day."""
    begun = time.perf_counter()
    progress(f"making {recipe.jobs:,} jobs and {recipe.sites} sites")
    made = setting(recipe, 0.0, calibration(), seed, pass_s)
    passes = Passes()
    simulation = Simulation(made, passes.decide)
    simulation.run_until(hours * 3600)
    ledger, seconds = simulation.ledger, np.array(passes.seconds)
    return passes, {
        "jobs": recipe.jobs,
        "batches": len(made.workload.batches),
        "sites": recipe.sites,
        "slots": made.grid.slots,
        "hours": hours,
        "pass_interval_s": pass_s,
        "passes": len(seconds),
        **{f"pass_p{part}_s": float(np.percentile(seconds, part)) for part in (50, 95, 99)},
        "pass_max_s": float(seconds.max()),
        "deciding_part": float(seconds.sum()) / (hours * 3600),
        "added_max_mb": max(passes.added_mb),
        "peak_rss_mb": passes.peak_mb,
        "alone_rss_mb": alone_mb(passes.largest) if passes.largest else 0.0,
        "groups_max": max(passes.groups),
        "idle_max": max(passes.idle),
        "running_max": max(passes.running),
        "calls_max": max(passes.calls),
        "calls": sum(passes.calls),
        "jobs_ended": recipe.jobs - ledger.left,
        "jobs_edited": ledger.edited,
        "seconds": time.perf_counter() - begun,
        "series": {name: column for name, column in vars(passes).items() if isinstance(column, list)},
    }


def alone_mb(world: World) -> float:
    """The memory of a process that decides one world and has seen no other, at its peak."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_decide_alone, world).result()


def _decide_alone(world: World) -> float:
    list(decide(world, BrokerPolicy()))
    return memory_mb("VmHWM")


def draw(passes: Passes, target: Path, title: str) -> None:
    """Three pictures above each other: what a pass takes, what it adds to the process, what it looks at."""
    import matplotlib as mpl  # takes a second, and only who wants a picture needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (time_axes, memory_axes, work_axes) = plt.subplots(
        3, 1, figsize=(8.0, 8.0), sharex=True, layout="constrained"
    )
    time_axes.plot(passes.hour, passes.seconds, ".", markersize=2)
    time_axes.set(ylabel="a pass takes [s]", title=title, ylim=(0, None))
    memory_axes.plot(passes.hour, passes.added_mb, ".", markersize=2)
    memory_axes.set(ylabel="memory of deciding [MB]", ylim=(0, None))
    for name, values in (("idle groups", passes.groups), ("batches placed", passes.placed), ("calls", passes.calls)):
        work_axes.plot(passes.hour, values, label=name, linewidth=1)
    work_axes.set(xlabel="hour of the day", ylabel="in a pass", yscale="symlog")
    work_axes.legend()
    for axes in (time_axes, memory_axes, work_axes):
        axes.grid(alpha=0.3)
    figure.savefig(target, dpi=120)
    plt.close(figure)


def _forget_peak() -> float:
    """Let the process's peak of memory begin anew, where the kernel can; returns what it has now, in MB."""
    with suppress(OSError):
        RESET.write_text("5")
    return memory_mb("VmRSS")
