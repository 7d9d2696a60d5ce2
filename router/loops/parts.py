"""Removing the parts that a merged file holds, where their owner does not want them kept.

In this order: the merged file's bytes are read and are those of the catalogue; the catalogue forgets the parts, in one
transaction that also notes what is to be removed; the bytes go. Cut anywhere, the next pass goes on; no name in the
catalogue ever stands for bytes that are gone.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from router.model.files import Located, StorageElement
from router.model.merging import PartCopy
from router.model.transfer import TransferError
from router.ports import Clock, PartMemory, PartStorage

log = logging.getLogger(__name__)

PER_PASS = 200
"""Copies whose bytes one pass removes, at most."""
AGAIN_S = 600.0
"""A merged file that was not as it should be is looked at again after so many seconds."""


@dataclass
class Parts:
    """What removes parts that are joined."""

    memory: PartMemory
    storage: PartStorage
    elements: Mapping[str, StorageElement]
    clock: Clock
    _doubtful: dict[str, float] = field(default_factory=dict)
    """When each merged file that was not as it should be is looked at again."""

    def step(self) -> int:
        """Do one pass; returns how many copies were removed."""
        for merged in self.memory.merged_with_parts():
            if self._doubtful.get(merged.file.lfn, 0.0) <= self.clock.now():
                self._retire(merged)
        return self._remove()

    def _retire(self, merged: Located) -> None:
        parts = [each for each in self.memory.parts_joined(merged.file.lfn) if self._reachable(each)]
        if not parts:
            return
        if why := self._wrong(merged):
            log.warning("the parts of %s stay: %s", merged.file.lfn, why)
            self._doubtful[merged.file.lfn] = self.clock.now() + AGAIN_S
            return
        count = self.memory.retire_parts(merged.file, parts, self.clock.now())
        log.info("%d part(s) of %s leave the catalogue", count, merged.file.lfn)

    def _reachable(self, part: Located) -> bool:
        """Whether every copy lies where its name says, so that what is removed is what the catalogue knew."""
        return bool(part.replicas) and all(
            replica.se in self.elements and self.elements[replica.se].pfn(part.file.lfn) == replica.pfn
            for replica in part.replicas
        )

    def _wrong(self, merged: Located) -> str:
        """Why the merged file cannot be relied on; empty where a copy has the right bytes."""
        faults = []
        for replica in merged.replicas:
            try:
                if replica.se in self.elements and self.storage.holds(merged.file, replica.se):
                    return ""
                faults.append(f"{replica.se} has not the bytes that the catalogue says")
            except TransferError as error:
                faults.append(f"{replica.se}: {error}")
        return "; ".join(faults) or "it has no copy"

    def _remove(self) -> int:
        gone: list[PartCopy] = []
        for copy in self.memory.retired(PER_PASS):
            try:
                self.storage.remove(copy)
            except TransferError as error:
                log.warning("%s stays at %s: %s", copy.lfn, copy.se, error)
                continue
            gone.append(copy)
        if gone:
            self.memory.removed(gone)
        return len(gone)
