"""Whole blocks a job; a block is the files of one directory that lie at the same sites."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from router.decide.split.piece import Pieces
from router.model.task import Piece


def block(piece: Piece) -> str:
    """The directory of a piece's file."""
    return piece.located.file.lfn.rpartition("/")[0]


def by_blocks(pieces: Sequence[Piece], target: int) -> Iterator[Pieces]:
    """`target` blocks a job, by the names of their directories."""
    blocks = [tuple(of) for _, of in groupby(sorted(pieces, key=block), key=block)]
    for start in range(0, len(blocks), target):
        yield tuple(piece for of in blocks[start : start + target] for piece in of)
