"""So many whole files a job."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from router.decide.split.piece import Pieces
from router.model.task import Piece


def by_files(pieces: Sequence[Piece], target: int) -> Iterator[Pieces]:
    """`target` files a job, in the order given."""
    files = [tuple(of) for _, of in groupby(pieces, key=lambda piece: piece.located.file.lfn)]
    for start in range(0, len(files), target):
        yield tuple(piece for of in files[start : start + target] for piece in of)
