"""Putting a file onto a storage element that this machine mounts: its bytes are read back before it has its name."""

import os
import secrets
import zlib
from pathlib import Path
from urllib.parse import unquote

from router.errors import RouterError, UserError
from router.model.files import File, Replica, StorageElement

BLOCK = 1 << 20


def measured(path: Path, lfn: str, events: int = 0) -> File:
    """A file of this machine as the catalogue knows it. Raises UserError where it cannot be read."""
    try:
        size, checksum = _sum(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    return File(lfn, size, checksum, events)


def replica_at(element: StorageElement, lfn: str) -> Replica:
    """Where a copy would lie. Raises UserError for a storage element that this machine does not mount."""
    if not element.prefix.startswith("file:///"):
        raise UserError(f"{element.name} is at {element.prefix}: `put` writes to storage elements of file:// only.")
    return Replica(element.name, element.site, element.pfn(lfn))


def put(path: Path, file: File, replica: Replica) -> None:
    """Copy `path` to where the replica is to lie, and check its size and checksum there.

    A file that is there already is kept if it is the same. Raises UserError where another is there, or `path` changes
    meanwhile, RouterError where it cannot be written.
    """
    target = Path(unquote(replica.pfn.removeprefix("file://")))
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(8)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, part.open("xb") as copy:
            while block := source.read(BLOCK):
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
        if _sum(part) != (file.size, file.adler32):
            raise UserError(f"{path} has changed while it was copied. Put it again when it is whole.")
        _name(part, target, file)
    except OSError as error:
        raise RouterError(f"{replica.pfn} cannot be written: {error.strerror or error}.") from None
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, target: Path, file: File) -> None:
    try:
        os.link(part, target, follow_symlinks=False)  # unlike a rename never takes the place of another
    except FileExistsError:
        if target.is_symlink() or _sum(target) != (file.size, file.adler32):
            raise UserError(
                f"{target} holds something else, perhaps of a file that was removed from the catalogue. Choose "
                "another name, or let whoever keeps the storage look at it."
            ) from None


def _sum(path: Path) -> tuple[int, str]:
    checksum, size = 1, 0
    with path.open("rb") as opened:
        while block := opened.read(BLOCK):
            checksum, size = zlib.adler32(block, checksum), size + len(block)
    return size, f"{checksum:08x}"
