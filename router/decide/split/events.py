"""So many events a job, whatever the files' limits."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from router.decide.split.piece import Pieces
from router.model.task import Piece


def by_events(pieces: Sequence[Piece], target: int) -> Iterator[Pieces]:
    """Exactly `target` events a job except the last; a job goes on into the next file."""
    job: list[Piece] = []
    room = target
    for piece in pieces:
        first, end = piece.first_event, piece.first_event + piece.events
        while first < end:
            taken = min(room, end - first)
            job.append(replace(piece, first_event=first, events=taken))
            first, room = first + taken, room - taken
            if room == 0:
                yield tuple(job)
                job, room = [], target
    if job:
        yield tuple(job)
