"""The files that are merged, and what is wrong with one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
