"""Getting many files into a folder, several at a time; what is there and right is not copied again."""

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from router.errors import RouterError, TemporaryError
from router.model.files import Located
from router.transfer.fetch import fetch, is_whole
from router.transfer.reading import MOUNTED, Reader

AT_ONCE = 4
"""Copies at one time: enough to hide the way to a storage, few enough not to be a load to it."""
MOST_TOLD = 5
"""Files that are named, of those that could not be copied."""


def collect(
    wanted: Sequence[Located], folder: Path, told: Callable[[int], None] = lambda _: None, reader: Reader = MOUNTED
) -> tuple[Path, ...]:
    """Copy files into `folder` under the last part of their names; `told` hears of bytes as they come.

    All that can be copied are, before TemporaryError names those that could not; a second call gets only these.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RouterError(f"{folder} cannot be made: {error.strerror}. Name another folder.") from None
    failed: list[str] = []

    def get(located: Located) -> Path:
        path = folder / located.file.lfn.rpartition("/")[2]
        if is_whole(path, located):
            told(located.file.size)
            return path
        try:
            return fetch(located, path, told, reader)
        except TemporaryError as error:
            failed.append(str(error))
            return path

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        paths = tuple(pool.map(get, wanted))
    if failed:
        more = f" and {len(failed) - MOST_TOLD} more" if len(failed) > MOST_TOLD else ""
        raise TemporaryError(
            f"{len(failed)} of {len(wanted)} file(s) could not be copied to {folder}; the same again gets these only: "
            f"{' '.join(sorted(failed)[:MOST_TOLD])}{more}"
        )
    return paths


def join(parts: Sequence[Path], merged: Path) -> Path:
    """Merge files here, as a merge job would. Raises RouterError where they cannot be."""
    from router.worker.merge_files import merge
    from router.worker.merging.parts import Part

    # The end of the name says how; the name that it gets in the end is never that of half a file.
    part = merged.with_name(f".{secrets.token_hex(8)}.{merged.name}")
    try:
        merge([Part(path.name, path) for path in parts], part)
        part.rename(merged)
    except Exception as error:  # what uproot raises for a damaged file has no common class
        words = str(error).replace(part.name, merged.name)
        raise RouterError(f"{merged.name} was not made: {words}. The jobs' own files are in {merged.parent}.") from None
    finally:
        part.unlink(missing_ok=True)
    return merged
