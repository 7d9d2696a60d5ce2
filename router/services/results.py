"""A task's outputs copied to a folder, and joined there where that is wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from router.errors import RouterError
from router.services.collecting import Outputs
from router.transfer.collect import collect, join
from router.transfer.reading import Reader

Bar = Callable[[int, int], None]
"""Is told how many bytes more have come, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What of a task is in a folder now."""

    task: str
    files: tuple[Path, ...]
    merged: bool
    """Whether merge jobs made all of them."""
    joined: tuple[Path, ...] = ()
    """What was joined here of `files`."""
    missing: int = 0
    """Jobs that have not left their outputs."""


def collected(
    found: Outputs, folder: Path | None, reader: Reader, merge: bool = False, bar: Bar = lambda _, __: None
) -> Collected:
    """Copy outputs to `folder`, by default below the task's directory; `merge` joins those of jobs.

    Raises TemporaryError, naming the files, where some cannot be copied, and RouterError where they cannot be joined.
    """
    target = folder or Path(found.task.directory) / "results"
    total = sum(each.file.size for each in found.files)
    files = collect(found.files, target, lambda more: bar(more, total), reader)
    joined = []
    for left in found.left if merge else ():
        if left.files and not left.merged:
            if command := next(each.command for each in found.task.payload.outputs if each.name == left.output):
                raise RouterError(f"{left.output} is joined by your program {command}, which only merge jobs run. "
                                  f"The jobs' own files are in {target}.")  # fmt: skip
            parts = [target / each.file.lfn.rpartition("/")[2] for each in left.files]
            joined.append(join(parts, target / left.joined))
    return Collected(found.task.id, files, found.merged, tuple(joined), found.missing)
