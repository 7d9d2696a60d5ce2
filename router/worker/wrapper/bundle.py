"""The packed folder of the user's code: checked, then unpacked."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tarfile
import zlib
from pathlib import Path

from router.worker.wrapper.description import file_name
from router.worker.wrapper.exit_codes import Failure
from router.worker.wrapper.reading import CHUNK, open_regular

BUNDLE_FILES = 10_000
"""Files in a packed folder, at most."""


def check_bundle(bundle: Path) -> None:
    """Failure unless a packed folder has the bytes that were submitted.

    HTCondor gives all jobs of a cluster on a node the same file, and a program of theirs may have changed it.
    """
    try:
        wanted = Path(f"{bundle}.sha256").read_text(encoding="ascii").strip()
        digest = hashlib.sha256()
        with open_regular(bundle) as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    except (OSError, ValueError) as why:
        raise Failure("stage_in_failed", f"{bundle} did not come with the job: {why}") from None
    if digest.hexdigest() != wanted:
        raise Failure(
            "stage_in_failed",
            f"{bundle} has other bytes here than were submitted (SHA-256 {digest.hexdigest()}, not {wanted[:64]}): it "
            "came damaged, or a program of this task changed it on this node",
        )


def unpack(bundle: Path, into: Path) -> None:
    """Unpack a folder of the user's; Failure for anything but new ordinary files inside it."""
    try:
        into.mkdir()
        with tarfile.open(bundle, "r:gz") as tar:
            for number, member in enumerate(tar):
                parts = member.name.split("/")
                if number >= BUNDLE_FILES or not member.isreg() or not all(map(file_name, parts)):
                    raise ValueError(f"{member.name[:200]!r} is no ordinary file inside it, or one too many")
                path = into.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                with path.open("xb") as target:
                    shutil.copyfileobj(content, target, CHUNK)  # type: ignore[arg-type]
                path.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
    except (OSError, ValueError, EOFError, zlib.error, tarfile.TarError) as why:
        raise Failure("bad_description", f"{bundle} cannot be unpacked: {why}") from None
