"""What of some work nobody was given yet."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from router.decide.split.piece import Pieces, part
from router.model.lumis import Lumis
from router.model.task import Piece


def missing(work: Sequence[Piece], given: Iterable[Piece]) -> Pieces:
    """The pieces of `work` that are in none of `given`: events, or luminosity sections where they say theirs."""
    taken: dict[str, list[Piece]] = {}
    for piece in given:
        taken.setdefault(piece.located.file.lfn, []).append(piece)
    return tuple(left for piece in work for left in _left(piece, taken.get(piece.located.file.lfn, [])))


def _left(piece: Piece, taken: Sequence[Piece]) -> Iterator[Piece]:
    if piece.lumis:
        rest = piece.lumis - Lumis.of(each for one in taken for each in one.lumis.ranges)
        if rest:
            yield part(piece, rest)
        return
    at, end = piece.first_event, piece.first_event + piece.events
    for one in sorted(taken, key=lambda one: one.first_event):
        if at < one.first_event:
            yield replace(piece, first_event=at, events=min(one.first_event, end) - at)
        at = max(at, one.first_event + one.events)
        if at >= end:
            return
    if at < end:
        yield replace(piece, first_event=at, events=end - at)
