"""Whole files up to so many bytes a job."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from router.decide.split.piece import Pieces
from router.model.task import Piece


def by_size(pieces: Sequence[Piece], target: int) -> Iterator[Pieces]:
    """Files in the order given, as long as a job has not over `target` bytes; a larger file is a job alone."""
    job: list[Piece] = []
    room = target
    for file, of in groupby(pieces, key=lambda piece: piece.located.file):
        if job and file.size > room:
            yield tuple(job)
            job, room = [], target
        job.extend(of)
        room -= file.size
    if job:
        yield tuple(job)
