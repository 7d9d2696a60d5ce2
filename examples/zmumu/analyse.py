#!/usr/bin/env python3
"""Fills the invariant mass of muon pairs from the events this job was given, into hist.root.

Nothing here knows of glideroute but one line: the list of inputs. Run it by hand with GLIDEROUTE_INPUTS naming a JSON
list of {"path", "first_event", "events"}.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uproot

FOUR_VECTORS = [f"{component}{muon}" for muon in (1, 2) for component in ("E", "px", "py", "pz")]


def pair_mass(muons: dict[str, np.ndarray]) -> np.ndarray:
    """Invariant mass of each pair, in GeV; 0 where rounding makes its square negative."""
    energy, px, py, pz = (muons[f"{component}1"] + muons[f"{component}2"] for component in ("E", "px", "py", "pz"))
    mass: np.ndarray = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0))
    return mass


def fill(masses: hist.Hist[Any], path: str, first_event: int, events: int) -> None:
    """Fill from a range of a file's events, a piece at a time."""
    with uproot.open(path) as source:
        reading = {"entry_start": first_event, "entry_stop": first_event + events, "step_size": "20 MB"}
        for muons in source["events"].iterate(FOUR_VECTORS, library="np", **reading):
            masses.fill(pair_mass(muons))


def main() -> None:
    """Analyse this job's inputs."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bins", type=int, default=60, help="bins between 60 and 120 GeV (%(default)s)")
    bins = options.parse_args().bins
    masses = hist.new.Reg(bins, 60, 120, name="mass", label="dimuon mass [GeV]").Weight()
    for one in json.loads(Path(os.environ["GLIDEROUTE_INPUTS"]).read_text()):
        fill(masses, one["path"], one["first_event"], one["events"])
    with uproot.recreate("hist.root") as target:
        target["mass"] = masses
    print(f"{masses.sum(flow=True).value:.0f} muon pairs, {masses.sum().value:.0f} of them between 60 and 120 GeV")


if __name__ == "__main__":
    main()
