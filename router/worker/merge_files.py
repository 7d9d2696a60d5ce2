#!/usr/bin/env python3
"""Merges the parts of an output: the payload of merge jobs.

Called as `merge_files.py MERGED`; the parts are listed by `GLIDEROUTE_INPUTS`. It is shipped with the job, so it is one
file and imports nothing of the router; ROOT files need uproot on the node. The suffix of MERGED decides: `.root`,
`.csv` (one header), `.json` (lists become one list), `.txt`, `.log` and `.jsonl` (joined). Nothing is dropped silently:
what cannot be merged ends the program with 77 and a line that names it.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

MERGE_FAILED = 77
CHUNK = "16 MB"
TREES = ("TTree", "TNtuple", "TNtupleD")
NTUPLES = ("ROOT::RNTuple", "ROOT::Experimental::RNTuple")
HISTOGRAM = re.compile(r"TH([123])[CSIFD]|TProfile([23]D)?")
SUMMED_ARRAYS = ("fSumw2", "fBinEntries", "fBinSumw2")


class MergeError(Exception):
    """The parts cannot be merged; the message names what and why."""


def merge_root(parts: Sequence[Path], merged: Path) -> None:
    """Sum histograms and profiles, append trees; MergeError for any other object."""
    try:
        import uproot
    except ImportError as missing:
        raise MergeError(f"this node's python3 cannot merge ROOT files: {missing}; it needs uproot") from None
    sums: dict[str, Sum] = {}
    with uproot.recreate(merged) as target:
        for part in parts:
            with uproot.open(part) as source:
                add_part(part.name, source, sums, target)
        for key, total in sums.items():
            total.write(key, target)
    with uproot.open(merged) as result:
        for key, total in sums.items():
            written = total.entries_of(result[key])
            if written != total.entries:
                raise MergeError(f"{key}: {written} entries were written, the parts have {total.entries}")


def add_part(name: str, source: Any, sums: dict[str, Sum], target: Any) -> None:
    """Add all objects of one part; MergeError when one of them cannot be merged, or there are none."""
    found = dict(objects(source))
    if not found:
        raise MergeError(f"{name} holds no objects; it may be damaged")
    for key, kind in found.items():
        if key not in sums:
            sums[key] = sum_for(key, kind, target)
        sums[key].add(key, kind, source[key])


def objects(source: Any) -> Iterable[tuple[str, str]]:
    """Every object of a file with its class, once: the highest cycle, as ROOT itself would read it."""
    kinds = source.classnames(recursive=True, cycle=False)
    for key in dict.fromkeys(kinds):
        if kinds[key] not in ("TDirectory", "TDirectoryFile"):
            yield key, kinds[key]


def sum_for(key: str, kind: str, target: Any) -> Sum:
    """What adds up objects of a class; MergeError when nothing can."""
    if HISTOGRAM.fullmatch(kind):
        return HistogramSum(kind)
    if kind in TREES:
        return TreeSum(kind, target)
    if kind in NTUPLES:
        return NTupleSum(kind, target)
    raise MergeError(f"{key} is a {kind}, which cannot be merged")


class Sum:
    """Objects of one key, added up."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.entries: float = 0

    def add(self, key: str, kind: str, part: Any) -> None:
        """Add one part's object; MergeError when it differs from the others in more than its content."""
        if kind != self.kind:
            raise MergeError(f"{key} is a {self.kind} in one part and a {kind} in another")
        self.append(key, part)
        self.entries += self.entries_of(part)

    def append(self, key: str, part: Any) -> None:
        """Add the content."""
        raise NotImplementedError

    def entries_of(self, found: Any) -> float:
        """How many entries an object of this kind holds."""
        return float(found.num_entries)

    def write(self, key: str, target: Any) -> None:
        """Write what was not written while adding."""


class HistogramSum(Sum):
    """TH1, TH2, TH3 or TProfile: contents, variances, statistics and entries add up; the look is the first part's."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.values: dict[str, Any] = {}
        self.builder = histogram_builder(kind)
        self.dtype: Any = None

    def entries_of(self, found: Any) -> float:
        """ROOT's own count of fills."""
        return float(found.member("fEntries"))

    def append(self, key: str, part: Any) -> None:
        """Add contents, under- and overflow included."""
        values = histogram_values(part, self.builder)
        if not self.values:
            if len(part.member("fFunctions")):
                sys.stderr.write(f"{key}: the functions attached to it are left out, each describes one part alone\n")
            self.dtype = contents(part).dtype.newbyteorder("=")
            self.values = values
            return
        for axis in ("fXaxis", "fYaxis", "fZaxis"):
            if axis_shape(values[axis]) != axis_shape(self.values[axis]):
                raise MergeError(f"{key} ({self.kind}): the parts have different binnings of {axis[1:]}")
        for name, value in values.items():
            if name in SUMMED_ARRAYS and len(value) != len(self.values[name]):
                raise MergeError(f"{key} ({self.kind}): some parts are weighted and some are not")
            if name in {"data", "fEntries", *SUMMED_ARRAYS} or name.startswith("fTsumw"):
                self.values[name] = self.values[name] + value

    def write(self, key: str, target: Any) -> None:
        """Write the sum as the class it was."""
        data = self.values["data"].astype(self.dtype)
        if self.dtype.kind == "i" and (data != self.values["data"]).any():
            raise MergeError(f"{key} ({self.kind}): a bin's sum is too large for its class; use TH1D, TH2D or TH3D")
        target[key] = self.builder(**{**self.values, "data": data})


def histogram_builder(kind: str) -> Callable[..., Any]:
    """uproot's maker of writable objects of a histogram class."""
    from uproot.writing import identify

    name = f"to_{kind}" if kind.startswith("TProfile") else f"to_{kind[:3]}x"
    builder: Callable[..., Any] = getattr(identify, name)
    return builder


def contents(part: Any) -> Any:
    """The flat bin contents, as stored: the array that a histogram class inherits from."""
    while not part.classname.startswith("TArray"):
        part = part.bases[-1]
    return part[:]


def histogram_values(part: Any, builder: Callable[..., Any]) -> dict[str, Any]:
    """What the builder needs to make the same histogram again, in types that add without loss."""
    import numpy

    members = part.all_members
    values = {name: members[name] for name in inspect.signature(builder).parameters if name in members}
    stored = contents(part)
    values["data"] = stored.astype("i8" if stored.dtype.kind == "i" else "f8")
    for name in SUMMED_ARRAYS:
        if name in values:
            values[name] = numpy.asarray(values[name], "f8")
    for axis in ("fXaxis", "fYaxis", "fZaxis"):
        values[axis] = rebuilt_axis(values[axis])
    return {**values, "fFunctions": None, "fOption": str(values["fOption"])}


def rebuilt_axis(axis: Any) -> Any:
    """An axis of the class version that uproot writes, whichever version was read."""
    from uproot.writing.identify import to_TAxis

    members = axis.all_members
    return to_TAxis(**{name: members[name] for name in inspect.signature(to_TAxis).parameters if name in members})


def axis_shape(axis: Any) -> tuple[Any, ...]:
    """What must be equal for bins to be the same bins."""
    labels = axis.member("fLabels")
    names = tuple(str(label) for label in labels) if labels is not None else ()
    edges = tuple(axis.member("fXbins"))
    return axis.member("fNbins"), axis.member("fXmin"), axis.member("fXmax"), edges, names


class TreeSum(Sum):
    """TTrees of equal branches, appended in chunks; a TNtuple becomes the TTree it is."""

    def __init__(self, kind: str, target: Any) -> None:
        super().__init__(kind)
        self.target = target
        self.types: dict[str, str] = {}

    def append(self, key: str, part: Any) -> None:
        """Append the part's entries; the counters of variable-length branches are made anew, under their old names."""
        counters = {b.name: b.count_branch.name for b in part.branches if b.count_branch is not None}
        kept = {"filter_name": lambda name: name not in counters.values()}
        empty = part.arrays(entry_stop=0, **kept)
        types = {name: str(empty[name].type.content) for name in empty.fields}
        if not self.types:
            self.types = types
            branches = {name: empty[name].type.content for name in empty.fields}
            self.target.mktree(key, branches, title=part.title, counter_name=lambda name: counters[name])
        if types != self.types:
            raise MergeError(f"{key} ({self.kind}): the parts have different branches")
        for chunk in part.iterate(step_size=CHUNK, **kept):
            self.target[key].extend({name: chunk[name] for name in chunk.fields})


class NTupleSum(Sum):
    """RNTuples of equal fields, appended in chunks."""

    def __init__(self, kind: str, target: Any) -> None:
        super().__init__(kind)
        self.target = target
        self.form = ""

    def append(self, key: str, part: Any) -> None:
        """Append the part's entries."""
        empty = part.arrays(entry_stop=0)
        form = str(empty.type.content)
        if not self.form:
            self.form = form
            self.target.mkrntuple(key, {name: empty[name].type.content for name in empty.fields})
        if form != self.form:
            raise MergeError(f"{key} ({self.kind}): the parts have different fields")
        for chunk in part.iterate(step_size=CHUNK):
            self.target[key].extend(chunk)


def merge_csv(parts: Sequence[Path], merged: Path) -> None:
    """One header, then the rows of every part; MergeError when the headers differ."""
    header = None
    with merged.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                first = source.readline().rstrip(b"\r\n")
                if header is None:
                    header = first
                    target.write(header + b"\n")
                if first != header:
                    raise MergeError(f"{part.name}: its header differs from that of {parts[0].name}")
                copy_lines(source, target)


def merge_text(parts: Sequence[Path], merged: Path) -> None:
    """The parts one after the other, each ending its last line."""
    with merged.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                copy_lines(source, target)


def copy_lines(source: Any, target: Any) -> None:
    """Copy what is left of a file, so that the next file starts a new line."""
    last = b"\n"
    for line in source:
        target.write(line)
        last = line
    if not last.endswith(b"\n"):
        target.write(b"\n")


def merge_json(parts: Sequence[Path], merged: Path) -> None:
    """One list of all the parts' items; MergeError when a part is no list."""
    items: list[Any] = []
    for part in parts:
        found = json.loads(part.read_bytes())
        if not isinstance(found, list):
            raise MergeError(f"{part.name} holds no list; only JSON lists can be merged")
        items.extend(found)
    merged.write_text(json.dumps(items), encoding="utf-8")


MERGERS: dict[str, Callable[[Sequence[Path], Path], None]] = {
    ".root": merge_root,
    ".csv": merge_csv,
    ".json": merge_json,
    ".jsonl": merge_text,
    ".txt": merge_text,
    ".log": merge_text,
}


def merge(parts: Sequence[Path], merged: Path) -> None:
    """Merge files by suffix; MergeError, and no merged file, when that is impossible."""
    merger = MERGERS.get(merged.suffix)
    if merger is None:
        known = ", ".join(MERGERS)
        raise MergeError(f"{merged.name}: no way to merge files of this suffix is known (known: {known})")
    if not parts:
        raise MergeError(f"{merged.name}: there are no parts")
    try:
        merger(parts, merged)
    except BaseException:
        merged.unlink(missing_ok=True)
        raise


def main(arguments: Sequence[str]) -> int:
    """Merge the job's inputs into the file named by the one argument; the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: merge_files.py MERGED\n")
        return MERGE_FAILED
    listing = json.loads(Path(os.environ["GLIDEROUTE_INPUTS"]).read_bytes())
    try:
        merge([Path(entry["path"]) for entry in listing], Path(arguments[0]))
    except MergeError as why:
        return failed(arguments[0], str(why))
    except Exception as why:  # what uproot raises for a damaged file has no common class
        return failed(arguments[0], f"{type(why).__name__}: {why}")
    sys.stdout.write(f"{arguments[0]}: {len(listing)} parts merged\n")
    return 0


def failed(merged: str, why: str) -> int:
    """Say why there is no merged file; the exit code."""
    sys.stderr.write(f"{merged} was not merged: {why}\n")
    return MERGE_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
