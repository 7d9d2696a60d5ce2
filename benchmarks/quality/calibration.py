"""Distributions the generator draws from: fitted numbers, or the real tables where GLIDEROUTE_BENCH_DATA names them.

The fitted numbers are quantiles of the ATLAS 2024 job sample (44,238 jobs, seconds of processor time a core), the
spread of the capacities of 150 ATLAS queues, and of 1,347 unscheduled outages that OSG sites declared 2016-2026.
"""

import csv
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.quality.grid import Floats
from router.errors import UserError

VARIABLE = "GLIDEROUTE_BENCH_DATA"
LEVELS = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution by its quantiles at LEVELS, linear in between."""

    values: tuple[float, ...]

    def draw(self, chance: np.random.Generator, count: int) -> Floats:
        """Independent values."""
        return np.interp(chance.random(count), LEVELS, self.values)

    def draw_logarithmic(self, chance: np.random.Generator, count: int) -> Floats:
        """Independent values of a positive quantity, linear in its logarithm in between."""
        return np.exp(np.interp(chance.random(count), LEVELS, np.log(self.values)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that is drawn from."""

    source: str = "fitted"
    runtime_s: Quantiles = Quantiles((10, 17, 34, 85, 776, 3630, 16_204, 39_645, 58_364, 106_807, 172_800))
    outage_h: Quantiles = Quantiles((1, 2, 4, 6, 12, 30, 72, 72, 72, 72, 72))
    """Cut at three days: longer ones leave no policy a choice within the simulated time."""
    announced_h: Quantiles = Quantiles((-24, -24, -2.65, -1.25, 0, 0.47, 8.87, 33.3, 48.6, 72, 72))
    """Hours after the start of an outage that its announcement comes."""
    capacity_spread: float = 0.8
    """Standard deviation of the logarithm of sites' capacities."""
    capacities: tuple[float, ...] = ()
    """Real relative capacities, largest first; empty: drawn with the spread."""
    closeness: tuple[tuple[str, str, int], ...] = ()
    """Site, site, 0 (best) to 11: how good the network between them is."""
    names: tuple[str, ...] = ()
    """Of the sites whose capacities these are."""


def calibration() -> Calibration:
    """The real tables if the environment names their directory, else the fitted numbers. Raises UserError."""
    given = os.environ.get(VARIABLE)
    if not given:
        return Calibration()
    root = Path(given)
    try:
        found = _atlas(Calibration(source="data"), root / "atlas_grid_2024")
        return _outages(found, root / "osg_downtimes" / "downtimes.csv")
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{VARIABLE}={given} cannot be used: {error}; unset it to use the fitted numbers") from error


def _atlas(base: Calibration, folder: Path) -> Calibration:
    with (folder / "jobs.csv").open(newline="", encoding="utf-8") as file:
        seconds = [float(row["cpu_consumption_s"]) / int(row["cores"]) for row in csv.DictReader(file)]
    sites = json.loads((folder / "site_info.json").read_text(encoding="utf-8"))
    ranked = sorted(((float(s["GFLOPS"]), name) for name, s in sites.items()), reverse=True)
    with (folder / "network.csv").open(newline="", encoding="utf-8") as file:
        pairs = [(r["src"], r["dst"], r["closeness"]) for r in csv.DictReader(file)]
    runtime = np.quantile([min(max(each, 10.0), 172_800.0) for each in seconds if each > 0], LEVELS)
    return replace(
        base,
        runtime_s=Quantiles(tuple(float(each) for each in runtime)),
        capacities=tuple(size for size, _ in ranked),
        capacity_spread=float(np.std([math.log(size) for size, _ in ranked])),
        names=tuple(name for _, name in ranked),
        closeness=tuple((a, b, int(c)) for a, b, c in pairs if c and int(c) >= 0),
    )


def _outages(base: Calibration, path: Path) -> Calibration:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["class"] == "UNSCHEDULED"]
    hours = [min(max((int(r["end"]) - int(r["start"])) / 3600, 0.5), 72.0) for r in rows]
    late = [(int(r["created"]) - int(r["start"])) / 3600 for r in rows if r["created"]]
    return replace(
        base,
        outage_h=Quantiles(tuple(float(each) for each in np.quantile(hours, LEVELS))),
        announced_h=Quantiles(tuple(float(min(max(each, -24), 72)) for each in np.quantile(late, LEVELS))),
    )
