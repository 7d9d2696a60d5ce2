"""So many luminosity sections a job: CRAB's LumiBased."""

from collections.abc import Iterator, Sequence

from router.decide.split.piece import Pieces
from router.decide.split.sections import fill
from router.model.task import Piece


def by_lumis(pieces: Sequence[Piece], target: int) -> Iterator[Pieces]:
    """Exactly `target` sections a job except the last, over the limits of runs and files."""
    return fill(pieces, lambda job, _: target - job.sections)
