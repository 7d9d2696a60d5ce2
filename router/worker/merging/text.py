"""Lines, rows and items: text, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.worker.merging.parts import Counts, MergeError, Part, reading


def merge_csv(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """One header, then the rows of every part; MergeError when the headers differ."""
    header = None
    counted: list[Counts] = []
    with merged.open("wb") as target:
        for part in parts:
            with part.path.open("rb") as source:
                first = source.readline().rstrip(b"\r\n")
                if header is None:
                    header = first
                    target.write(header + b"\n")
                if first != header:
                    told = f"{first[:200]!r} instead of {header[:200]!r}"
                    raise MergeError(f"{part.path.name}: its header differs from that of {parts[0].path.name}: {told}")
                counted.append({"lines": copy_lines(source, target)})
    return counted


def count_csv(merged: Path) -> Counts:
    """Its lines but the header."""
    return {"lines": count_text(merged)["lines"] - 1}


def merge_text(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """The parts one after the other, each ending its last line."""
    counted: list[Counts] = []
    with merged.open("wb") as target:
        for part in parts:
            with part.path.open("rb") as source:
                counted.append({"lines": copy_lines(source, target)})
    return counted


def count_text(merged: Path) -> Counts:
    """Its lines."""
    with merged.open("rb") as source:
        return {"lines": sum(1 for _ in source)}


def copy_lines(source: Any, target: Any) -> int:
    """Copy what is left of a file, so that the next file starts a new line; how many lines it was."""
    last = b"\n"
    lines = 0
    for line in source:
        target.write(line)
        last = line
        lines += 1
    if not last.endswith(b"\n"):
        target.write(b"\n")
    return lines


def merge_json(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """One list of all the parts' items; MergeError when a part is no list."""
    counted: list[Counts] = []
    with merged.open("w", encoding="utf-8") as target:
        target.write("[")
        written = 0
        for part in parts:
            with reading(part):
                items = json_list(part.path)
            for item in items:
                target.write((", " if written else "") + json.dumps(item))
                written += 1
            counted.append({"items": written - sum(each["items"] for each in counted)})
        target.write("]")
    return counted


def json_list(path: Path) -> list[Any]:
    """The list in a file; MergeError where it holds none."""
    found = json.loads(path.read_bytes())
    if not isinstance(found, list):
        raise MergeError(f"{path.name} holds no list; only JSON lists can be merged")
    return found


def count_json(merged: Path) -> Counts:
    """The items of its list."""
    return {"items": len(json_list(merged))}
