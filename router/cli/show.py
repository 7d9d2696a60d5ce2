"""Tables and JSON: how values look on a terminal and to a program."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.redact import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

COLOURS = {"running": "green", "finished": "bright_green", "held": "red", "removed": "red", "idle": "yellow"}


def console() -> Console:
    """Standard output; plain where it is no terminal."""
    return Console(highlight=False)


def print_json(value: Any) -> None:
    """Print a value of ours as JSON."""
    click.echo(json.dumps(plain(value), indent=1, sort_keys=False))


def plain(value: Any) -> Any:
    """A value of ours as what JSON has; a dataclass is a mapping of its fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(plain(each) for each in value)
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Sequence):
        return [plain(each) for each in value]
    if isinstance(value, Path | Enum):
        return str(value) if isinstance(value, Path) else value.name.lower()
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; a column whose name begins with '#' holds numbers."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left", overflow="fold")
    return made


def foreign(words: str) -> Text:
    """Words that others chose, as they may be shown: no markup, and nothing that a terminal or its reader is led by."""
    return Text(printable(words))


def told(words: str) -> None:
    """Say on standard error what a person should know beside the answer; nothing where there is nothing to say."""
    if words:
        click.echo(foreign(words).plain, err=True)


def when(seconds: float) -> str:
    """A time as people write it, in their zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else ""
