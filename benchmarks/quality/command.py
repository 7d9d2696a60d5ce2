"""The command line of the quality bench."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.quality import compare, report
from benchmarks.quality.calibration import calibration
from benchmarks.quality.scenarios import SCENARIOS, find, setting
from benchmarks.quality.trace import Trace
from router.errors import UserError
from router.model.policy import POLICIES


def main(argv: list[str]) -> int:
    """Simulate, compare, and show; returns the exit code."""
    wanted = _parser().parse_args(argv)
    try:
        found = compare.run(_plan(wanted), _progress(wanted))
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if wanted.plots:
        from benchmarks.quality import plots  # matplotlib takes a second and is not everywhere

        plots.draw(found, Path(wanted.plots))
    if wanted.json == "-":
        print(json.dumps(found.document))
    elif wanted.json:
        Path(wanted.json).write_text(json.dumps(found.document, indent=1) + "\n", encoding="utf-8")
    if wanted.json != "-":
        Console().print(report.table(found.document))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--scenario", default="Q2", help=f"one of {', '.join(SCENARIOS)}")
    parser.add_argument("--policies", default="ours,panda,overflow,any", help=f"of {', '.join(POLICIES)}")
    parser.add_argument("--seeds", type=int, default=3, help="how many, paired over policies; the first is 1")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument(
        "--sites", help="how many, else one for each 1,000 jobs; with --trace the CSV: site,slots[,storage]"
    )
    parser.add_argument("--rho", type=float, help="work submitted, as part of what the slots can do")
    parser.add_argument("--lag", type=float, help="age of what the router knows of sites, in minutes")
    parser.add_argument("--pass", type=float, default=60.0, dest="pass_s", help="seconds between passes of the router")
    parser.add_argument("--trace", help="CSV: job,submit_s,runtime_s,cores,user,vo[,dataset,input_bytes]")
    parser.add_argument("--downtimes", help="CSV: site,start,end[,created,services], in the trace's seconds")
    parser.add_argument("--json", help="write the figures there; - is standard output, and nothing else is on it")
    parser.add_argument("--plots", help="write plots into this directory")
    return parser


def _plan(wanted: argparse.Namespace) -> compare.Plan:
    """What to simulate. Raises UserError."""
    policies = tuple(name for name in wanted.policies.split(",") if name)
    if wanted.seeds < 1 or wanted.jobs < 1 or not policies:
        raise UserError("--seeds and --jobs must be at least 1, and --policies must name one")
    if wanted.trace:
        if not wanted.sites:
            raise UserError("--trace needs --sites SITES.csv, with columns site,slots and optionally storage")
        trace = Trace.read(Path(wanted.trace), Path(wanted.sites), Path(wanted.downtimes) if wanted.downtimes else None)
        lag = 60.0 * (wanted.lag or 0.0)
        return compare.Plan("trace", policies, wanted.seeds, lambda seed: trace.setting(seed, lag, wanted.pass_s))
    title, recipe, lag = find(wanted.scenario)
    changes: dict[str, Any] = {"jobs": wanted.jobs}
    changes["sites"] = _count(wanted.sites) if wanted.sites else max(5, min(recipe.sites, wanted.jobs // 1000))
    if wanted.rho:
        changes["rho"] = wanted.rho
    recipe, given = replace(recipe, **changes), calibration()
    lag = lag if wanted.lag is None else 60.0 * wanted.lag
    return compare.Plan(
        wanted.scenario,
        policies,
        wanted.seeds,
        lambda seed: setting(recipe, lag, given, seed, wanted.pass_s),
        title,
        given.source,
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise UserError(f"--sites {text}: without --trace it is a number of sites, 2 at least")
    return int(text)


def _progress(wanted: argparse.Namespace) -> compare.Progress:
    """Says on standard error what is done, when a person watches."""
    if not sys.stderr.isatty():
        return lambda words: None
    return lambda words: print(words, file=sys.stderr)
