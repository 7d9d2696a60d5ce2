"""The scenarios, by name."""

from dataclasses import replace

from benchmarks.quality.calibration import Calibration
from benchmarks.quality.generate import Recipe, make
from benchmarks.quality.grid import Setting
from router.errors import UserError

BASE = Recipe()
SCENARIOS: dict[str, tuple[str, Recipe, float]] = {
    "Q1": ("arrivals over data with egress limits", BASE, 0.0),
    "Q2": ("Q1 with outages announced late", replace(BASE, outages=0.1), 0.0),
    "Q3": ("150 sites as ATLAS in 2024, with its network", replace(BASE, sites=150, links=True, outages=0.02), 0.0),
    "Q4": ("eight cores and large memory in the mix", replace(BASE, multicore=0.3, large_memory=0.2), 0.0),
    "Q5": (
        "everybody reads one dataset with one copy",
        replace(BASE, days=0.0, backlog_days=1.0, hot_dataset=True, no_input=0.0),
        0.0,
    ),
    "Q6": ("a black hole", replace(BASE, black_holes=1), 0.0),
    "Q7": ("Q2 with sites known 15 minutes late", replace(BASE, outages=0.1), 900.0),
    "Q8": (
        "two groups promised 70 and 30 percent that ask for half each, one heavy user",
        replace(BASE, rho=1.1, heavy_user=0.4, shares=(("a", 0.7, 0.5), ("b", 0.3, 0.5))),
        0.0,
    ),
    "Q9": (
        "Q5 with storage that serves others ten times as fast",
        replace(BASE, days=0.0, backlog_days=1.0, hot_dataset=True, no_input=0.0, egress=10.0),
        0.0,
    ),
    "backlog": ("all jobs at once, none longer than 12 hours", replace(BASE, days=0.0, longest_s=43_200.0), 0.0),
}
"""Name: what it is, how it is made, how old the router's knowledge of sites is in seconds."""


def setting(recipe: Recipe, lag_s: float, given: Calibration, seed: int, pass_s: float = 60.0) -> Setting:
    """One instance of a scenario."""
    grid, workload = make(recipe, given, seed)
    return Setting(grid, workload, seed, lag_s=lag_s, pass_s=pass_s)


def find(name: str) -> tuple[str, Recipe, float]:
    """The scenario of that name. Raises UserError."""
    if name not in SCENARIOS:
        raise UserError(f"no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
