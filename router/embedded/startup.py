"""Wait until a pool answers; if it does not, find the log that says why."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.embedded import processes
from router.embedded.programs import call
from router.errors import TemporaryError

ASK_EVERY_SECONDS = 0.1
ASK_SECONDS = 5.0
TAIL_LINES = 15
# The daemons that must answer, and where each writes its log. The master tells the collector of itself only after
# five seconds, so it is judged by its process.
LOGS = {
    "collector": "CollectorLog",
    "negotiator": "NegotiatorLog",
    "schedd": "SchedLog",
}
AD_TYPES = {"Collector": "collector", "Negotiator": "negotiator", "Scheduler": "schedd"}


def missing_daemons(status: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the daemons that the collector does not know; `status` is the program condor_status."""
    try:
        finished = call([status, "-any", "-af", "MyType"], environment, ASK_SECONDS)
    except TemporaryError:
        return tuple(LOGS)
    known = {AD_TYPES.get(line.strip()) for line in finished.stdout.splitlines()}
    return tuple(name for name in LOGS if name not in known)


@dataclass(frozen=True, slots=True)
class LogMarks:
    """Where the logs ended before a start, so that only what this start wrote is shown."""

    folder: Path
    sizes: Mapping[str, int]

    @classmethod
    def now(cls, folder: Path) -> "LogMarks":
        """Note the present ends of the logs."""
        return cls(folder, {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()})

    def tail(self, name: str) -> str:
        """Return the last new lines of a log, indented; empty if there are none."""
        file = self.folder / name
        if not file.is_file():
            return ""
        data = file.read_bytes()
        start = self.sizes.get(name, 0)
        lines = data[start if start <= len(data) else 0 :].decode(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])


def wait_until_ready(
    missing: Callable[[], tuple[str, ...]], holder: processes.Process, marks: LogMarks, seconds: float
) -> None:
    """Ask until no daemon is missing. Raise TemporaryError with the log that tells why when one stays away."""
    deadline = time.monotonic() + seconds
    left = tuple(LOGS)
    while processes.alive(holder):
        left = missing()
        if not left:
            return
        if time.monotonic() > deadline:
            raise TemporaryError(
                f"The pool did not answer within {seconds:.0f} s: no {' and no '.join(left)}."
                f"{_evidence(marks, (LOGS[left[0]], 'MasterLog', 'startup.log'))}"
            )
        time.sleep(ASK_EVERY_SECONDS)
    raise TemporaryError(f"HTCondor ended while it started.{_evidence(marks, ('startup.log', 'MasterLog'))}")


def _evidence(marks: LogMarks, names: tuple[str, ...]) -> str:
    for name in names:
        if text := marks.tail(name):
            return f" The end of {marks.folder / name}:\n{text}\nCorrect what it names, then start the pool again."
    return f" Its logs in {marks.folder} are empty; is the disk full?"
