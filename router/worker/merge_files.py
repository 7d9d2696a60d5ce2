#!/usr/bin/env python3
"""Merges the parts of an output: the payload of merge jobs.

Called as `merge_files.py [--command PROGRAM] MERGED`; the parts are listed by `GLIDEROUTE_INPUTS`. It is
shipped with the job, so it is one file and imports nothing of the router; ROOT files need uproot on the node, Parquet
and Arrow files pyarrow. The end of MERGED's name decides how parts are joined, see FORMATS; PROGRAM, a file beside this
one, joins any other: it is called as `PROGRAM MERGED PART...`.

Nothing is dropped silently: what cannot be merged ends the program with 77 and a line that names it. What was written
is read back, and has the entries of all parts together. `MERGED.manifest.json` lists the parts with their entries.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

MERGE_FAILED = 77
CHUNK_BYTES = 4 * 1000**2
"""Of a tree's entries that are read at once, and about what is written at once."""
MAPPED_BYTES = 16 * 1000**2
"""Files up to this size are mapped into memory."""
MANIFEST = ".manifest.json"
TREES = ("TTree", "TNtuple", "TNtupleD")
NTUPLES = ("ROOT::RNTuple", "ROOT::Experimental::RNTuple")
HISTOGRAM = re.compile(r"TH([123])[CSIFD]|TProfile([23]D)?")
JOINED = re.compile(r"_merge\d*-\d+-\d+$")
"""How the name of a part ends that another merge job made: its members have folders already."""
AXES = ("fXaxis", "fYaxis", "fZaxis")
SUMMED_ARRAYS = ("fSumw2", "fBinEntries", "fBinSumw2")

Counts = dict[str, float]
"""Entries by what they are entries of: an object's key in a ROOT file, else rows, items, lines or members."""


class MergeError(Exception):
    """The parts cannot be merged; the message names what and why."""


@dataclass(frozen=True)
class Part:
    """One file to merge."""

    lfn: str
    path: Path

    @property
    def stem(self) -> str:
        """Its logical name's last part up to the first dot: unique among the parts, for a job's name is in it."""
        return self.lfn.rpartition("/")[2].partition(".")[0]


@contextlib.contextmanager
def reading(part: Part) -> Iterator[None]:
    """Have whatever is wrong with a part name it; what the system refuses, such as a full disk, is no part's fault."""
    try:
        yield
    except MergeError:
        raise
    except Exception as why:  # the libraries' errors have no common class; uproot's own OSErrors have no number
        if isinstance(why, OSError) and why.errno is not None:
            raise
        raise MergeError(f"{part.path.name} cannot be read: {type(why).__name__}: {why}") from why


def uproot_here() -> Any:
    """uproot; MergeError where the node has none."""
    try:
        import uproot
    except ImportError as missing:
        raise MergeError(f"this node's python3 cannot merge ROOT files: {missing}; it needs uproot") from None
    return uproot


def opened(path: Path) -> Any:
    """A ROOT file; a small one is mapped into memory, where uproot's own way has threads that take their time.

    Of a large one the mapped pages would be counted as the job's memory.
    """
    uproot = uproot_here()
    small = {"handler": uproot.source.file.MemmapSource} if path.stat().st_size <= MAPPED_BYTES else {}
    return uproot.open(path, **small)


class Target:
    """The merged file. A chunk is compressed and written by a thread, while the next is read: zlib lets others run."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.pending: Future[None] | None = None

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.settled()
        finally:
            self.thread.shutdown()

    def later(self, work: Callable[[Any], None]) -> None:
        """Write something behind the back of whoever reads; one chunk at a time waits, so that memory is bounded."""
        file = self.settled()
        self.pending = self.thread.submit(work, file)

    def settled(self) -> Any:
        """The file, when nothing is being written. Raises what went wrong with the last chunk."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.result()
        return self.file


def merge_root(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """Sum histograms and profiles, append trees; MergeError for any other object."""
    uproot = uproot_here()
    sums: dict[str, Sum] = {}
    with uproot.recreate(merged) as file, Target(file) as target:
        counted = []
        for part in parts:
            with reading(part), opened(part.path) as source:
                counted.append(add_part(part.path.name, source, sums, target))
        for key, total in sums.items():
            total.write(key, target)
    return counted


def count_root(merged: Path) -> Counts:
    """The entries of every object."""
    with opened(merged) as result:
        return {key: entries_of(result[key]) for key, _ in objects(result)}


def entries_of(found: Any) -> float:
    """How many entries an object holds: ROOT's own count of fills where it is a histogram."""
    return float(found.member("fEntries") if HISTOGRAM.fullmatch(found.classname) else found.num_entries)


def add_part(name: str, source: Any, sums: dict[str, Sum], target: Target) -> Counts:
    """Add all objects of one part; MergeError when one of them cannot be merged, or there are none."""
    found = dict(objects(source))
    if not found:
        raise MergeError(f"{name} holds no objects; it may be damaged")
    counted = {}
    for key, kind in found.items():
        if key not in sums:
            sums[key] = sum_for(key, kind, target)
        counted[key] = sums[key].add(key, kind, source[key])
    return counted


def objects(source: Any) -> Iterable[tuple[str, str]]:
    """Every object of a file with its class, once: the highest cycle, as ROOT itself would read it."""
    kinds = source.classnames(recursive=True, cycle=False)
    for key in dict.fromkeys(kinds):
        if kinds[key] not in ("TDirectory", "TDirectoryFile"):
            yield key, kinds[key]


def sum_for(key: str, kind: str, target: Target) -> Sum:
    """What adds up objects of a class; MergeError when nothing can."""
    if HISTOGRAM.fullmatch(kind):
        return HistogramSum(kind)
    if kind in TREES:
        return TreeSum(kind, target)
    if kind in NTUPLES:
        return NTupleSum(kind, target)
    raise MergeError(f"{key} is a {kind}, which cannot be merged")


class Sum(ABC):
    """Objects of one key, added up."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def add(self, key: str, kind: str, part: Any) -> float:
        """Add one part's object; its entries. MergeError when it differs from the others in more than its content."""
        if kind != self.kind:
            raise MergeError(f"{key} is a {self.kind} in one part and a {kind} in another")
        self.append(key, part)
        return entries_of(part)

    @abstractmethod
    def append(self, key: str, part: Any) -> None:
        """Add the content."""

    @abstractmethod
    def write(self, key: str, target: Target) -> None:
        """Write what was not written while adding."""


class HistogramSum(Sum):
    """TH1, TH2, TH3 or TProfile: contents, variances, statistics and entries add up; the look is the first part's."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.values: dict[str, Any] = {}
        self.builder = histogram_builder(kind)
        self.dtype: Any = None
        self.axes: tuple[Any, ...] = ()

    def append(self, key: str, part: Any) -> None:
        """Add contents, under- and overflow included."""
        members = part.all_members
        values = summed_values(part, members)
        axes = tuple(axis_shape(members[axis]) for axis in AXES)
        if not self.values:
            if len(members["fFunctions"]):
                sys.stderr.write(f"{key}: the functions attached to it are left out, each describes one part alone\n")
            self.dtype = contents(part).dtype.newbyteorder("=")
            self.values, self.axes = look(members, self.builder) | values, axes
            return
        for axis, one, first in zip(AXES, axes, self.axes, strict=True):
            if one != first:
                raise MergeError(f"{key} ({self.kind}): the parts have different binnings of {axis[1:]}")
        for name, value in values.items():
            if name in SUMMED_ARRAYS and len(value) != len(self.values[name]):
                raise MergeError(f"{key} ({self.kind}): some parts are weighted and some are not")
            self.values[name] += value

    def write(self, key: str, target: Target) -> None:
        """Write the sum as the class it was."""
        data = self.values["data"].astype(self.dtype)
        if self.dtype.kind == "i" and (data != self.values["data"]).any():
            raise MergeError(f"{key} ({self.kind}): a bin's sum is too large for its class; use TH1D, TH2D or TH3D")
        target.settled()[key] = self.builder(**{**self.values, "data": data})


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


def summed_values(part: Any, members: Mapping[str, Any]) -> dict[str, Any]:
    """What adds up, in types that add without loss, and in memory of its own."""
    import numpy

    stored = contents(part)
    arrays = {name: numpy.array(members[name], "f8") for name in SUMMED_ARRAYS if name in members}
    sums = {name: members[name] for name in members if name == "fEntries" or name.startswith("fTsumw")}
    return {"data": stored.astype("i8" if stored.dtype.kind == "i" else "f8"), **arrays, **sums}


def look(members: Mapping[str, Any], builder: Callable[..., Any]) -> dict[str, Any]:
    """What the builder needs beside to make the same histogram again."""
    values = {name: members[name] for name in inspect.signature(builder).parameters if name in members}
    axes = {axis: rebuilt_axis(values[axis]) for axis in AXES}
    return {**values, **axes, "fFunctions": None, "fOption": str(values["fOption"])}


def rebuilt_axis(axis: Any) -> Any:
    """An axis of the class version that uproot writes, whichever version was read."""
    from uproot.writing.identify import to_TAxis

    members = axis.all_members
    return to_TAxis(**{name: members[name] for name in inspect.signature(to_TAxis).parameters if name in members})


def axis_shape(axis: Any) -> tuple[Any, ...]:
    """What must be equal for bins to be the same bins."""
    labels = axis.member("fLabels")
    names = tuple(str(label) for label in labels) if labels is not None else ()
    edges = axis.member("fXbins")[:].tobytes()
    return axis.member("fNbins"), axis.member("fXmin"), axis.member("fXmax"), edges, names


class Appended(Sum):
    """Entries put one after the other; chunks are gathered, so that many small parts make few baskets."""

    def __init__(self, kind: str, target: Target) -> None:
        super().__init__(kind)
        self.target = target
        self.waiting: list[Any] = []
        self.waiting_bytes = 0

    def gather(self, key: str, chunk: Any) -> None:
        """Take a chunk, and write what waits when it is much."""
        self.waiting.append(chunk)
        self.waiting_bytes += chunk.nbytes
        if self.waiting_bytes >= CHUNK_BYTES:
            self.write(key, self.target)

    def write(self, key: str, target: Target) -> None:
        """Write what waits."""
        import awkward

        if self.waiting:
            whole = awkward.concatenate(self.waiting) if len(self.waiting) > 1 else self.waiting[0]
            self.waiting, self.waiting_bytes = [], 0
            target.later(lambda file: self.extend(file[key], whole))

    @abstractmethod
    def extend(self, written: Any, chunk: Any) -> None:
        """Write a chunk."""


class TreeSum(Appended):
    """TTrees of equal branches; a TNtuple becomes the TTree it is."""

    def __init__(self, kind: str, target: Target) -> None:
        super().__init__(kind, target)
        self.types: dict[str, str] = {}
        self.stored: tuple[Any, ...] = ()
        """How the branches of the last part were stored, from which their types follow."""

    def append(self, key: str, part: Any) -> None:
        """Append the part's entries; the counters of variable-length branches are made anew, under their old names."""
        counters = {b.name: b.count_branch.name for b in part.branches if b.count_branch is not None}
        kept = {"filter_name": lambda name: name not in counters.values()}
        stored = tuple((b.name, b.typename, str(b.interpretation)) for b in part.branches)
        if stored != self.stored:
            self.check(key, part, counters, kept)
            self.stored = stored
        # For a small part finding out how many entries make a chunk takes longer than reading them all.
        small = part.uncompressed_bytes <= CHUNK_BYTES
        for chunk in (part.arrays(**kept),) if small else part.iterate(step_size=f"{CHUNK_BYTES} B", **kept):
            self.gather(key, chunk)

    def check(self, key: str, part: Any, counters: Mapping[str, str], kept: Mapping[str, Any]) -> None:
        """Make the tree as the first part has it; MergeError where a later one has other branches."""
        self.refuse_unwritable(key, part)
        empty = part.arrays(entry_stop=0, **kept)
        types = {name: str(empty[name].type.content) for name in empty.fields}
        if not self.types:
            self.types = types
            branches = {name: empty[name].type.content for name in empty.fields}
            self.target.settled().mktree(key, branches, title=part.title, counter_name=lambda name: counters[name])
        if types != self.types:
            differ = sorted(name for name in {**types, **self.types} if types.get(name) != self.types.get(name))
            raise MergeError(f"{key} ({self.kind}): the parts have different branches: {', '.join(differ)}")

    def refuse_unwritable(self, key: str, part: Any) -> None:
        """MergeError for a branch that uproot would leave out; what else is left out is said."""
        for branch in part.branches:
            if branch.branches or type(branch.interpretation).__name__ == "UnknownInterpretation":
                why = "has branches of its own" if branch.branches else f"is a {branch.typename}"
                raise MergeError(f"{key} ({self.kind}): its branch {branch.name} {why}, which cannot be merged here")
        for name in ("fAliases", "fFriends", "fUserInfo", "fTreeIndex"):
            if part.member(name, none_if_missing=True):
                sys.stderr.write(f"{key}: its {name[1:]} are left out\n")

    def extend(self, written: Any, chunk: Any) -> None:
        """Write a chunk, branch by branch."""
        written.extend({name: chunk[name] for name in chunk.fields})


class NTupleSum(Appended):
    """RNTuples of equal fields."""

    def __init__(self, kind: str, target: Target) -> None:
        super().__init__(kind, target)
        self.form = ""

    def append(self, key: str, part: Any) -> None:
        """Append the part's entries."""
        empty = part.arrays(entry_stop=0)
        form = str(empty.type.content)
        if not self.form:
            self.form = form
            self.target.settled().mkrntuple(key, {name: empty[name].type.content for name in empty.fields})
        if form != self.form:
            raise MergeError(f"{key} ({self.kind}): the parts have different fields: {form} and {self.form}"[:1000])
        for chunk in part.iterate(step_size=f"{CHUNK_BYTES} B"):
            self.gather(key, chunk)

    def extend(self, written: Any, chunk: Any) -> None:
        """Write a chunk."""
        written.extend(chunk)


def arrow_here() -> Any:
    """pyarrow; MergeError where the node has none."""
    try:
        import pyarrow
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError as missing:
        raise MergeError(f"this node's python3 cannot merge columns: {missing}; it needs pyarrow") from None
    return pyarrow


def merge_parquet(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """Row groups one after the other; MergeError when the schemas differ."""
    parquet = arrow_here().parquet
    counted: list[Counts] = []
    with reading(parts[0]):
        schema = parquet.read_schema(parts[0].path)
    with parquet.ParquetWriter(merged, schema) as target:
        for part in parts:
            with reading(part), parquet.ParquetFile(part.path) as source:
                check_schema(part, source.schema_arrow, schema)
                for batch in source.iter_batches():
                    target.write_batch(batch)
                counted.append({"rows": source.metadata.num_rows})
    return counted


def count_parquet(merged: Path) -> Counts:
    """The rows that the file's end tells."""
    return {"rows": arrow_here().parquet.read_metadata(merged).num_rows}


def merge_arrow(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """Record batches one after the other; MergeError when the schemas differ."""
    ipc = arrow_here().ipc
    counted: list[Counts] = []
    with reading(parts[0]), ipc.open_file(parts[0].path) as first:
        schema = first.schema
    with ipc.new_file(merged, schema) as target:
        for part in parts:
            with reading(part), ipc.open_file(part.path) as source:
                check_schema(part, source.schema, schema)
                rows = 0
                for number in range(source.num_record_batches):
                    batch = source.get_batch(number)
                    target.write_batch(batch)
                    rows += batch.num_rows
                counted.append({"rows": rows})
    return counted


def count_arrow(merged: Path) -> Counts:
    """The rows of all batches."""
    with arrow_here().ipc.open_file(merged) as source:
        return {"rows": sum(source.get_batch(number).num_rows for number in range(source.num_record_batches))}


def check_schema(part: Part, schema: Any, first: Any) -> None:
    """MergeError where a part's columns are not the first part's."""
    if schema.equals(first):
        return
    here, there = ({field.name: str(field.type) for field in each} for each in (schema, first))
    differ = [f"{name} ({here.get(name, 'none')} instead of {there.get(name, 'none')})"
              for name in {**there, **here} if here.get(name) != there.get(name)]  # fmt: skip
    words = ", ".join(differ) or "their order, or what may be missing in them"
    raise MergeError(f"{part.path.name}: its columns differ from those of the first part: {words}")


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


def merge_zip(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """The members of every part, in a folder named after the part; MergeError where a name leaves it."""
    counted: list[Counts] = []
    with zipfile.ZipFile(merged, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as target:
        for part in parts:
            with reading(part), zipfile.ZipFile(part.path) as source:
                members = source.infolist()
                for member in members:
                    named = zipfile.ZipInfo(member_name(part, member.filename), member.date_time)
                    named.external_attr, named.compress_type = member.external_attr, member.compress_type
                    if member.is_dir():
                        target.writestr(named, b"")
                        continue
                    named.file_size = member.file_size
                    with source.open(member) as content, target.open(named, "w") as copy:
                        shutil.copyfileobj(content, copy)
                counted.append({"members": len(members)})
    return counted


def count_zip(merged: Path) -> Counts:
    """Its members, each of which gives the bytes that its checksum promises."""
    with zipfile.ZipFile(merged) as source:
        if damaged := source.testzip():
            raise MergeError(f"{damaged} of {merged.name} reads back otherwise than it was written")
        return {"members": len(source.infolist())}


def merge_tar(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """The members of every part, in a folder named after the part; MergeError where a name leaves it."""
    counted: list[Counts] = []
    zipped = merged.name.endswith((".tgz", ".gz"))
    with tarfile.open(merged, "w:gz" if zipped else "w") as target:
        for part in parts:
            with reading(part), tarfile.open(part.path, "r:*") as source:
                members = 0
                for member in source:
                    content = source.extractfile(member) if member.isreg() else None
                    if member.islnk():
                        member.linkname = member_name(part, member.linkname)
                    member.name = member_name(part, member.name)
                    target.addfile(member, content)
                    members += 1
                counted.append({"members": members})
    return counted


def count_tar(merged: Path) -> Counts:
    """Its members."""
    with tarfile.open(merged, "r:*") as source:
        return {"members": sum(1 for _ in source)}


def member_name(part: Part, name: str) -> str:
    """A member's name in the merged archive; MergeError where it is absolute or has `..`."""
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise MergeError(f"{part.path.name}: its member {name!r} would leave the folder it is unpacked in")
    return name if JOINED.search(part.stem) else f"{part.stem}/{name}"


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
    parser = argparse.ArgumentParser(prog="merge_files.py", exit_on_error=False)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
