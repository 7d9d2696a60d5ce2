"""Any trace as a setting: jobs, sites and downtimes from CSV files."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.quality.grid import LARGEST_SLOT, BatchSpec, Grid, GridSite, Outage, Setting, Workload, merged
from router.errors import UserError

T = TypeVar("T")
JOIN_S = 300.0
"""Jobs that are alike and come within this time of the first are one batch."""
EGRESS = 200e3
"""Bytes a second that a storage serves to others for each slot of its site: as much as its own slots read."""
LIMITS_S = (3600, 4 * 3600, 12 * 3600, 86_400, 2 * 86_400, 4 * 86_400, 7 * 86_400)


@dataclass(frozen=True)
class Trace:
    """What the files say."""

    grid: Grid
    workload: Workload

    @classmethod
    def read(cls, jobs: Path, sites: Path, downtimes: Path | None) -> "Trace":
        """Read the files. Raises UserError naming file, line and fault."""
        given = list(_rows(sites, ("site", "slots"), _site))
        names = {site.name: number for number, (site, _) in enumerate(given)}
        outages = list(_rows(downtimes, ("site", "start", "end"), lambda row: _outage(row, names))) if downtimes else []
        grid = Grid(tuple(site for site, _ in given), merged([each for each in outages if each]))
        workload = _workload(
            jobs, _Data(tuple(stored for _, stored in given), tuple(site.slots for site in grid.sites))
        )
        widest = max((site.slots for site in grid.sites), default=0)
        if over := next((spec.cores for spec in workload.batches if spec.cores > min(widest, LARGEST_SLOT)), 0):
            raise UserError(f"{jobs} has jobs of {over} cores, and no site can give so many; leave them out")
        return cls(grid, workload)

    def setting(self, seed: int, lag_s: float, pass_s: float) -> Setting:
        """The trace as one thing to simulate; the seed is for what the trace leaves to chance."""
        return Setting(self.grid, self.workload, seed, lag_s=lag_s, pass_s=pass_s)


class _Data:
    """Where datasets lie: at the sites whose `storage` names them (separated by `;`), else where their name puts them.

    A number in `storage` is its size, by which sites are drawn; without it they are drawn by their slots.
    """

    def __init__(self, storage: tuple[str, ...], slots: tuple[int, ...]) -> None:
        self._held: dict[str, tuple[int, ...]] = {}
        weights = np.array(slots, dtype=np.float64)
        for site, stored in enumerate(storage):
            if _is_size(stored):
                weights[site] = float(stored)
            else:
                for dataset in filter(None, stored.split(";")):
                    self._held[dataset] = (*self._held.get(dataset, ()), site)
        self._weights = weights / weights.sum() if weights.sum() else np.full(len(slots), 1 / max(len(slots), 1))

    def sites_of(self, dataset: str) -> tuple[int, ...]:
        """The sites that hold it; one or two when no site names it, the same in every run; none for no dataset."""
        if not dataset or dataset in self._held:
            return self._held.get(dataset, ())
        chance = np.random.default_rng(list(dataset.encode()))
        copies = min(1 + int(chance.integers(2)), int(np.count_nonzero(self._weights)))
        drawn = chance.choice(len(self._weights), copies, replace=False, p=self._weights)
        return tuple(sorted(int(each) for each in drawn))


def _is_size(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Job:
    submit: float
    runtime: float
    cores: int
    user: str
    group: str
    dataset: str
    bytes: float


def _rows(path: Path, columns: tuple[str, ...], parse: Callable[[dict[str, str]], T]) -> Iterator[T]:
    """Each line of a CSV file, parsed. Raises UserError."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise UserError(f"{path} has no column {', '.join(missing)}; it needs {', '.join(columns)}")
            for row in reader:
                try:
                    yield parse(row)
                except (ValueError, TypeError) as error:
                    raise UserError(
                        f"{path}, line {reader.line_num}: {error}; correct the line or leave it out"
                    ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; name a CSV file") from error


def _site(row: dict[str, str]) -> tuple[GridSite, str]:
    slots = int(row["slots"])
    if slots < 1:
        raise ValueError(f"slots is {slots}, and must be at least 1")
    return GridSite(row["site"], slots, slots * EGRESS, memory_mb=65_536), row.get("storage") or ""


def _outage(row: dict[str, str], names: dict[str, int]) -> Outage | None:
    """None: of a site that the trace does not have."""
    site = names.get(row["site"])
    start, end = float(row["start"]), float(row["end"])
    announced = float(row.get("created") or start)
    storage = any(word in (row.get("services") or "") for word in ("SRM", "GridFtp", "XRootD", "WebDAV"))
    return None if site is None else Outage(site, start, end, announced, "stall" if storage else "kill")


def _job(row: dict[str, str]) -> _Job:
    found = _Job(
        float(row["submit_s"]),
        float(row["runtime_s"]),
        int(row["cores"]),
        row["user"],
        row["vo"],
        row.get("dataset") or "",
        float(row.get("input_bytes") or 0.0),
    )
    if found.runtime <= 0 or found.cores < 1 or found.submit < 0:
        raise ValueError("runtime_s and cores must be positive, submit_s not negative")
    return found


def _workload(path: Path, data: _Data) -> Workload:
    """The jobs in order of submission, alike ones as batches."""
    columns = ("job", "submit_s", "runtime_s", "cores", "user", "vo")
    jobs = sorted(_rows(path, columns, _job), key=lambda job: job.submit)
    if not jobs:
        raise UserError(f"{path} has no jobs")
    opened: dict[tuple[str, str, str, int], tuple[int, float]] = {}
    members: list[list[_Job]] = []
    batch = []
    for job in jobs:
        key = (job.user, job.group, job.dataset, job.cores)
        number, since = opened.get(key, (-1, 0.0))
        if number < 0 or job.submit - since > JOIN_S:
            number = len(members)
            opened[key] = number, job.submit
            members.append([])
        members[number].append(job)
        batch.append(number)
    specs = tuple(_spec(number, alike, data.sites_of(alike[0].dataset)) for number, alike in enumerate(members))
    return Workload(
        specs,
        np.array(batch, dtype=np.int64),
        np.array([job.submit for job in jobs]),
        np.array([job.runtime for job in jobs]),
        np.array([job.bytes if job.dataset else 0.0 for job in jobs]),
    )


def _spec(number: int, jobs: list[_Job], replicas: tuple[int, ...]) -> BatchSpec:
    first, longest = jobs[0], max(job.runtime for job in jobs)
    limit = next((each for each in LIMITS_S if each >= longest), LIMITS_S[-1])
    return BatchSpec(
        f"t{number}",
        first.user,
        replicas,
        group=first.group,
        dataset=first.dataset,
        cores=first.cores,
        walltime_s=limit,
    )
