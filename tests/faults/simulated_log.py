"""The event log of the simulated schedd: real files, read by the router's own reader, written as carelessly as can be.

Events come late, twice, in halves or not at all; the log is rotated, and what is rotated is deleted.
"""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulated_schedd import STARTED, TERMINATED, Job, Schedd

from router.pool.eventlog import TOLD

BESIDE = ("JobUniverse", "RouterJob", "JobCurrentStartDate", "MachineAttrGLIDEIN_Site0", "MachineAttrMachine0")
KEPT = 2
"""Rotated files that are kept."""


class SimulatedLog:
    """What a schedd writes, and how much of it is on the disk."""

    def __init__(self, folder: Path, now: Callable[[], float], chance: random.Random) -> None:
        """Write into `folder`; the machine's clock is `now`."""
        self.path = folder / "EventLog"
        self._now, self._chance = now, chance
        self._late = b""
        self._careless = chance.choice((0.0, 0.05, 0.3))
        self._births, self._calm = 0, False
        self._begin()

    def tell(self, schedd: Schedd, job: Job, kind: int, before: int) -> None:
        """Something happened to a job, which was in the state `before`."""
        job.began = self._now() if kind == STARTED else job.began
        shown = {name: schedd.value(job, name) for name in (*TOLD, *BESIDE)}
        row: dict[str, Any] = {name: told for name, told in shown.items() if isinstance(told, str | int | float)}
        row |= {"Cluster": job.cluster, "Proc": job.proc, "JobStatus": job.status, "LastJobStatus": before}
        row |= {"NumJobStarts": len(job.starts) - 1, "TriggerEventTypeNumber": kind, "EventTypeNumber": 28}
        if job.began:
            row["JobCurrentStartDate"] = int(job.began)
        if kind == TERMINATED:
            row |= {"TerminatedNormally": True, "ReturnValue": 0}
        at = datetime.fromtimestamp(self._now(), UTC).replace(tzinfo=None)
        text = json.dumps({**row, "EventTime": f"{at.isoformat(timespec='milliseconds')}Z"}, indent=2).encode() + b"\n"
        if self._strikes():
            text = self._chance.choice((b"", text + text, b'{\n  "TriggerEventTypeNumber": 1,\n  torn\n}\n'))
        self._late += text

    def write(self) -> None:
        """Some of what is late gets to the disk, if only half an event; now and then the log is rotated."""
        size = len(self._late)
        self._put(size if self._calm else self._chance.choice((size, size, size, self._chance.randint(0, size), 0)))
        if self._strikes():
            self.rotate()

    def flush(self) -> None:
        """All of it gets to the disk, and what comes later as well."""
        self._put(len(self._late))
        self._careless, self._calm = 0.0, True

    def rotate(self) -> None:
        """Begin a new file; the oldest is deleted."""
        if b"\n}\n" in self._late:  # HTCondor rotates between two events
            self._put(self._late.rindex(b"\n}\n") + 3)
        for number in range(KEPT, 0, -1):
            older = self._rotated(number)
            if older.exists():
                older.rename(self._rotated(number + 1)) if number < KEPT else older.unlink()
        self.path.rename(self._rotated(1))
        self._begin()

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"EventLog.{number}")

    def _begin(self) -> None:
        self._births += 1
        self.path.write_text(json.dumps({"Info": f"Global JobLog: {self._births}".ljust(256)}, indent=2) + "\n")

    def _put(self, size: int) -> None:
        with self.path.open("ab") as log:
            log.write(self._late[:size])
        self._late = self._late[size:]

    def _strikes(self) -> bool:
        return self._chance.random() < self._careless
