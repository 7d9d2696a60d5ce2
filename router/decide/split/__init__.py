"""Cutting what a task reads into jobs, and jobs into batches of one set of locations.

One rule a file; a rule is given pieces of files that lie at the same sites, and gives those of each job.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from router.decide.split.blocks import by_blocks
from router.decide.split.events import by_events
from router.decide.split.files import by_files
from router.decide.split.lumi_events import by_lumi_events
from router.decide.split.lumis import by_lumis
from router.decide.split.offer import offered
from router.decide.split.piece import Pieces, Rule
from router.decide.split.probes import probes
from router.decide.split.size import by_size
from router.decide.split.total import first_of
from router.errors import UserError
from router.model.files import Dataset
from router.model.lumis import Lumis
from router.model.payload import AUTO, Payload, Split
from router.model.sweep import Point
from router.model.task import Batch, Chunk, Piece

MAX_JOBS = 10_000
"""HTCondor takes 20,000 jobs a cluster by default; more jobs than this ask for a larger target."""

RULES: Mapping[str, Rule] = {
    "files": by_files,
    "events": by_events,
    "size": by_size,
    "blocks": by_blocks,
    "lumis": by_lumis,
    "lumi-events": by_lumi_events,
}
UNITS = {"size": "bytes", "lumi-events": "events"}
"""What a target counts where that is not what the rule is called."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """How new batches and jobs are called, so that none is called as one that is there."""

    batch: str = "b"
    first_batch: int = 0
    first_job: int = 0


@dataclass(frozen=True, slots=True)
class Sections:
    """The luminosity sections of files, as far as they are known, and those that are wanted."""

    of_files: Mapping[str, Lumis] = field(default_factory=dict)
    mask: Lumis | None = None
    """None: all."""


def batches(payload: Payload, dataset: Dataset | None, sections: Sections | None = None) -> tuple[Batch, ...]:
    """The batches of a payload, in a fixed order. A job never mixes files of different location sets.

    The rule is CRAB's: files are grouped by their exact set of locations before anything is cut. Raises UserError
    for a dataset that is empty or says too little of its files, and for a split that gives no jobs or too many.
    """
    points = payload.sweep.points
    if dataset is None:
        _refuse_many(payload.jobs * len(points), "Sweep over less, or lower `jobs`.")
        return (Batch("b0", _chunks(points, [()] * payload.jobs, 0)),)
    pieces = work(payload, dataset, sections)
    if payload.split.by == AUTO:
        return cut(Split("files"), probes(pieces), Numbering("p"))
    return cut(payload.split, pieces, points=points)


def work(payload: Payload, dataset: Dataset, sections: Sections | None = None) -> Pieces:
    """All that the jobs of a payload read together. Raises UserError where that is nothing, or cannot be told."""
    known = sections or Sections()
    return first_of(payload.split, offered(payload, dataset, known.of_files, known.mask))


def cut(
    split: Split, pieces: Iterable[Piece], numbering: Numbering = Numbering(), points: Sequence[Point] = ((),)
) -> tuple[Batch, ...]:
    """Batches of the jobs that `pieces` are cut into, once for each point of a sweep.

    Raises UserError where there would be too many.
    """
    rule = RULES[split.by]
    found: list[Batch] = []
    done = 0
    for sites, group in groupby(sorted(pieces, key=_order), key=_place):
        jobs: list[Pieces] = list(rule(list(group), split.target))
        chunks = _chunks(points, jobs, numbering.first_job + done)
        done += len(chunks)
        key = f"{numbering.batch}{numbering.first_batch + len(found)}"
        found.append(Batch(key, chunks, frozenset(sites)))
        _refuse_many(done, f"Raise split.target: now {split.target:,} {UNITS.get(split.by, split.by)} a job.")
    return tuple(found)


def _refuse_many(jobs: int, remedy: str) -> None:
    if jobs > MAX_JOBS:
        raise UserError(f"This makes {jobs:,} jobs or more; a task has at most {MAX_JOBS:,}. {remedy}")


def _chunks(points: Sequence[Point], jobs: Sequence[Pieces], first: int) -> tuple[Chunk, ...]:
    every = ((pieces, point) for point in points for pieces in jobs)
    return tuple(Chunk(f"{number:04d}", pieces, point) for number, (pieces, point) in enumerate(every, first))


def _place(piece: Piece) -> tuple[str, ...]:
    return tuple(sorted(piece.located.sites))


def _order(piece: Piece) -> tuple[tuple[str, ...], str, int]:
    return _place(piece), piece.located.file.lfn, piece.first_event
