"""Simulations of many seeds, over as many processes as there are processors.

`python tests/faults/soak.py --seeds 0:100000` tells each seed that fails; `--seeds 4711:4712 --trace` replays one and
prints what happened.
"""

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from simulation import Simulation  # noqa: E402 - after the path

from router.store.store import Store  # noqa: E402

CHUNK = 50
"""Seeds that a process does between two reports."""
TELL_EVERY = 1000
"""Seeds between two lines that tell how far it is."""


@cache
def store() -> Store:
    """One store in memory for all seeds of a process: its statements are compiled once."""
    logging.disable(logging.CRITICAL)
    return Store("sqlite://")


def fails(seed: int) -> tuple[str, list[str]] | None:
    """What a seed violates, with its trace; None where all holds."""
    simulation = Simulation(seed, store())
    try:
        simulation.run()
    except Exception as error:  # whatever ends a simulation is a finding
        return f"{type(error).__name__}: {error}", simulation.trace
    return None


def failing(seeds: range) -> list[tuple[int, str]]:
    """Those of `seeds` that fail, and how."""
    return [(seed, found[0]) for seed in seeds if (found := fails(seed))]


def main() -> int:
    """The exit code: 1 where a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:2000", help="first:end")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--trace", action="store_true", help="tell everything that happens, of a few seeds")
    options = parser.parse_args()
    first, end = map(int, options.seeds.split(":"))
    if options.trace:
        return sum(traced(seed) for seed in range(first, end)) and 1
    started, bad = time.monotonic(), 0
    chunks = [range(start, min(start + CHUNK, end)) for start in range(first, end, CHUNK)]
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for done, found in zip(chunks, pool.map(failing, chunks), strict=True):
            bad += len(found)
            if done.stop % TELL_EVERY == 0:
                print(f"up to {done.stop}: {bad} fail, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            for seed, told in found:
                print(f"seed {seed} fails: {told[:600]}", flush=True)
    print(f"{end - first} seeds, {bad} of them fail, {time.monotonic() - started:.0f} s")
    return 1 if bad else 0


def traced(seed: int) -> bool:
    """Print what happens in a seed; whether it fails."""
    simulation = Simulation(seed, store())
    try:
        simulation.run()
    except Exception as error:
        print("\n".join([*simulation.trace, f"seed {seed} fails: {type(error).__name__}: {error}"]))
        return True
    print("\n".join([*simulation.trace, f"seed {seed} ends well"]))
    return False


if __name__ == "__main__":
    sys.exit(main())
