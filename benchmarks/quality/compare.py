"""Runs each policy on the same settings, seed by seed, and gathers the figures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.quality.bounds import Bounds, data_waits, pooled_waits
from benchmarks.quality.deciders import decider
from benchmarks.quality.engine import Simulation
from benchmarks.quality.figures import Figures, figures, interval, over_seeds, ratios, waits
from benchmarks.quality.grid import Floats, Setting

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be simulated."""

    scenario: str
    policies: tuple[str, ...]
    seeds: int
    setting: Callable[[int], Setting]
    """Makes the setting of a seed."""
    title: str = ""
    source: str = "trace"
    """Where the distributions come from."""


@dataclass
class Comparison:
    """What came out."""

    document: dict[str, Any]
    """As it is written to JSON."""
    waits: dict[str, list[Floats]] = field(default_factory=dict)
    """Hours, by policy and seed."""
    runs: dict[str, list[Figures]] = field(default_factory=dict)
    pooled: list[Floats] = field(default_factory=list)


def run(plan: Plan, say: Progress) -> Comparison:
    """Simulate every policy with every seed. The first policy is also compared to each of the others."""
    found = Comparison({}, {name: [] for name in plan.policies}, {name: [] for name in plan.policies})
    bounds: list[Bounds] = []
    data: list[float] = []
    setting = plan.setting(1)
    for seed in range(1, plan.seeds + 1):
        setting = plan.setting(seed)
        bounds.append(Bounds(setting))
        found.pooled.append(pooled_waits(setting))
        data.append(float(data_waits(setting).mean()))
        for name in plan.policies:
            simulation = Simulation(setting, decider(name, setting.grid))
            simulation.run()
            found.waits[name].append(waits(simulation))
            found.runs[name].append(figures(simulation, bounds[-1]))
            say(f"seed {seed} {name}: mean wait {found.runs[name][-1]['wait_mean_h']:.2f} h")
    first, *peers = plan.policies
    pooled = [float(each.mean()) for each in found.pooled]
    found.document = {
        "scenario": plan.scenario,
        "title": plan.title,
        "jobs": len(setting.workload),
        "batches": len(setting.workload.batches),
        "sites": len(setting.grid.sites),
        "slots": setting.grid.slots,
        "seeds": plan.seeds,
        "source": plan.source,
        "policies": {name: over_seeds(runs) for name, runs in found.runs.items()},
        "ratios": {f"{first}/{peer}": ratios(found.runs[first], found.runs[peer]) for peer in peers},
        "bounds": {
            "pooled_wait_mean_h": float(np.mean(pooled)),
            "pooled_wait_mean_h_ci": interval(pooled),
            "data_wait_mean_h": float(np.mean(data)),
            "data_wait_mean_h_ci": interval(data),
            "makespan_h": float(np.mean([each.makespan_s for each in bounds])) / 3600,
            "makespan_by_flow": all(each.by_flow for each in bounds),
        },
    }
    return found
