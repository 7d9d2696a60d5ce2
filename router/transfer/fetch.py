"""Getting a catalogued file: the first replica whose bytes are right."""

import os
import secrets
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

from router.errors import RouterError, TemporaryError
from router.model.files import Located, Replica
from router.transfer.reading import MOUNTED, Reader

BLOCK = 1 << 20


def fetch(
    located: Located, target: Path, told: Callable[[int], None] = lambda _: None, reader: Reader = MOUNTED
) -> Path:
    """Copy a file to `target` and check its size and checksum; replicas are tried in order.

    `told` hears how many bytes have come, block by block; what a copy that was given up gave is taken back.
    Raises TemporaryError, with what each replica answered, where none gave the file.
    """
    failed = []
    for replica in located.replicas:
        try:
            _copy(reader, replica, target, located, told)
            return target
        except (OSError, ValueError, RouterError) as error:
            failed.append(f"{replica.se}: {error}")
    raise TemporaryError(f"{located.file.lfn} cannot be read: {'; '.join(failed) or 'it has no copy'}.")


def is_whole(path: Path, located: Located) -> bool:
    """Whether `path` is an ordinary file with the size and checksum of a catalogued one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode) or known.st_size != located.file.size:
            return False
        checksum = 1
        while block := file.read(BLOCK):
            checksum = zlib.adler32(block, checksum)
    return f"{checksum:08x}" == located.file.adler32


def _copy(reader: Reader, replica: Replica, target: Path, located: Located, told: Callable[[int], None]) -> None:
    # Nobody can put a link there before: the name cannot be guessed, and what exists is not opened.
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    checksum, size = 1, 0
    try:
        with part.open("xb") as copy:
            for block in reader.blocks(located.file.lfn, replica):
                if size + len(block) > located.file.size:  # what never ends does not fill the disk
                    raise RouterError(f"it is longer than the {located.file.size} bytes of the catalogue")
                checksum, size = zlib.adler32(block, checksum), size + len(block)
                copy.write(block)
                told(len(block))
        if (size, f"{checksum:08x}") != (located.file.size, located.file.adler32):
            raise RouterError(f"{size} bytes with adler32 {checksum:08x} instead of {located.file.size} and "
                              f"{located.file.adler32}")  # fmt: skip
        part.rename(target)
    except BaseException:
        told(-size)
        raise
    finally:
        part.unlink(missing_ok=True)
