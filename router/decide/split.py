"""Cutting a dataset into jobs, and jobs into batches of one set of locations."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from router.errors import UserError
from router.model.files import Dataset, Located
from router.model.payload import Payload
from router.model.task import Batch, Chunk, Piece

MAX_JOBS = 10_000
"""HTCondor takes 20,000 jobs a cluster by default; more jobs than this ask for a larger target."""

Pieces = tuple[Piece, ...]


def batches(payload: Payload, dataset: Dataset | None) -> tuple[Batch, ...]:
    """The batches of a payload, in a fixed order. A job never mixes files of different location sets.

    The rule is CRAB's: files are grouped by their exact set of locations before anything is cut. Raises UserError
    for a dataset that is empty, whose files say no events where the split needs them, or that gives too many jobs.
    """
    if dataset is None:
        return (Batch("b0", tuple(Chunk(_job(i)) for i in range(payload.jobs))),)
    if not dataset.files:
        raise UserError(
            f"The dataset {dataset.name} is empty. `glideroute dataset show {dataset.name}` lists its files."
        )
    cut = _by_events if payload.split.by == "events" else _by_files
    _check(payload, dataset)
    found: list[Batch] = []
    done = 0
    for number, (sites, files) in enumerate(_by_location(dataset.files)):
        pieces = list(cut(files, payload.split.target))
        chunks = tuple(Chunk(_job(done + i), each) for i, each in enumerate(pieces))
        done += len(chunks)
        found.append(Batch(f"b{number}", chunks, sites))
    if done > MAX_JOBS:
        raise UserError(
            f"This makes {done:,} jobs; a task has at most {MAX_JOBS:,}. "
            f"Raise split.target: now {payload.split.target:,} {payload.split.by} a job."
        )
    return tuple(found)


def _job(number: int) -> str:
    return f"{number:04d}"


def _check(payload: Payload, dataset: Dataset) -> None:
    if lost := [located.file.lfn for located in dataset.files if not located.replicas]:
        raise UserError(f"{len(lost)} file(s) of {dataset.name} have no copy anywhere, the first is {lost[0]}.")
    unknown = [located.file.lfn for located in dataset.files if not located.file.events]
    if payload.split.by == "events" and unknown:
        raise UserError(
            f"split by events needs the number of events of every file; {len(unknown)} file(s) of {dataset.name} "
            f"do not say it, the first is {unknown[0]}. Split by files instead."
        )


def _by_location(files: Iterable[Located]) -> Iterator[tuple[frozenset[str], list[Located]]]:
    def place(located: Located) -> tuple[str, ...]:
        return tuple(sorted(located.sites))

    ordered = sorted(files, key=lambda located: (place(located), located.file.lfn))
    for sites, group in groupby(ordered, key=place):
        yield frozenset(sites), list(group)


def _by_files(files: list[Located], target: int) -> Iterator[Pieces]:
    for start in range(0, len(files), target):
        yield tuple(Piece(located, 0, located.file.events) for located in files[start : start + target])


def _by_events(files: list[Located], target: int) -> Iterator[Pieces]:
    """Exactly `target` events a job except the last; a job goes on into the next file."""
    pieces: list[Piece] = []
    room = target
    for located in files:
        first = 0
        while first < located.file.events:
            taken = min(room, located.file.events - first)
            pieces.append(Piece(located, first, taken))
            first, room = first + taken, room - taken
            if room == 0:
                yield tuple(pieces)
                pieces, room = [], target
    if pieces:
        yield tuple(pieces)
