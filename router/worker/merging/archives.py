"""Archives: the members of every part, each part in a folder of its own."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from router.worker.merging.parts import Counts, MergeError, Part, reading

JOINED = re.compile(r"_merge\d*-\d+-\d+$")
"""How the name of a part ends that another merge job made: its members have folders already."""


def merge_zip(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """The members of every part, in a folder named after the part; MergeError where a name leaves it."""
    counted: list[Counts] = []
    with zipfile.ZipFile(merged, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as target:
        for part in parts:
            with reading(part), zipfile.ZipFile(part.path) as source:
                members = source.infolist()
                for member in members:
                    named = zipfile.ZipInfo(member_name(part, member.filename), member.date_time)
                    named.external_attr, named.compress_type = member.external_attr, member.compress_type
                    if member.is_dir():
                        target.writestr(named, b"")
                        continue
                    named.file_size = member.file_size
                    with source.open(member) as content, target.open(named, "w") as copy:
                        shutil.copyfileobj(content, copy)
                counted.append({"members": len(members)})
    return counted


def count_zip(merged: Path) -> Counts:
    """Its members, each of which gives the bytes that its checksum promises."""
    with zipfile.ZipFile(merged) as source:
        if damaged := source.testzip():
            raise MergeError(f"{damaged} of {merged.name} reads back otherwise than it was written")
        return {"members": len(source.infolist())}


def merge_tar(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """The members of every part, in a folder named after the part; MergeError where a name leaves it."""
    counted: list[Counts] = []
    zipped = merged.name.endswith((".tgz", ".gz"))
    with tarfile.open(merged, "w:gz" if zipped else "w") as target:
        for part in parts:
            with reading(part), tarfile.open(part.path, "r:*") as source:
                members = 0
                for member in source:
                    content = source.extractfile(member) if member.isreg() else None
                    if member.islnk():
                        member.linkname = member_name(part, member.linkname)
                    member.name = member_name(part, member.name)
                    target.addfile(member, content)
                    members += 1
                counted.append({"members": members})
    return counted


def count_tar(merged: Path) -> Counts:
    """Its members."""
    with tarfile.open(merged, "r:*") as source:
        return {"members": sum(1 for _ in source)}


def member_name(part: Part, name: str) -> str:
    """A member's name in the merged archive; MergeError where it is absolute or has `..`."""
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise MergeError(f"{part.path.name}: its member {name!r} would leave the folder it is unpacked in")
    return name if JOINED.search(part.stem) else f"{part.stem}/{name}"
