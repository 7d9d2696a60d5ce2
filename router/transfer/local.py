"""Storage that is mounted here: files below a directory. No symbolic link below it is followed (attack case A42)."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from router.model.transfer import TransferCause, TransferError
from router.transfer.endpoint import BLOCK, Facts, checked, missing, parts_of

CAUSES = {
    errno.ENOSPC: TransferCause.QUOTA,
    errno.EDQUOT: TransferCause.QUOTA,
    errno.EFBIG: TransferCause.QUOTA,
    errno.EACCES: TransferCause.PERMISSION,
    errno.EPERM: TransferCause.PERMISSION,
    errno.EROFS: TransferCause.PERMISSION,
    errno.ETIMEDOUT: TransferCause.TIME_OUT,
    errno.ESTALE: TransferCause.DOWN,
    errno.EIO: TransferCause.DOWN,
    errno.ENOTCONN: TransferCause.DOWN,
    errno.EHOSTDOWN: TransferCause.DOWN,
}


class LocalEndpoint:
    """A directory as a storage element."""

    def __init__(self, root: Path) -> None:
        """Keep files below `root`."""
        self._root = root

    def read(self, lfn: str) -> Iterator[bytes]:
        """A file's bytes, block by block."""
        with _told(lfn), self._opened(parts_of(lfn)) as source:
            while block := os.read(source, BLOCK):
                yield block

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write a part, and see it on the disk."""
        where = parts_of(lfn, part)
        with self._directory(lfn, where[:-1], make=True) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with _told(lfn):
                target = os.open(where[-1], flags, 0o644, dir_fd=folder)
            with os.fdopen(target, "wb", buffering=0) as file:
                for block in blocks:
                    with _told(lfn):
                        _write_all(file.fileno(), block)
                with _told(lfn):
                    os.fsync(file.fileno())

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """Size and adler32, read anew; None where there is no such file."""
        with _told(lfn):
            try:
                with self._opened(parts_of(lfn, part)) as source:
                    return checked(iter(lambda: os.read(source, BLOCK), b""))
            except FileNotFoundError:
                return None

    def publish(self, lfn: str, part: str) -> None:
        """Give a part the final name, and see that on the disk."""
        where = parts_of(lfn, part)
        with self._directory(lfn, where[:-1]) as folder, _told(lfn):
            os.replace(where[-1], parts_of(lfn)[-1], src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def remove(self, lfn: str, part: str = "") -> None:
        """Remove a file or a part; what is gone already is gone."""
        where = parts_of(lfn, part)
        with suppress(FileNotFoundError), self._directory(lfn, where[:-1]) as folder, _told(lfn, FileNotFoundError):
            os.unlink(where[-1], dir_fd=folder)

    @contextmanager
    def _opened(self, where: tuple[str, ...]) -> Iterator[int]:
        """A regular file, open for reading."""
        with self._below(where[:-1]) as folder:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            found = os.open(where[-1], flags, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise OSError(errno.EPERM, "it is no regular file")
            yield found
        finally:
            os.close(found)

    @contextmanager
    def _directory(self, lfn: str, folders: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
        """A directory below the root, with its own errors told."""
        with _told(lfn, FileNotFoundError):
            found = self._reached(folders, make)
        try:
            yield found
        finally:
            os.close(found)

    @contextmanager
    def _below(self, folders: tuple[str, ...]) -> Iterator[int]:
        found = self._reached(folders, make=False)
        try:
            yield found
        finally:
            os.close(found)

    def _reached(self, folders: tuple[str, ...], make: bool) -> int:
        """A directory, opened step by step: a symbolic link on the way is refused."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            here = os.open(self._root, flags)
        except FileNotFoundError:
            raise TransferError(TransferCause.DOWN, f"the storage {self._root} is not there") from None
        try:
            for name in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=here)
                below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
        except BaseException:
            os.close(here)
            raise
        return here


@contextmanager
def _told(lfn: str, *passed: type[OSError]) -> Iterator[None]:
    """Turn the system's errors into causes, but for those that are `passed` on."""
    try:
        yield
    except TransferError:
        raise
    except FileNotFoundError:
        if FileNotFoundError in passed:
            raise
        raise missing(lfn) from None
    except OSError as error:
        number = errno.EPERM if error.errno in (errno.ELOOP, errno.ENOTDIR) else error.errno or 0
        words = "a symbolic link is in the way" if error.errno in (errno.ELOOP, errno.ENOTDIR) else error.strerror
        raise TransferError(CAUSES.get(number, TransferCause.OTHER), f"{lfn}: {words or error}") from None


def _write_all(target: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(target, view) :]
