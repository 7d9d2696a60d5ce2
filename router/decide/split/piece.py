"""What every rule of splitting is made of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from router.model.lumis import Lumis
from router.model.task import Piece

Pieces = tuple[Piece, ...]

Rule = Callable[[Sequence[Piece], int], Iterator[Pieces]]
"""Given pieces that lie at the same sites and how much a job gets: the pieces of each job, every piece once."""


def average(piece: Piece) -> int:
    """Events in a luminosity section of the piece's file, about."""
    return round(piece.events / len(piece.lumis))


def part(piece: Piece, lumis: Lumis) -> Piece:
    """Some of the luminosity sections of a piece."""
    return piece if lumis == piece.lumis else replace(piece, lumis=lumis, events=average(piece) * len(lumis))


def by_run(piece: Piece) -> tuple[int, str]:
    """The order in which luminosity sections are taken: of files by their lowest run."""
    return piece.lumis.ranges[0][0], piece.located.file.lfn
