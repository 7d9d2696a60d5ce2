"""Luminosity sections: the numbered pieces of a run in which collisions were recorded, as sets of ranges."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_NUMBER = 2**31 - 1
"""Of a run or a section, as CMS stores them and databases hold them."""
MAX_RANGES = 100_000
"""In one mask; CMS's masks of a whole year have about 5,000."""

Range = tuple[int, int, int]
"""A run, and the first and the last of neighbouring sections of it."""


@dataclass(frozen=True, slots=True)
class Lumis:
    """A set of luminosity sections; equal sets are equal values."""

    ranges: tuple[Range, ...] = ()
    """Sorted, without overlaps, neighbours joined: made by `of`."""

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> "Lumis":
        """The set that ranges make together, in whatever order, overlapping or not."""
        joined: list[Range] = []
        for run, first, last in sorted(ranges):
            if joined and joined[-1][0] == run and first <= joined[-1][2] + 1:
                joined[-1] = (run, joined[-1][1], max(last, joined[-1][2]))
            else:
                joined.append((run, first, last))
        return cls(tuple(joined))

    @classmethod
    def sections(cls, found: Iterable[tuple[int, int]]) -> "Lumis":
        """The set of single sections, each a run and a number."""
        return cls.of((run, number, number) for run, number in found)

    def __len__(self) -> int:
        """How many sections."""
        return sum(last - first + 1 for _, first, last in self.ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Every section as its run and number, in order."""
        return ((run, number) for run, first, last in self.ranges for number in range(first, last + 1))

    def __and__(self, other: "Lumis") -> "Lumis":
        """The sections that both have."""
        found: list[Range] = []
        mine, theirs = self.ranges, other.ranges
        # A file has few ranges and a mask has thousands: the search starts where the file's begin.
        i = max(bisect_left(mine, theirs[0]) - 1, 0) if theirs else 0
        j = max(bisect_left(theirs, mine[0]) - 1, 0) if mine else 0
        while i < len(mine) and j < len(theirs):
            (run, first, last), (run2, first2, last2) = mine[i], theirs[j]
            if run == run2 and max(first, first2) <= min(last, last2):
                found.append((run, max(first, first2), min(last, last2)))
            if (run, last) <= (run2, last2):
                i += 1
            else:
                j += 1
        return Lumis(tuple(found))

    def __sub__(self, other: "Lumis") -> "Lumis":
        """The sections that the other has not."""
        taken = self & other
        by_run: dict[int, list[Range]] = {}
        for each in taken.ranges:
            by_run.setdefault(each[0], []).append(each)
        left: list[Range] = []
        for run, first, last in self.ranges:
            at = first
            for _, from_, to in by_run.get(run, ()):
                if first <= from_ <= last:
                    if at < from_:
                        left.append((run, at, from_ - 1))
                    at = to + 1
            if at <= last:
                left.append((run, at, last))
        return Lumis(tuple(left))

    @property
    def runs(self) -> str:
        """The runs as a person reads them: `148029-148031, 148058`; `none`."""
        joined: list[tuple[int, int]] = []
        for run in sorted({run for run, _, _ in self.ranges}):
            if joined and run == joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], run)
            else:
                joined.append((run, run))
        return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in joined) or "none"

    def document(self) -> dict[str, list[list[int]]]:
        """The same as plain data: for each run the first and last section of every range."""
        found: dict[str, list[list[int]]] = {}
        for run, first, last in self.ranges:
            found.setdefault(str(run), []).append([first, last])
        return found


NONE = Lumis()


def read(found: Any) -> Lumis:
    """The set that `document` wrote, or that a mask of CMS's holds. Raises ValueError for anything else."""
    if not isinstance(found, Mapping):
        raise ValueError('is not of the form {"148029": [[1, 50], [60, 71]]}')
    ranges: list[Range] = []
    for run, pairs in found.items():
        if not (isinstance(run, str) and run.isascii() and run.isdecimal() and len(run) < 11):
            raise ValueError(f"has {str(run)[:40]!r} where the number of a run should be")
        if not isinstance(pairs, list) or len(ranges) + len(pairs) > MAX_RANGES:
            raise ValueError(f"has for run {run} no list of ranges, or more than {MAX_RANGES:,} in all")
        ranges.extend(_range(_number(int(run)), pair) for pair in pairs)
    return Lumis.of(ranges)


def parse(text: str) -> Lumis:
    """The mask in a JSON text. Raises ValueError where it is none."""
    try:
        return read(json.loads(text))
    except RecursionError:
        raise ValueError("is nested too deep") from None


def _range(run: int, pair: Any) -> Range:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"has for run {run} a range that is not [first, last]")
    first, last = _number(pair[0]), _number(pair[1])
    if first > last:
        raise ValueError(f"has for run {run} a range from {first} to {last}")
    return run, first, last


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_NUMBER:
        raise ValueError(f"has {str(value)[:40]!r} where a number from 1 to {MAX_NUMBER:,} should be")
    return value
