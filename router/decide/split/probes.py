"""A little of the work, to measure what the rest will take."""

from collections.abc import Sequence

from router.decide.split.piece import Pieces, average, part
from router.model.lumis import Lumis
from router.model.task import Piece

COUNT = 5
"""As CRAB has."""
SHARE = 0.01
"""Of all events that the probes read together, at most."""
MOST_EVENTS = 5_000
"""Of one probe: some minutes of most analyses."""


def probes(work: Sequence[Piece]) -> Pieces:
    """The beginning of files that are spread evenly over the work, one for each probe; at least an event of each."""
    full = sorted((piece for piece in work if piece.events), key=lambda p: (p.located.file.lfn, p.first_event))
    each = max(1, min(MOST_EVENTS, int(sum(piece.events for piece in full) * SHARE / COUNT)))
    count = min(COUNT, len(full))
    return tuple(_beginning(full[number * len(full) // count], each) for number in range(count))


def _beginning(piece: Piece, events: int) -> Piece:
    if not piece.lumis:
        return Piece(piece.located, piece.first_event, min(events, piece.events))
    sections = max(1, events // max(average(piece), 1))
    return part(piece, Lumis.sections(list(piece.lumis)[:sections]))
