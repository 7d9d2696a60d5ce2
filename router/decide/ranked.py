"""Verdicts on every site, ranked and put into words only when somebody reads them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar, overload

from router.model.action import Verdict

Key = TypeVar("Key", int, str)


class Ranked(Sequence[Verdict], Generic[Key]):
    """The verdicts on one shape: best first, the refused ones behind by name. A ruling knows a site by its `Key`."""

    __slots__ = ("_order",)

    def __init__(self) -> None:
        """Rank nothing yet."""
        self._order: Sequence[Key] | None = None

    @abstractmethod
    def _ranked(self) -> Sequence[Key]:
        """Every site in the order of its verdict."""

    @abstractmethod
    def _verdict(self, key: Key) -> Verdict:
        """The verdict on one site."""

    @abstractmethod
    def refusals(self) -> dict[str, int]:
        """How many sites each reason refuses, by its tag; no words are made."""

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | Sequence[Verdict]:
        """The verdict at a rank."""
        if self._order is None:
            self._order = self._ranked()
        if isinstance(index, slice):
            return tuple(self._verdict(key) for key in self._order[index])
        return self._verdict(self._order[index])

    def __eq__(self, other: object) -> bool:
        """Equal when all verdicts are."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """By the verdicts."""
        return hash(tuple(self))
