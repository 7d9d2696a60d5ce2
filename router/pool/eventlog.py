"""The schedd's global event log as a stream that survives its rotation, and restarts of whoever reads it.

The log is JSON (schedd_config/50-events.config): every event is followed by one of type 28 that repeats it with
attributes of the job, and so tells all by itself. HTCondor renames a full log to NAME.1 and begins a new one; a file is
known again by its inode and its first event, since in the JSON form the header that should tell is lost then.
"""

import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from router.errors import TemporaryError
from router.model.event import HELD_BY_PEOPLE, EventKind, Events, JobEvent
from router.model.job import FAILED, JobGroup
from router.pool import ads

KINDS = {
    0: EventKind.SUBMITTED,
    1: EventKind.STARTED,
    4: EventKind.EVICTED,
    5: EventKind.FINISHED,
    7: EventKind.EVICTED,  # the shadow failed
    9: EventKind.REMOVED,
    12: EventKind.HELD,
    13: EventKind.RELEASED,
    24: EventKind.EVICTED,  # the node was given up
}
"""Events that change a job's state, by HTCondor's numbers (condor_event.h)."""

STATUS = {EventKind.STARTED: 2, EventKind.EVICTED: 1, EventKind.FINISHED: 4, EventKind.REMOVED: 3}
STATUS |= {EventKind.HELD: 5, EventKind.RELEASED: 1}

TOLD = tuple(name for name in ads.JOB if name not in ("ClusterId", "JobStatus", "RouterDecision"))
"""What an event tells of a job's group; the decision is no plain value, and left out by HTCondor."""
VANILLA = 5
RUNNING = 2
END = b"\n}\n"
HEAD_BYTES = 4096
MARK_BYTES = 200
"""Of the first event; it holds the job's id and the time to a millisecond."""
MOST_BYTES = 64 << 20
"""Read at once, about a second's work; the rest is read the next time."""

_TRIGGER = re.compile(rb'"TriggerEventTypeNumber": (\d+)')


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log has been read."""

    inode: int
    mark: int
    """A checksum of the file's first event; 0 while there is none."""
    offset: int

    def __str__(self) -> str:
        """For the one who remembers it."""
        return f"{self.inode}:{self.mark}:{self.offset}"

    @classmethod
    def of(cls, text: str) -> "Position | None":
        """The position that `str` gave; None for another text."""
        parts = text.split(":")
        return cls(*map(int, parts)) if len(parts) == 3 and all(map(str.isdecimal, parts)) else None


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the log, open: a rotation while it is read changes nothing."""

    content: IO[bytes]
    inode: int
    mark: int
    size: int


class EventLog:
    """Reads the log at a path."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Read `path` and what it was rotated to, at most so many bytes at once."""
        self._path, self._most = path, most_bytes

    def read(self, after: str) -> Events:
        """The events after a position; all that are there after an empty one. Raises TemporaryError without a log."""
        with ExitStack() as opened:
            try:
                files = self._files(opened)
                return self._read(files, Position.of(after), bool(after))
            except OSError as error:
                raise TemporaryError(
                    f"The event log {self._path} cannot be read: {error.strerror}. Is schedd_config/50-events.config "
                    "installed, and may the router read the file?"
                ) from None

    def _files(self, opened: ExitStack) -> list[_File]:
        """The files of the log, oldest first. One that is renamed while it is looked for is met twice."""
        found: dict[int, _File] = {}
        for path in [self._path, *sorted(self._rotated(), key=_age)]:
            try:
                content = opened.enter_context(path.open("rb"))
            except FileNotFoundError:
                if path == self._path:
                    raise
                continue
            about = os.fstat(content.fileno())
            _, _, first = content.read(HEAD_BYTES).partition(END)
            mark = zlib.crc32(first[:MARK_BYTES]) if len(first) >= MARK_BYTES else 0
            found.setdefault(about.st_ino, _File(content, about.st_ino, mark, about.st_size))
        return list(reversed(found.values()))

    def _rotated(self) -> Iterator[Path]:
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            if path.suffix[1:].isdecimal() or path.suffix == ".old":
                yield path

    def _read(self, files: list[_File], after: Position | None, known: bool) -> Events:
        places = [number for number, file in enumerate(files) if after and _is_at(file, after)]
        start, offset = (places[0], after.offset) if places and after else (0, 0)
        events: list[JobEvent] = []
        skipped, room = 0, self._most
        for file in files[start:]:
            file.content.seek(offset)
            text = file.content.read(room)
            whole = text[: text.rfind(END) + len(END)] if END in text else b""
            for piece in whole.split(END):
                try:
                    events.extend(_events(piece))
                except (ValueError, KeyError, TypeError):
                    skipped += 1
            room -= len(text)
            position = Position(file.inode, file.mark, offset + len(whole))
            offset = 0
            if room <= 0:
                break
        lost = known and not places
        return Events(tuple(events), str(position), lost, skipped, room <= 0)


def _age(path: Path) -> int:
    """Sorts rotated files newest first."""
    return int(path.suffix[1:]) if path.suffix != ".old" else 1


def _is_at(file: _File, position: Position) -> bool:
    return file.inode == position.inode and position.mark in (0, file.mark) and position.offset <= file.size


def _events(piece: bytes) -> Iterator[JobEvent]:
    """The event that a piece of the log tells, if it is one that changes a vanilla job's state."""
    found = _TRIGGER.search(piece)
    kind = KINDS.get(int(found.group(1))) if found else None
    if kind is None:
        return
    row: dict[str, Any] = json.loads(piece + END)
    if ads.number(row, "JobUniverse") == VANILLA:
        yield _event(row, kind)


def _event(row: dict[str, Any], kind: EventKind) -> JobEvent:
    status = STATUS.get(kind) or ads.number(row, "JobStatus", 1)
    like = _like(row["Cluster"], status, tuple(_scalar(row.get(name)) for name in TOLD))
    ran = kind is not EventKind.HELD or ads.number(row, "LastJobStatus") == RUNNING
    return JobEvent(
        kind=kind,
        at=datetime.fromisoformat(row["EventTime"]).timestamp(),
        proc=row["Proc"],
        like=like,
        before=ads.STATES.get(ads.number(row, "LastJobStatus")),
        site=ads.word(row, "MachineAttrGLIDEIN_Site0") if ran else "",
        node=ads.word(row, "MachineAttrMachine0") if ran else "",
        began=float(ads.number(row, "JobCurrentStartDate")) if ran else 0.0,
        first=kind is EventKind.STARTED and ads.number(row, "NumJobStarts") == 0,
        job=ads.text(row, "RouterJob"),
        exit_code=ads.number(row, "ReturnValue") if row.get("TerminatedNormally") is True else None,
        reason=ads.text(row, "Reason") if kind is EventKind.REMOVED else "",
        cause=_cause(row, kind),
    )


@lru_cache(maxsize=8192)
def _like(cluster: int, status: int, told: tuple[str | float | None, ...]) -> JobGroup:
    """The group of one job; those of a cluster tell the same, most of them."""
    return ads.job_group(
        {**dict(zip(TOLD, told, strict=True)), "ClusterId": cluster, "JobStatus": status, "JobCount": 1}
    )


def _scalar(value: object) -> str | float | None:
    return value if isinstance(value, str | int | float) else None


def _cause(row: dict[str, Any], kind: EventKind) -> str:
    """The class of a failure; empty where there is none."""
    code, subcode = ads.number(row, "HoldReasonCode"), ads.number(row, "HoldReasonSubCode")
    match kind:
        case EventKind.HELD if code not in HELD_BY_PEOPLE:
            wrapped = code == FAILED and ads.number(row, "RouterWrapper") > 0
            return f"hold-{code}.{subcode}" if wrapped else f"hold-{code}"
        case EventKind.FINISHED if row.get("TerminatedNormally") is False:
            return f"signal-{ads.number(row, 'TerminatedBySignal')}"
        case EventKind.FINISHED if ads.number(row, "ReturnValue"):
            return f"exit-{ads.number(row, 'ReturnValue')}"
    return ""
