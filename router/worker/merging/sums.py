"""What adds up the objects of one key in ROOT files, and the file that the sums are written to."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from router.worker.merging.parts import MergeError

HISTOGRAM = re.compile(r"TH([123])[CSIFD]|TProfile([23]D)?")


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


def entries_of(found: Any) -> float:
    """How many entries an object holds: ROOT's own count of fills where it is a histogram."""
    return float(found.member("fEntries") if HISTOGRAM.fullmatch(found.classname) else found.num_entries)


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
