"""What every kind of storage can do: the seam between copying and the protocols."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from router.errors import RouterError
from router.model import names
from router.model.transfer import TransferCause, TransferError

BLOCK = 1 << 20

Facts = tuple[int, str]
"""Size in bytes, and adler32."""


class Endpoint(Protocol):
    """One storage element, asked by logical names; all methods raise TransferError.

    A file is written under a name of its own beside its final one (`part`), and gets the final name when it is whole
    and verified. So a reader never sees half a file, and a copy that was cut leaves nothing that is taken for one.
    """

    def read(self, lfn: str) -> Iterator[bytes]:
        """A file's bytes, block by block."""
        ...

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write a part of `size` bytes; missing directories are made. What reading `blocks` raises is passed on."""
        ...

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """Size and adler32 of what the storage holds, as read or computed there; None where there is no such file."""
        ...

    def publish(self, lfn: str, part: str) -> None:
        """Give a part the final name; a file that had it is replaced."""
        ...

    def remove(self, lfn: str, part: str = "") -> None:
        """Remove a file or a part; what is gone already is gone."""
        ...


def parts_of(lfn: str, part: str = "") -> tuple[str, ...]:
    """The directories and the name of a file or of its part. Raises RouterError for what is no logical name."""
    try:
        *folders, name = names.lfn(lfn)[1:].split("/")
    except ValueError as error:
        raise RouterError(f"A storage is asked for a name that is none: {error}") from None
    # Names in the catalogue do not begin with a dot, so a part is never taken for a file.
    return (*folders, f".{name}.part-{part}" if part else name)


def missing(lfn: str) -> TransferError:
    """The source has not what it should have."""
    return TransferError(TransferCause.SOURCE_MISSING, f"{lfn} is not there")


def checked(blocks: Iterable[bytes]) -> Facts:
    """Size and adler32 of bytes."""
    size, checksum = 0, 1
    for block in blocks:
        size, checksum = size + len(block), zlib.adler32(block, checksum)
    return size, f"{checksum:08x}"
