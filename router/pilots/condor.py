"""Glideins as HTCondor jobs of a factory: local universe in the embedded pool, grid universe for real sites."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.errors import RouterError
from router.model import names
from router.model.pilot import Entry, EntryState, GlideinState, ValidationFailure
from router.ports import JobQueue
from router.render.glidein import TOKEN, GlideinJob, PoolContact, glidein_files, glidein_submit, manifest_digest

IDLE, RUNNING = 1, 2

Row = dict[str, Any]

_MACHINE = (
    "GLIDEIN_Entry_Name",
    "GLIDEIN_Site",
    "GLIDEIN_ClusterId",
    "GLIDEIN_ProcId",
    "GLIDEIN_Failed",
    "GLIDEIN_LAST_SCRIPT",
    "GLIDEIN_FAILURE_TYPE",
    "GLIDEIN_FAILURE_REASON",
    "GLIDEIN_ToRetire",
    "NumDynamicSlots",
    "MyCurrentTime",
    "LastHeardFrom",
    "SlotType",
)


@dataclass(frozen=True, slots=True)
class Factory:
    """Where the glideins of a factory come from and go to."""

    folder: Path
    """Where it keeps the entries' files and the glideins' outputs."""
    contact: PoolContact
    schedd: str
    """Name of its schedd, published by the glideins."""
    storage: Mapping[str, Sequence[Mapping[str, object]]]
    """storage.json of each site."""
    token: Callable[[str], str]
    """Gives the token of a site's glideins."""
    started: int
    """When this factory started, seconds since the epoch: a node whose clock is behind it is refused."""


class CondorFactory:
    """Starts, counts and removes glideins through the factory's queue."""

    def __init__(self, queue: JobQueue, factory: Factory) -> None:
        """Submit to `queue` what `factory` says."""
        self._queue, self._factory = queue, factory

    def states(self, entries: Iterable[Entry]) -> tuple[EntryState, ...]:
        """Glideins of each entry: what the queue has, against what has joined the pool or refused its node."""
        jobs = self._queue.query("IsGlidein =?= true", ("GLIDEIN_Entry_Name", "JobStatus", "ClusterId", "ProcId"))
        machines = self._queue.ads("Startd", 'GLIDEIN_Entry_Name isnt undefined && SlotType =!= "Dynamic"', _MACHINE)
        return tuple(_state(entry, _of(entry, jobs), _of(entry, machines, entry.site)) for entry in entries)

    def start(self, entry: Entry, count: int) -> tuple[str, ...]:
        """Submit `count` glideins of `entry`. Returns their ids."""
        storage = self._factory.storage.get(entry.site, ())
        token = self._factory.token(entry.site)
        files = glidein_files(entry, self._factory.contact, storage, token, self._factory.started)
        logs = self._factory.folder / "logs"
        folder = self._factory.folder / f"{entry.name}-{manifest_digest(files)[:12]}"
        try:
            logs.mkdir(parents=True, exist_ok=True)
            if not folder.exists():
                _write(folder, {name: (file.content, file.mode) for name, file in files.items()})
            _renew(folder / TOKEN, files[TOKEN].content)
        except OSError as error:
            raise RouterError(f"The glideins' folder {folder} cannot be written: {error.strerror}.") from None
        text = glidein_submit(entry, GlideinJob(str(folder), str(logs), self._factory.schedd, count), files)
        cluster = self._queue.submit(text, ())
        return tuple(f"{cluster}.{proc}" for proc in range(count))

    def stop(self, ids: Iterable[str], reason: str) -> int:
        """Remove glideins. Returns how many."""
        pairs = [each.split(".") for each in ids]
        where = " || ".join(f"(ClusterId == {int(cluster)} && ProcId == {int(proc)})" for cluster, proc in pairs)
        return self._queue.act("Remove", f"IsGlidein =?= true && ({where})", reason) if where else 0


def _write(folder: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Write a folder of files; it appears whole or not at all."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    for name, (content, mode) in files.items():
        path = fresh / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        path.chmod(mode)
    fresh.rename(folder)


def _renew(path: Path, content: bytes) -> None:
    """Replace the token of an entry's glideins by a newer one: those that start from now on get it."""
    if path.read_bytes() != content:
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(content)
        fresh.replace(path)


def _of(entry: Entry, rows: list[Row], site: str = "") -> list[Row]:
    """The rows of an entry, and of its site: a glidein of another site may name the entry as well."""
    named = (row for row in rows if row.get("GLIDEIN_Entry_Name") == entry.name)
    return [row for row in named if not site or row.get("GLIDEIN_Site") == site]


def _state(entry: Entry, jobs: list[Row], machines: list[Row]) -> EntryState:
    """Each glidein is what its newest ad says: the collector tells of a startd that died for many minutes more."""
    newest = {_glidein(row): row for row in sorted(machines, key=_heard)}
    running = [(job.get("ClusterId"), job.get("ProcId")) for job in jobs if job.get("JobStatus") == RUNNING]
    counts = Counter(_of_running(newest.get(glidein)) for glidein in running)
    counts[GlideinState.WAITING] = sum(job.get("JobStatus") == IDLE for job in jobs)
    refused = [row for row in machines if row.get("GLIDEIN_Failed") is True]
    failure = _failure(entry, max(refused, key=_heard)) if refused else None
    return EntryState(entry, tuple((state, counts[state]) for state in GlideinState), failure)


def _of_running(row: Row | None) -> GlideinState:
    if row is None:
        return GlideinState.STARTING
    if row.get("GLIDEIN_Failed") is True:
        return GlideinState.FAILED
    if _retires(row):
        return GlideinState.RETIRING
    return GlideinState.BUSY if row.get("NumDynamicSlots") else GlideinState.IDLE


def _glidein(row: Row) -> tuple[object, object]:
    return row.get("GLIDEIN_ClusterId"), row.get("GLIDEIN_ProcId")


def _heard(row: Row) -> float:
    return float(row.get("LastHeardFrom") or 0)


def _retires(row: Row) -> bool:
    end = row.get("GLIDEIN_ToRetire")
    return isinstance(end, int) and 0 < end <= int(row.get("MyCurrentTime") or 0)


def _failure(entry: Entry, row: Row) -> ValidationFailure:
    def text(name: str) -> str:
        return names.CONTROL.sub(" ", str(row.get(name) or ""))

    return ValidationFailure(
        entry.name,
        entry.site,
        text("GLIDEIN_LAST_SCRIPT"),
        text("GLIDEIN_FAILURE_TYPE"),
        text("GLIDEIN_FAILURE_REASON"),
        _heard(row),
    )
