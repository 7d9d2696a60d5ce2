"""Filling jobs with luminosity sections, one after the other.

The order, and what becomes of a section that lies in several files, are those of CRAB's rules:
https://github.com/dmwm/WMCore/tree/master/src/python/WMCore/JobSplitting
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from router.decide.split.piece import Pieces, average, by_run, part
from router.model.lumis import Lumis
from router.model.task import Piece


@dataclass
class Filling:
    """A job that is being filled."""

    sections: int = 0
    events: int = 0
    """About."""
    taken: dict[str, tuple[Piece, list[tuple[int, int]]]] = field(default_factory=dict)
    """The sections of each file."""

    def add(self, piece: Piece, section: tuple[int, int]) -> None:
        """Take a section of a file."""
        self.taken.setdefault(piece.located.file.lfn, (piece, []))[1].append(section)

    def pieces(self) -> Pieces:
        """What the job reads."""
        return tuple(part(piece, Lumis.sections(found)) for piece, found in self.taken.values())


Room = Callable[[Filling, Piece], int]
"""How many sections of a file a job takes yet; at least one where the job is empty."""


def fill(pieces: Sequence[Piece], room: Room) -> Iterator[Pieces]:
    """Jobs that take section after section, of files by their lowest run, as long as there is room.

    A section in several files goes whole to the job that took it first.
    """
    jobs: list[Filling] = []
    owner: dict[tuple[int, int], Filling] = {}
    for piece in sorted(pieces, key=by_run):
        left = room(jobs[-1], piece) if jobs else 0
        for section in piece.lumis:
            if first := owner.get(section):
                first.add(piece, section)
                continue
            if left == 0:
                jobs.append(Filling())
                left = room(jobs[-1], piece)
            job = owner[section] = jobs[-1]
            job.add(piece, section)
            job.sections += 1
            job.events += average(piece)
            left -= 1
    return (job.pieces() for job in jobs)
