"""A folder of the user's as one file that is always the same for the same content."""

import gzip
import hashlib
import os
import secrets
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from router.errors import RouterError, UserError
from router.model import ignore
from router.model.payload import Payload

BUNDLES = "bundles"
"""Where a user's packed folders are kept, below the home of the tasks."""
IGNORE_FILE = ".glideignore"
MAX_BYTES = 100_000_000
"""Of the files of a folder: HTCondor sends them with every job."""
MAX_FILES = 10_000
MOST_TOLD = 5


def pack(folder: Path, store: Path) -> Path:
    """The folder as a tarball in `store`, under its SHA-256; one that is there already is not written again.

    Raises UserError for what cannot be sent, or is too large, with what to do.
    """
    files = sorted(_files(folder))
    _refuse_large(folder, files)
    return _kept(folder, store, lambda part: _write(folder, files, part))


def _kept(source: Path, store: Path, write: Callable[[Path], object]) -> Path:
    part = store / f".{secrets.token_hex(8)}"
    try:
        store.mkdir(parents=True, exist_ok=True)
        write(part)
        kept = store / f"{hashlib.sha256(part.read_bytes()).hexdigest()}.tar.gz"
        if not kept.exists():
            part.rename(kept)
    except OSError as error:
        raise RouterError(f"{source} cannot be packed into {store}: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return kept


def packed(folder: Path, payload: Payload, store: Path) -> Path:
    """The tarball of a payload's folder; where only a tarball of it is there, as in a task's directory, that one."""
    source, bundle = folder / payload.folder, folder / payload.bundle
    if source.is_dir():
        return pack(source, store)
    if not bundle.is_file():
        raise UserError(f"There is no folder {source}. It is looked for beside the payload document.")
    return _kept(bundle, store, lambda part: shutil.copyfile(bundle, part))


def _write(folder: Path, files: list[tuple[str, int]], target: Path) -> None:
    # Nothing of when, where and by whom it is packed: the same files are the same bytes.
    with (
        target.open("xb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, _ in files:
            # A link put in its place since it was seen is not followed.
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as content:
                known = os.fstat(descriptor)
                member = tarfile.TarInfo(name)
                member.size, member.mode = known.st_size, 0o755 if known.st_mode & stat.S_IXUSR else 0o644
                tar.addfile(member, content)


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file that is not left out, by its path in the folder, with its size."""
    try:
        rules = ignore.parse((folder / IGNORE_FILE).read_text())
    except FileNotFoundError:
        rules = ignore.parse("")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{folder / IGNORE_FILE} cannot be read: {error}.") from None
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with os.scandir(folder / above) as found:
            entries = list(found)
        for entry in entries:
            name = f"{above}/{entry.name}".lstrip("/")
            inner = entry.is_dir(follow_symlinks=False)
            if ignore.ignored(rules, name, inner):
                continue
            if inner:
                waiting.append(name)
            else:
                yield name, _size(folder, name, entry)


def _size(folder: Path, name: str, entry: "os.DirEntry[str]") -> int:
    known = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(known.st_mode):
        kind = "a link" if entry.is_symlink() else "no ordinary file"
        raise UserError(f"{folder / name} is {kind}, which cannot be sent. Put a file in its place, or the line "
                        f"/{name} into {folder / IGNORE_FILE}.")  # fmt: skip
    if not entry.name.isprintable() or "\\" in entry.name or len(entry.name.encode()) > 200:
        raise UserError(f"{str(folder / name)!r} has a name that cannot be sent; give it another.")
    return known.st_size


def _refuse_large(folder: Path, files: list[tuple[str, int]]) -> None:
    total = sum(size for _, size in files)
    if not files:
        raise UserError(f"{folder} has no file that is sent with the jobs; leave `code` out.")
    if total <= MAX_BYTES and len(files) <= MAX_FILES:
        return
    parts: dict[str, tuple[int, int]] = {}
    for name, size in files:
        top = "/".join(name.split("/")[:2])
        bytes_, count = parts.get(top, (0, 0))
        parts[top] = (bytes_ + size, count + 1)
    largest = sorted(parts.items(), key=lambda part: part[1], reverse=True)[:MOST_TOLD]
    told = "".join(f"\n  {name}: {size / 1e6:,.1f} MB in {count:,} file(s)" for name, (size, count) in largest)
    most = f"{MAX_BYTES / 1e6:,.0f} MB in {MAX_FILES:,} files"
    raise UserError(
        f"{folder} has {total / 1e6:,.1f} MB in {len(files):,} files; with every job go at most {most}. "
        f"The largest are:{told}\nPut what the jobs do not need into {folder / IGNORE_FILE}, "
        "and large inputs into a dataset (`glideroute dataset add`)."
    )
