"""What every speed bench does alike: its options, measuring turn by turn, and telling the figures."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

Figures = Mapping[str, object]

STANDARD_OUTPUT = "-"
MEMORY = Path("/proc/self/status")


def arguments(name: str, words: str) -> argparse.ArgumentParser:
    """The options that every bench takes."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=words)
    parser.add_argument("--json", metavar="FILE", help="write the figures as one JSON object; - is standard output")
    return parser


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def tell(figures: Figures, title: str, target: str | None) -> None:
    """Give the figures: as JSON to `target`, or as a table."""
    if target is None:
        console = Console()
        console.print(table(figures, title))
        return
    text = json.dumps(figures, indent=1) + "\n"
    if target == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        Path(target).write_text(text)


def table(figures: Figures, title: str) -> Table:
    """The figures for a person, without those that are made of more."""
    shown = Table(title=title, title_justify="left", show_header=False)
    for name, value in figures.items():
        if isinstance(value, Mapping):
            continue
        shown.add_row(name, f"{value:,.4g}" if isinstance(value, float) and value < 100 else _number(value))
    return shown


def _number(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def taken(work: Callable[[], object]) -> float:
    """How many seconds `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median seconds of each side: in order, then in reverse order, and so on, so that a drift hits all alike."""
    order: Sequence[str] = list(sides)
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in order if number % 2 == 0 else reversed(order):
            found[name].append(sides[name]())
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def progress(words: str) -> None:
    """Say on standard error what is being done: standard output is for figures."""
    sys.stderr.write(f"{words}\n")


def memory_mb(key: str) -> float:
    """A size of this process: VmRSS is what it has, VmHWM the most it had (ru_maxrss begins with its parent's)."""
    lines = MEMORY.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1024
