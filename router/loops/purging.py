"""Removing the copies of files that were removed long ago, where the settings say after how long.

The catalogue gives them up first, in one transaction; from then on their bytes are removed with those of joined parts
(`loops/parts.py`), which goes on until they are gone. Only what lies where the settings put its name is removed.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from router.model.entry import Purgeable
from router.model.files import StorageElement
from router.ports import Clock, PurgeMemory

log = logging.getLogger(__name__)

PER_PASS = 1_000
"""Files that one look takes."""
AGAIN_S = 600.0
"""Seconds between two looks: what is about to be removed is compared with all copies there are."""
BEGINNING = (0.0, "")


@dataclass
class Purge:
    """What removes them."""

    memory: PurgeMemory
    elements: Mapping[str, StorageElement]
    keep_s: float
    """How long removed files can be restored, in seconds; 0: for ever."""
    clock: Clock
    _after: tuple[float, str] = BEGINNING
    _due: float = 0.0

    def step(self) -> int:
        """Do one pass; returns of how many files the copies go."""
        now = self.clock.now()
        if not self.keep_s or now < self._due:
            return 0
        self._due = now + AGAIN_S
        when = now - self.keep_s
        found = self.memory.removed_before(when, self._after, PER_PASS)
        # What may not go yet is come back to after all others.
        self._after = (found[-1].removed, found[-1].guid) if len(found) == PER_PASS else BEGINNING
        wanted = [each for each in found if self._ours(each)]
        gone = self.memory.purge(wanted, when, now) if wanted else ()
        if found:
            log.info("copies of %d of %d file(s) that were removed long ago go", len(gone), len(found))
        return len(gone)

    def _ours(self, file: Purgeable) -> bool:
        """Whether every copy lies where its name says, so that nobody else's bytes are removed."""
        return not file.shared and all(
            copy.se in self.elements and self.elements[copy.se].pfn(file.lfn) == copy.pfn for copy in file.copies
        )
