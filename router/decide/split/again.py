"""How the work of one job is cut into smaller ones."""

from collections.abc import Sequence

from router.model.payload import Split
from router.model.task import Piece


def smaller(pieces: Sequence[Piece], into: int) -> Split:
    """A split that makes about `into` jobs of what one read, in the finest unit that is known."""
    if sections := {section for piece in pieces for section in piece.lumis}:
        return Split("lumis", -(-len(sections) // into))
    if pieces and all(piece.events for piece in pieces):
        return Split("events", -(-sum(piece.events for piece in pieces) // into))
    return Split("files", max(-(-len({piece.located.file.lfn for piece in pieces}) // into), 1))
