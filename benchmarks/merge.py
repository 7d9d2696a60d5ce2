"""How long merging takes, and its memory: one merge job, a tree of them, and a plain sequential merge with uproot."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Figures, arguments, positive, progress, taken, tell
from router.packages.zipapps import zip_application
from router.render.parts import MERGER
from router.worker.merging.root import objects
from router.worker.merging.sums import entries_of

ROUNDS = 3
DIFFERENT = 20
"""Parts of different content; the others are links to them."""
HISTOGRAMS, FILLS = 20, 5_000
EVENTS, BRANCHES = 20_000, 8
PLAIN = Path(__file__).with_name("merge_plainly.py")
PEAK = "VmHWM:"


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("merge", __doc__)
    parser.add_argument("--kind", choices=("histogram", "tree"), default="histogram", help="what each part holds")
    parser.add_argument("--parts", type=positive, help="parts to merge (1000 of histograms, 200 of trees)")
    parser.add_argument("--fan-in", type=positive, default=50, help="parts that one job of the tree joins")
    given = parser.parse_args(argv)
    parts = given.parts or {"histogram": 1000, "tree": 200}[given.kind]
    tell(measure(given.kind, parts, given.fan_in), "Merging", given.json)
    return 0


@dataclass(frozen=True)
class Cost:
    """What a merge took."""

    seconds: float
    """Until the merged file is there, where jobs that can run at the same time do."""
    cpu_seconds: float
    peak_mb: float
    """Of the largest process."""


def measure(kind: str, count: int, fan_in: int) -> Figures:
    """Merge `count` parts in each way, in turns; the fastest round of each counts."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        progress(f"writing {count} parts")
        parts = write_parts(kind, count, home)
        (home / MERGER).write_bytes(zip_application(MERGER))
        sides: dict[str, Callable[[], Cost]] = {
            "plain": partial(run, PLAIN, parts, home / "plain.root"),
            "one_job": partial(run, home / MERGER, parts, home / "one.root"),
            "tree": partial(in_tree, parts, home, fan_in),
        }
        found: dict[str, list[Cost]] = {name: [] for name in sides}
        for number in range(ROUNDS):
            progress(f"merging, round {number + 1} of {ROUNDS}")
            for name in sides if number % 2 == 0 else reversed(sides):
                found[name].append(sides[name]())
        check(home / "plain.root", home / "one.root", home / "tree.root")
        size = sum(part.stat().st_size for part in parts)
    best = {name: min(costs, key=lambda cost: cost.seconds) for name, costs in found.items()}
    figures: dict[str, object] = {"kind": kind, "parts": count, "fan_in": fan_in, "parts_mb": size / 1e6}
    for name, cost in best.items():
        figures |= {
            f"{name}_s": cost.seconds,
            f"{name}_cpu_s": cost.cpu_seconds,
            f"{name}_peak_mb": max(each.peak_mb for each in found[name]),
        }
    ratios = {f"{name}_to_plain": best["plain"].seconds / best[name].seconds for name in ("one_job", "tree")}
    return {**figures, **ratios}


def in_tree(parts: Sequence[Path], home: Path, fan_in: int) -> Cost:
    """Merge in levels, each job up to `fan_in` files; a level lasts as long as its longest job."""
    seconds, cpu_seconds, peak_mb, level = 0.0, 0.0, 0.0, 0
    while len(parts) > 1:
        level += 1
        groups = [parts[at : at + fan_in] for at in range(0, len(parts), fan_in)]
        made = [home / ("tree.root" if len(groups) == 1 else f"tree-{level}-{n}.root") for n in range(len(groups))]
        costs = [run(home / MERGER, group, target) for group, target in zip(groups, made, strict=True)]
        seconds += max(cost.seconds for cost in costs)
        cpu_seconds += sum(cost.cpu_seconds for cost in costs)
        peak_mb = max(peak_mb, *(cost.peak_mb for cost in costs))
        parts = made
    return Cost(seconds, cpu_seconds, peak_mb)


def run(program: Path, parts: Sequence[Path], merged: Path) -> Cost:
    """Run a merging program as a merge job does; raises CalledProcessError where it fails."""
    listing = merged.with_suffix(".json")
    listing.write_text(json.dumps([{"lfn": f"/bench/{part.name}", "path": str(part)} for part in parts]))
    script = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    told = open('/proc/self/status').read()\n"
        "    open(sys.argv[1] + '.peak', 'w').write(told)\n"
    )
    command = [sys.executable, "-c", script, str(program), str(merged)]
    before = os.times()
    seconds = taken(
        lambda: subprocess.run(
            command, env={**os.environ, "GLIDEROUTE_INPUTS": str(listing)}, stdout=subprocess.DEVNULL, check=True
        )
    )
    after = os.times()
    cpu_seconds = after.children_user + after.children_system - before.children_user - before.children_system
    told = Path(f"{merged}.peak").read_text().splitlines()
    peak_mb = next(int(line.split()[1]) for line in told if line.startswith(PEAK)) / 1024
    return Cost(seconds, cpu_seconds, peak_mb)


def check(*merged: Path) -> None:
    """Raise ValueError where the ways to merge do not give the same."""
    import numpy
    import uproot

    sums = []
    for path in merged:
        with uproot.open(path) as found:
            each = {key: entries_of(found[key]) for key, _ in objects(found)}
            contents = [numpy.sum(_values(found[key])) for key in sorted(each)]
            sums.append((sorted(each), contents))
    for keys, contents in sums[1:]:
        if keys != sums[0][0] or not numpy.allclose(contents, sums[0][1], rtol=1e-9):
            raise ValueError("the ways to merge do not give the same content")


def _values(found: Any) -> Any:
    return found["x0"].array(library="np") if hasattr(found, "num_entries") else found.values(flow=True)


def write_parts(kind: str, count: int, home: Path) -> list[Path]:
    """Write parts of one kind."""
    import awkward
    import hist
    import numpy
    import uproot

    random = numpy.random.default_rng(1)
    parts = []
    for number in range(count):
        path = home / f"part_{number:04d}.root"
        parts.append(path)
        if number >= DIFFERENT:
            path.hardlink_to(parts[number % DIFFERENT])
            continue
        with uproot.recreate(path) as target:
            if kind == "tree":
                tree: dict[str, Any] = {f"x{n}": random.normal(size=EVENTS).astype("f4") for n in range(BRANCHES)}
                lengths = random.poisson(2, EVENTS)
                tree["pt"] = awkward.unflatten(random.exponential(20, int(lengths.sum())).astype("f4"), lengths)
                target.mktree("events", {name: awkward.type(awkward.Array(a)).content for name, a in tree.items()})
                target["events"].extend(tree)
                continue
            for n in range(HISTOGRAMS):
                filled = hist.Hist(hist.axis.Regular(100, -3, 3, name="x"), storage=hist.storage.Weight())
                target[f"cuts/h{n}"] = filled.fill(random.normal(size=FILLS), weight=random.uniform(0.5, 2, FILLS))
            flat = hist.Hist(hist.axis.Regular(50, -3, 3), hist.axis.Regular(50, -3, 3), storage=hist.storage.Weight())
            target["cuts/plane"] = flat.fill(random.normal(size=FILLS), random.normal(size=FILLS))
    return parts
