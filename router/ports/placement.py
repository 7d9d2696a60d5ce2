"""What is remembered of copies of datasets that were made because jobs waited for them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from router.model.files import StorageElement
from router.model.placement import Expire, Holding, Replicate
from router.model.task import Inputs


class PlacedCopies(Protocol):
    """What people are told of them."""

    def placements(self, dataset: str = "") -> Sequence[Holding]:
        """All of them, or those of one dataset, with how far each is."""
        ...

    def placed_at(self, lfn: str) -> Mapping[str, Holding]:
        """The copies of a file that were made so, by storage element."""
        ...


class PlacementMemory(PlacedCopies, Protocol):
    """What the route loop looks up and remembers of them; the stage-out agent makes them."""

    def open_placement(self, wanted: Replicate, elements: Mapping[str, StorageElement], now: float) -> int:
        """Have a dataset copied to a storage element; returns how many files are to be copied.

        `elements` are those that can be read, by name.
        """
        ...

    def mend_sources(self, elements: Mapping[str, StorageElement], now: float) -> int:
        """Have files copied from elsewhere whose source cannot be read any more; returns how many had to change."""
        ...

    def note_used(self, used: Iterable[Holding], now: float) -> None:
        """Remember that jobs have these copies now."""
        ...

    def expire_placement(self, wanted: Expire, now: float) -> int:
        """Take a copy out of the catalogue, and have its bytes removed; returns of how many files."""
        ...

    def placed_mark(self) -> float:
        """When the last of these copies came or went, seconds since the epoch; 0: none ever did."""
        ...

    def dataset_places(self, wanted: Iterable[str]) -> Mapping[str, Inputs]:
        """How large datasets are, and how much of each lies where; unknown ones are left out."""
        ...
