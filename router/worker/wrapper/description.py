"""A job's description: its values, and how they are read and checked. Nothing here looks at what it names."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.worker.wrapper.exit_codes import Failure

XROOTD_SCHEMES = ("root", "roots", "xroot", "xroots")
SCHEMES = ("file", "http", "https", "dav", "davs", *XROOTD_SCHEMES)


@dataclass(frozen=True)
class Replica:
    """One copy of an input."""

    se: str
    site: str
    pfn: str


@dataclass(frozen=True)
class Input:
    """A file the payload reads, and which of its events, or of its luminosity sections."""

    lfn: str
    size: int
    adler32: str
    first_event: int
    events: int
    replicas: tuple[Replica, ...]
    lumis: Mapping[str, list[list[int]]] | None = None
    share: float = 1.0
    """How much of the file is read, 0..1."""


@dataclass(frozen=True)
class Output:
    """A file the payload promises, and the logical name it gets."""

    name: str
    lfn: str


@dataclass(frozen=True)
class Merge:
    """The inputs are the outputs of this name in the reports of the other jobs."""

    parts_of: str
    expected_parts: int
    jobs: frozenset[str] | None = None
    """Whose; None: all others'."""


@dataclass(frozen=True)
class Job:
    """A job description, checked."""

    task: str
    batch: str
    job: str
    executable: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    merge: Merge | None
    parameters: dict[str, str]
    """Its values where a task sweeps over some."""
    folder: str = ""
    """What came packed beside the program; empty: nothing."""
    access: str = "copy"
    """How inputs are got at: `copy` all, `remote` none, or `auto`, whatever takes least time."""
    token: str = ""
    """HTCondor's name for the service whose token of the owner's comes with the job; empty: none comes."""


def file_name(value: Any) -> str:
    """A name that stays inside the directory it is put into; ValueError otherwise."""
    name = text(value)
    if name in ("", ".", "..") or not name.isprintable() or re.search(r"[/\\]", name):
        raise ValueError(f"{name!r} is no plain file name")
    if len(name.encode()) > 200:
        raise ValueError(f"{name[:80]!r}... is longer than 200 bytes")
    return name


def logical_name(value: Any) -> str:
    """An absolute LFN in its one canonical form; ValueError otherwise."""
    lfn = text(value)
    if not lfn.startswith("/") or len(lfn) > 1024 or "%" in lfn:
        raise ValueError(f"{lfn[:80]!r} is no logical file name: it must start with / and contain no %")
    for part in lfn[1:].split("/"):
        file_name(part)
    return lfn


def physical_name(value: Any) -> str:
    """A PFN of an allowed scheme; a local path without `..` when it is a file; ValueError otherwise."""
    pfn = text(value)
    scheme, colon, rest = pfn.partition("://")
    if not colon or scheme not in SCHEMES or not pfn.isprintable():
        raise ValueError(f"{pfn[:80]!r} is not readable here: only {', '.join(SCHEMES)} are")
    if "@" in rest.partition("/")[0] or rest.startswith("-"):
        raise ValueError(f"{pfn[:80]!r} is not readable here: it names a user, or no host")
    if scheme in XROOTD_SCHEMES and re.search(r"[?#]", rest):
        raise ValueError(f"{pfn[:80]!r} is not readable here: it has options")
    if scheme == "file" and not rest.startswith(("/", "localhost/")):
        raise ValueError(f"{pfn!r} names another host; a file is only readable where it lies")
    if ".." in urllib.parse.unquote(rest).split("/") or "\0" in urllib.parse.unquote(rest):
        raise ValueError(f"{pfn!r} climbs out of its directory")
    return pfn


def text(value: Any) -> str:
    """A string that can be given to a program as UTF-8; ValueError otherwise."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r} is no text")
    value.encode("utf-8")
    return value


def count(value: Any) -> int:
    """A number that is 0 or more; ValueError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def checksum(value: Any) -> str:
    """An adler32 as 8 lower-case hexadecimal digits; ValueError otherwise."""
    digits = text(value).lower()
    if not re.fullmatch("[0-9a-f]{8}", digits):
        raise ValueError(f"{digits!r} is no adler32")
    return digits


def variable(value: Any) -> str:
    """A name that an environment can hold; ValueError otherwise."""
    if not text(value) or "=" in value:
        raise ValueError(f"{value!r} is no name of an environment variable")
    return text(value)


def access(value: Any) -> str:
    """How inputs are got at; ValueError otherwise."""
    if value not in ("copy", "auto", "remote"):
        raise ValueError(f"{value!r} is no way to get at inputs")
    return text(value)


def sections(value: Any) -> dict[str, list[list[int]]]:
    """Luminosity sections: by run, the first and the last of each range; ValueError or TypeError otherwise."""
    if not isinstance(value, dict):
        raise ValueError("its luminosity sections are no mapping")
    return {text(run): [[count(first), count(last)] for first, last in pairs] for run, pairs in value.items()}


def read_input(ad: Mapping[str, Any]) -> Input:
    """An input as described; KeyError, TypeError or ValueError when it is not."""
    copies = tuple(Replica(text(r["se"]), text(r["site"]), physical_name(r["pfn"])) for r in ad["replicas"])
    first, events = count(ad["first_event"]), count(ad["events"])
    lumis = sections(ad["lumis"]) if "lumis" in ad else None
    named = logical_name(ad["lfn"]), count(ad["size"]), checksum(ad["adler32"])
    whole = count(ad.get("file_events", 0))
    return Input(*named, first, events, copies, lumis, min(1.0, events / whole) if whole else 1.0)


def read_job(path: str, name: str) -> Job:
    """The description of the job `name` among those in the file at `path`; Failure when it cannot be run."""
    try:
        part = json.loads(Path(path).read_bytes())
        if part["version"] != 2:
            raise ValueError(f"version {part['version']!r} is not 2, the only one this wrapper knows")
        if name not in part["jobs"]:
            raise ValueError(f"it describes no job {name!r}")
        ad = {**part, **part["jobs"][name]}
        if not isinstance(ad["arguments"], list):
            raise ValueError("its arguments are no list")
        merge = ad.get("merge")
        return Job(
            task=file_name(ad["task"]),
            batch=file_name(ad["batch"]),
            job=file_name(name),
            executable=file_name(ad["executable"]),
            arguments=tuple(text(argument) for argument in ad["arguments"]),
            environment={variable(name): text(v) for name, v in ad["environment"].items()},
            inputs=tuple(read_input(one) for one in ad["inputs"]),
            outputs=tuple(Output(file_name(o["name"]), logical_name(o["lfn"])) for o in ad["outputs"]),
            merge=None if merge is None else read_merge(merge),
            folder=file_name(ad["folder"]) if "folder" in ad else "",
            access=access(ad.get("access", "copy")),
            token=file_name(ad["token"]) if "token" in ad else "",
            parameters={text(name): text(value) for name, value in ad.get("parameters", {}).items()},
        )
    except KeyError as missing:
        raise Failure("bad_description", f"{path} does not say {missing}") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as why:
        raise Failure("bad_description", f"{path} is no job description: {why}") from None


def read_merge(ad: Mapping[str, Any]) -> Merge:
    """What to merge, as described; KeyError, TypeError or ValueError when it is not."""
    jobs = frozenset(file_name(name) for name in ad["jobs"]) if "jobs" in ad else None
    return Merge(file_name(ad["parts_of"]), count(ad["expected_parts"]), jobs)
