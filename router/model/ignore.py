"""Which files of a folder are left out, by patterns as gitignore has them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

ALWAYS = (".git/", "__pycache__/", "*.pyc", ".ipynb_checkpoints/", ".venv/", ".glideignore")
"""Left out unless a later pattern with `!` takes it back."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line."""

    expression: re.Pattern[str]
    back: bool
    """Whether what it names is taken back."""
    folders: bool
    """Whether it names folders only."""


def parse(text: str) -> tuple[Pattern, ...]:
    """The patterns of an ignore file, after those that always hold; the last that fits decides."""
    lines = (line.rstrip() for line in text.splitlines())
    return tuple(_pattern(line) for line in (*ALWAYS, *lines) if line and not line.startswith("#"))


def ignored(patterns: Iterable[Pattern], path: str, folder: bool) -> bool:
    """Whether a path such as `a/b.txt` is left out; of a folder that is, nothing is looked at."""
    found = False
    for pattern in patterns:
        if (folder or not pattern.folders) and pattern.expression.fullmatch(path):
            found = not pattern.back
    return found


def _pattern(line: str) -> Pattern:
    back, line = line.startswith("!"), line.removeprefix("!")
    folders, line = line.endswith("/"), line.rstrip("/")
    anchored, line = "/" in line, line.removeprefix("/")
    return Pattern(re.compile(("" if anchored else "(?:.*/)?") + _expression(line)), back, folders)


def _expression(line: str) -> str:
    pieces = re.split(r"(\*\*/|/\*\*$|\*+|\?)", line)
    meaning = {"**/": "(?:[^/]+/)*", "/**": "/.+", "?": "[^/]"}
    told = (meaning.get(each) or ("[^/]*" if each.startswith("*") else re.escape(each)) for each in pieces)
    return "".join(told)
