"""ROOT files, by uproot: histograms and profiles are summed, trees and RNTuples appended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from router.worker.merging.histograms import HistogramSum
from router.worker.merging.parts import Counts, MergeError, Part, reading
from router.worker.merging.sums import HISTOGRAM, Sum, Target, entries_of
from router.worker.merging.trees import NTupleSum, TreeSum

MAPPED_BYTES = 16 * 1000**2
"""Files up to this size are mapped into memory."""
TREES = ("TTree", "TNtuple", "TNtupleD")
NTUPLES = ("ROOT::RNTuple", "ROOT::Experimental::RNTuple")


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
