"""From what happened to figures: of one run, and over paired seeds with intervals."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.quality.bounds import Bounds
from benchmarks.quality.engine import Simulation
from benchmarks.quality.grid import Floats

Figures = dict[str, float | None]
"""By key, as in the JSON; None: it has no meaning here."""

HOUR = 3600.0
SMALL_TASK = 10
"""Tasks with fewer jobs have no tail to speak of."""
LEAST_SHARE = 0.01
"""Of all bytes: where the least that must move is below this, the ratio is taken to this."""
T_975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10)
"""Student's t for 95 % two-sided intervals, for 1 degree of freedom on."""


def waits(simulation: Simulation) -> Floats:
    """Hours from submission until the run that succeeds has its input: queueing, staging and lost runs together."""
    computed = np.array(simulation.ledger.computed)
    found: Floats = (computed - simulation.setting.workload.submit) / HOUR
    return found


def figures(simulation: Simulation, bounds: Bounds) -> Figures:
    """All figures of one run."""
    ledger, workload = simulation.ledger, simulation.setting.workload
    wait = waits(simulation)
    count = max(len(workload), 1)
    useful = float((workload.runtime * workload.cores).sum())
    makespan = max(ledger.ended) - float(workload.submit.min())
    moved = simulation.transfers.moved
    least = bounds.least_bytes(makespan)
    floor = LEAST_SHARE * float(workload.bytes.sum())
    return {
        "wait_mean_h": float(wait.mean()),
        **{f"wait_p{p}_h": float(np.percentile(wait, p)) for p in (50, 95, 99)},
        **_tasks(simulation),
        "makespan_h": makespan / HOUR,
        "makespan_over_bound": makespan / bounds.makespan_s if bounds.by_flow and bounds.makespan_s else None,
        "moved_tb": moved / 1e12,
        "moved_over_least": moved / max(least, floor) if least is not None and max(least, floor) else None,
        "wasted_fraction": ledger.lost_core_s / (useful + ledger.lost_core_s + ledger.staging_core_s),
        "staging_fraction": ledger.staging_core_s / (useful + ledger.lost_core_s + ledger.staging_core_s),
        "edits_per_job": ledger.edited / count,
        "calls_per_job": ledger.calls / count,
        "share_error": float(np.mean(ledger.share_errors)) if ledger.share_errors else 0.0,
        "failed_runs_per_job": sum(ledger.attempts) / count,
        "cpu_us_per_job": ledger.cpu_s * 1e6 / count,
    }


def _tasks(simulation: Simulation) -> Figures:
    """How long tasks take until 95 % of their jobs have ended, and how long their tails are; means over tasks."""
    workload = simulation.setting.workload
    names = [batch.task for batch in workload.batches]
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    task = np.array([number[name] for name in names])[workload.batch]
    took = np.array(simulation.ledger.ended) - workload.submit
    order = np.lexsort((took, task))
    starts = np.flatnonzero(np.r_[True, np.diff(task[order]) > 0])
    t95, tails = [], []
    for first, last in zip(starts, np.r_[starts[1:], len(task)], strict=True):
        if last - first >= SMALL_TASK:
            took_here = took[order[first:last]]
            t95.append(float(np.percentile(took_here, 95)) / HOUR)
            tails.append(float(took_here[-1] / np.percentile(took_here, 90)))
    return {
        "task_t95_h": float(np.mean(t95)) if t95 else None,
        "task_t100_over_t90": float(np.mean(tails)) if tails else None,
    }


def over_seeds(runs: Sequence[Figures]) -> dict[str, float | list[float] | None]:
    """Mean and 95 % interval (`…_ci`: low, high) of each figure."""
    found: dict[str, float | list[float] | None] = {}
    for key in runs[0]:
        values = [value for run in runs if (value := run[key]) is not None]
        found[key] = sum(values) / len(values) if values else None
        found[f"{key}_ci"] = interval(values) if values else None
    return found


def interval(values: Sequence[float]) -> list[float]:
    """Student's 95 % interval of the mean; the value itself when there is one."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return [mean, mean]
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    half = spread * (T_975[len(values) - 2] if len(values) - 2 < len(T_975) else 1.96)
    return [mean - half, mean + half]


def ratios(policy: Sequence[Figures], peer: Sequence[Figures]) -> dict[str, float | list[float] | None]:
    """Mean over seeds against the peer's mean over the same seeds, with the interval of a jackknife over seeds."""
    found: dict[str, float | list[float] | None] = {}
    for key in policy[0]:
        pairs = [(a, b) for run, other in zip(policy, peer, strict=True) if _both(a := run[key], b := other[key])]
        ratio = _ratio(pairs)
        found[key] = ratio
        left = [_ratio(pairs[:n] + pairs[n + 1 :]) for n in range(len(pairs))] if len(pairs) > 1 else []
        known = [each for each in left if each is not None]
        found[f"{key}_ci"] = _jackknife(ratio, known) if ratio is not None and len(known) > 1 else None
    return found


def _both(first: float | None, second: float | None) -> bool:
    return first is not None and second is not None


def _ratio(pairs: Sequence[tuple[float | None, float | None]]) -> float | None:
    above, below = sum(a or 0.0 for a, _ in pairs), sum(b or 0.0 for _, b in pairs)
    return above / below if below else None


def _jackknife(ratio: float, left: Sequence[float]) -> list[float]:
    count = len(left)
    mean = sum(left) / count
    spread = math.sqrt((count - 1) / count * sum((each - mean) ** 2 for each in left))
    half = spread * (T_975[count - 2] if count - 2 < len(T_975) else 1.96)
    return [ratio - half, ratio + half]


def wait_quantiles(samples: Mapping[str, Floats], points: int = 200) -> dict[str, list[float]]:
    """Each policy's waits at evenly spaced levels, for the plot."""
    levels = np.linspace(0.0, 1.0, points)
    return {name: np.quantile(sample, levels).tolist() for name, sample in samples.items()}
