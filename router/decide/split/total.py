"""Only the first so much of what there is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from router.decide.split.blocks import block
from router.decide.split.piece import Pieces, average, by_run, part
from router.errors import UserError
from router.model.lumis import Lumis
from router.model.payload import AUTO, Split
from router.model.task import Piece


def first_of(split: Split, pieces: Pieces) -> Pieces:
    """The first `split.total` units of `pieces`, in the order of names, or of runs where sections are counted.

    A total below 1 is a fraction of what there is, rounded as CRAB does: half a unit up. Raises UserError where
    nothing is left.
    """
    if not split.total:
        return pieces
    by = "lumi-events" if split.by == AUTO and pieces[0].lumis else split.by
    available, take = _COUNTED.get(by, _COUNTED["events"])
    there = available(pieces)
    found = take(pieces, int(split.total * there + 0.5) if split.total < 1 else int(split.total))
    if not found:
        raise UserError(f"split.total: {split.total:g} leaves nothing of the {there:,} that there are: no job results.")
    return found


def _named(pieces: Iterable[Piece]) -> list[Piece]:
    return sorted(pieces, key=lambda piece: (piece.located.file.lfn, piece.first_event))


def _files(pieces: Pieces, total: int) -> Pieces:
    return tuple(_named(pieces)[:total])


def _blocks(pieces: Pieces, total: int) -> Pieces:
    kept = set(sorted({block(piece) for piece in pieces})[:total])
    return tuple(piece for piece in _named(pieces) if block(piece) in kept)


def _bytes(pieces: Pieces, total: int) -> Pieces:
    found: list[Piece] = []
    for piece in _named(pieces):
        if total <= 0:
            break
        found.append(piece)
        total -= piece.located.file.size
    return tuple(found)


def _events(pieces: Pieces, total: int) -> Pieces:
    found: list[Piece] = []
    for piece in _named(pieces):
        if taken := min(piece.events, total):
            found.append(replace(piece, events=taken))
            total -= taken
    return tuple(found)


def _sections(pieces: Pieces, total: int, weight: Callable[[Piece], int]) -> Pieces:
    """Sections until their weights reach `total`; of those that were taken, the parts in all files."""
    taken: set[tuple[int, int]] = set()
    found: list[Piece] = []
    for piece in sorted(pieces, key=by_run):
        kept = []
        for section in piece.lumis:
            if section not in taken:
                if total <= 0:
                    continue
                taken.add(section)
                total -= weight(piece)
            kept.append(section)
        if kept:
            found.append(part(piece, Lumis.sections(kept)))
    return tuple(found)


def _distinct(pieces: Sequence[Piece]) -> int:
    return len(Lumis.of(each for piece in pieces for each in piece.lumis.ranges))


_COUNTED: dict[str, tuple[Callable[[Pieces], int], Callable[[Pieces, int], Pieces]]] = {
    "files": (len, _files),
    "blocks": (lambda pieces: len({block(piece) for piece in pieces}), _blocks),
    "size": (lambda pieces: sum(piece.located.file.size for piece in pieces), _bytes),
    "events": (lambda pieces: sum(piece.events for piece in pieces), _events),
    "lumis": (_distinct, lambda pieces, total: _sections(pieces, total, lambda _: 1)),
    "lumi-events": (
        lambda pieces: sum(piece.events for piece in pieces),
        lambda pieces, total: _sections(pieces, total, average),
    ),
}
"""By what a split counts: how much there is, and the first so much of it."""
