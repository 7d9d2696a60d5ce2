"""A task's directory on the access point: a snapshot of the code, descriptions of the jobs, logs, and reports."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from router.errors import RouterError, TemporaryError, UserError
from router.model import names
from router.model.payload import DIGEST
from router.model.report import MAX_BYTES
from router.packages.bundle import BUNDLES
from router.packages.zipapps import zip_application

MAX_PART_BYTES = 100_000_000
"""Of a description that is read: ours have 200 kB, unless one job reads very many files."""


class TaskDirectory:
    """The files of one task."""

    def __init__(self, path: Path) -> None:
        """The directory at `path`."""
        self.path = path

    def make(self, payload_text: str, code: Mapping[str, Path], worker: tuple[str, ...]) -> None:
        """Make it with the payload, copies of `code` and the zip applications `worker`; what is there is written again.

        Raises UserError where a file of the user's is missing, RouterError where the directory cannot be written.
        """
        missing = sorted(str(path) for path in code.values() if not path.is_file())
        if missing:
            raise UserError(f"Not found: {', '.join(missing)}. Files are looked for beside the payload document.")
        try:
            for part in ("code", "jobs", "logs", "reports", "results"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
            (self.path / "payload.yaml").write_text(payload_text)
            for name, path in code.items():
                _copy(path, self.path / "code" / name)
            for name in worker:
                _write(self.path / "code" / name, zip_application(name))
        except OSError as error:
            raise RouterError(f"The task's directory {self.path} cannot be written: {error.strerror}.") from None

    def describe(self, parts: Mapping[str, str]) -> None:
        """Write descriptions of jobs, by the name of the part that holds them."""
        try:
            for name, text in parts.items():
                (self.path / "jobs" / f"{name}.json").write_text(text)
        except OSError as error:
            raise RouterError(f"The task's directory {self.path} cannot be written: {error.strerror}.") from None

    def parts(self, batch: str) -> Iterator[str]:
        """The descriptions of a batch's jobs, and of those of it that were made again, part by part."""
        for path in sorted((self.path / "jobs").glob(f"{names.name(batch)}-*.json")):
            if text := self._read(path.parent, path.name, MAX_PART_BYTES):
                yield text

    def report(self, job: str) -> str | None:
        """The report of a job; None while there is none. Of one that is too long, the beginning."""
        return self._read(self.path / "reports", f"{job}.json", MAX_BYTES + 1)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Let no other process of this machine add jobs meanwhile. Raises TemporaryError where one is at it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise RouterError(f"The task's directory {self.path} cannot be opened: {error.strerror}.") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise TemporaryError(f"Another command adds jobs to the task of {self.path} just now.") from None
        finally:
            os.close(descriptor)

    def set_aside(self, job: str) -> None:
        """Put away the report of a job that others replace, if there is one: merge jobs read every report there is."""
        name = names.file_name(f"{job}.json")
        try:
            (self.path / "replaced").mkdir(exist_ok=True)
            (self.path / "reports" / name).replace(self.path / "replaced" / name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise RouterError(f"The report of job {job} cannot be put away: {error.strerror}.") from None

    def log(self, job: str, stream: str) -> str | None:
        """What a job wrote to `out` or `err`; None while there is nothing."""
        return self._read(self.path / "logs", f"{job}.{stream}")

    def sizes(self, folder: str, wanted: Sequence[str] = ()) -> dict[str, int]:
        """The ordinary files in one of its folders, those `wanted` or all, with their bytes."""
        try:
            place = self.path / names.file_name(folder)
            paths = [place / names.file_name(each) for each in wanted] if wanted else sorted(place.iterdir())
            known = {path.name: path.lstat() for path in paths if os.path.lexists(path)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RouterError(f"{self.path / folder} cannot be listed: {error}.") from None
        return {name: found.st_size for name, found in known.items() if stat.S_ISREG(found.st_mode)}

    def content(self, folder: str, name: str, most: int) -> bytes | None:
        """Up to `most` bytes of a file in one of its folders; None where there is none."""
        return self._bytes(self.path / names.file_name(folder), name, most)

    def _read(self, folder: Path, name: str, most: int = -1) -> str | None:
        """The same as text."""
        found = self._bytes(folder, name, most)
        return found.decode(errors="replace") if found is not None else None

    def _bytes(self, folder: Path, name: str, most: int) -> bytes | None:
        """Up to `most` bytes of a file that its owner may have exchanged for anything."""
        try:
            descriptor = os.open(folder / names.file_name(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise ValueError("it is no ordinary file")
                return file.read(most)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RouterError(f"{folder / name} cannot be read: {error}.") from None


def _copy(source: Path, target: Path) -> None:
    if source.parent.name == BUNDLES:  # under its digest, so that it never changes: kept once for all tasks
        target.with_name(f"{target.name}{DIGEST}").write_text(f"{source.name.partition('.')[0]}\n")
        target.unlink(missing_ok=True)
        with suppress(OSError):  # another file system: then it is copied
            target.hardlink_to(source)
            return
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _write(target: Path, program: bytes) -> None:
    target.write_bytes(program)
    target.chmod(0o755)
