"""`python -m benchmarks NAME …` measures one thing; without a name, a short version of everything."""

import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.measure import STANDARD_OUTPUT, table
from benchmarks.quality.report import table as quality_table
from router.errors import RouterError

SHORT: dict[str, tuple[str, ...]] = {
    "decide": ("--jobs", "100000", "--shapes", "2000", "--sites", "200"),
    "observe": ("--jobs", "5000"),
    "apply": ("--jobs", "5000", "--batches", "50"),
    "submit": ("--jobs", "8000"),
    "day": ("--jobs", "50000", "--sites", "100", "--hours", "6"),
    "catalogue": ("--files", "100000"),
    "stageout": ("--outputs", "2000"),
    "merge": ("--parts", "100"),
    "quality": ("--jobs", "2000", "--seeds", "2", "--policies", "ours,panda,overflow"),
}
"""Each bench with the arguments of its short version, in the order they run."""

RESULTS = Path(__file__).parent / "results.json"


def main(argv: list[str]) -> int:
    """Run the bench that is named, or the short version of all; returns the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a pool that was started is ended on the way out
    if not argv:
        return everything()
    name, *rest = argv
    if name not in SHORT:
        sys.stderr.write(f"There is no bench {name}. There are: {', '.join(SHORT)}.\n")
        return 2
    try:
        code: int = importlib.import_module(f"benchmarks.{name}").main(rest)
    except RouterError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return code


def everything() -> int:
    """Run the short version of each bench in a process of its own; shows the figures and writes them to RESULTS."""
    found: dict[str, dict[str, object]] = {}
    failed = False
    for name, arguments in SHORT.items():
        command = [sys.executable, "-m", "benchmarks", name, *arguments, "--json", STANDARD_OUTPUT]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            failed = True
            continue
        found[name] = json.loads(done.stdout)
        Console().print(quality_table(found[name]) if name == "quality" else table(found[name], name))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(f"The figures are in {RESULTS}.\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
