"""Sums of ROOT's histograms and profiles."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from router.worker.merging.parts import MergeError
from router.worker.merging.sums import Sum, Target

AXES = ("fXaxis", "fYaxis", "fZaxis")
SUMMED_ARRAYS = ("fSumw2", "fBinEntries", "fBinSumw2")


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
