"""ROOT's trees and RNTuples, put one after the other."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from router.worker.merging.parts import MergeError
from router.worker.merging.sums import Sum, Target

CHUNK_BYTES = 4 * 1000**2
"""Of a tree's entries that are read at once, and about what is written at once."""


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
