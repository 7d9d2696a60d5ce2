"""Merges the parts of an output: the payload of merge jobs.

Called as `merge_files.pyz [--command PROGRAM] MERGED`; the parts are listed by `GLIDEROUTE_INPUTS`. It goes with the
job as one file, a zip application of this module and those it imports; ROOT files need uproot on the node, Parquet
and Arrow files pyarrow. The end of MERGED's name decides how parts are joined, see FORMATS; PROGRAM, a file beside this
one, joins any other: it is called as `PROGRAM MERGED PART...`.

Nothing is dropped silently: what cannot be merged ends the program with 77 and a line that names it. What was written
is read back, and has the entries of all parts together. `MERGED.manifest.json` lists the parts with their entries.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.worker.merging.archives import count_tar, count_zip, merge_tar, merge_zip
from router.worker.merging.columns import count_arrow, count_parquet, merge_arrow, merge_parquet
from router.worker.merging.parts import Counts, MergeError, Part
from router.worker.merging.root import count_root, merge_root
from router.worker.merging.text import count_csv, count_json, count_text, merge_csv, merge_json, merge_text

MERGE_FAILED = 77
MANIFEST = ".manifest.json"


@dataclass(frozen=True)
class Format:
    """How files of one kind are joined, and how their entries are counted afterwards."""

    merge: Callable[[Sequence[Part], Path], list[Counts]]
    count: Callable[[Path], Counts]


FORMATS = {
    ".root": Format(merge_root, count_root),
    ".parquet": Format(merge_parquet, count_parquet),
    ".arrow": Format(merge_arrow, count_arrow),
    ".feather": Format(merge_arrow, count_arrow),
    ".csv": Format(merge_csv, count_csv),
    ".json": Format(merge_json, count_json),
    ".jsonl": Format(merge_text, count_text),
    ".txt": Format(merge_text, count_text),
    ".log": Format(merge_text, count_text),
    ".zip": Format(merge_zip, count_zip),
    ".tar": Format(merge_tar, count_tar),
    ".tar.gz": Format(merge_tar, count_tar),
    ".tgz": Format(merge_tar, count_tar),
}


def merge(parts: Sequence[Part], merged: Path, command: str = "") -> list[Counts]:
    """Merge files; the entries of each part. MergeError, and no merged file, when that is impossible."""
    if not parts:
        raise MergeError(f"{merged.name}: there are no parts")
    try:
        return by_command(parts, merged, command) if command else by_format(parts, merged)
    except BaseException:
        merged.unlink(missing_ok=True)
        raise


def by_format(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """Merge as the end of the name asks, and count again what was written."""
    found = next((FORMATS[end] for end in FORMATS if merged.name.endswith(end)), None)
    if found is None:
        known = ", ".join(FORMATS)
        raise MergeError(f"{merged.name}: no way to merge files of this suffix is known (known: {known})")
    counted = found.merge(parts, merged)
    written, expected = found.count(merged), total(counted)
    for what in sorted({*written, *expected}):
        if written.get(what) != expected.get(what):
            raise MergeError(f"{what}: {written.get(what)} entries were written, the parts have {expected.get(what)}")
    return counted


def total(counted: Iterable[Mapping[str, float]]) -> Counts:
    """The entries of all parts together."""
    found: Counts = {}
    for part in counted:
        for what, entries in part.items():
            found[what] = found.get(what, 0) + entries
    return found


def by_command(parts: Sequence[Part], merged: Path, command: str) -> list[Counts]:
    """Merge with the user's own program; what it counts is its own affair."""
    program = Path.cwd() / command
    try:
        program.chmod(program.stat().st_mode | 0o100)
        code = subprocess.run([program, merged.absolute(), *(part.path for part in parts)], check=False).returncode
    except OSError as why:
        raise MergeError(f"{command} could not be started: {why}") from None
    if code:
        raise MergeError(f"{command} ended with {f'exit code {code}' if code > 0 else f'signal {-code}'}")
    if not merged.is_file():
        raise MergeError(f"{command} ended well, but did not write {merged.name}")
    return [{} for _ in parts]


def write_manifest(merged: Path, parts: Sequence[Part], counted: Sequence[Counts]) -> None:
    """Say beside the merged file what is in it."""
    told = [
        {"lfn": part.lfn, "size": part.path.stat().st_size, "entries": entries}
        for part, entries in zip(parts, counted, strict=True)
    ]
    text = json.dumps({"version": 1, "merged": merged.name, "entries": total(counted), "parts": told}, indent=1)
    merged.with_name(merged.name + MANIFEST).write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Merge the job's inputs into the file that is named; the exit code."""
    parser = argparse.ArgumentParser(prog="merge_files.pyz", exit_on_error=False)
    parser.add_argument("--command", default="")
    parser.add_argument("merged", type=Path)
    try:
        asked = parser.parse_args(arguments)
    except (argparse.ArgumentError, SystemExit) as why:
        sys.stderr.write(f"{why}\n{parser.format_usage()}")
        return MERGE_FAILED
    listing = json.loads(Path(os.environ["GLIDEROUTE_INPUTS"]).read_bytes())
    parts = [Part(entry["lfn"], Path(entry["path"])) for entry in listing]
    try:
        counted = merge(parts, asked.merged, asked.command)
        write_manifest(asked.merged, parts, counted)
    except MergeError as why:
        return failed(asked.merged, str(why))
    except Exception as why:  # what uproot raises for a damaged file has no common class
        return failed(asked.merged, f"{type(why).__name__}: {why}")
    sys.stdout.write(f"{asked.merged}: {len(parts)} parts merged\n")
    return 0


def failed(merged: Path, why: str) -> int:
    """Say why there is no merged file; the exit code."""
    sys.stderr.write(f"{merged} was not merged: {why}\n")
    return MERGE_FAILED
