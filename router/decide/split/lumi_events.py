"""Whole luminosity sections with about so many events a job: CRAB's EventAwareLumiBased."""

from collections.abc import Iterator, Sequence

from router.decide.split.piece import Pieces, average
from router.decide.split.sections import Filling, fill
from router.model.task import Piece


def by_lumi_events(pieces: Sequence[Piece], target: int) -> Iterator[Pieces]:
    """As many sections as have `target` events by the average of their file, at least one."""

    def room(job: Filling, piece: Piece) -> int:
        each = average(piece)
        if not each:
            return len(piece.lumis)
        allowed = max(target - job.events, 0) // each
        return allowed if job.sections else max(allowed, 1)

    return fill(pieces, room)
