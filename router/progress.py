"""Bars on a terminal or in a notebook, for what takes long; nothing is drawn where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from router.model.answer import TaskStatus


def someone_looks(console: Console) -> bool:
    """Whether a bar can be drawn."""
    return console.is_terminal or console.is_jupyter


@contextmanager
def download_bar(shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar that is told how many bytes more have come, and how many there are."""
    columns = (TextColumn("copying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not (shown and someone_looks(console))) as bar:
        line = bar.add_task("", total=None)

        def tell(more: int, total: int) -> None:
            bar.update(line, advance=more, total=total)

        yield tell


@contextmanager
def task_bar(shown: bool = True) -> Iterator[Callable[[TaskStatus], None]]:
    """A bar that is told each look at a task."""
    console = Console(file=sys.stderr)
    words = TextColumn("{task.description}", markup=False)
    with Progress(words, BarColumn(), MofNCompleteColumn(), console=console,
                  disable=not (shown and someone_looks(console))) as bar:  # fmt: skip
        line = bar.add_task("", total=None)

        def tell(found: TaskStatus) -> None:
            states = ", ".join(f"{count} {state}" for state, count in sorted(found.counts.items()))
            over = found.counts.get("finished", 0) + found.counts.get("removed", 0)
            bar.update(line, completed=over, total=found.jobs, description=f"{found.task.id}: {states}")

        yield tell
