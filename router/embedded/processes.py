"""What the kernel says about processes, so that only our own are ever signalled.

A process id is reused after its process has ended; the id together with the start time is not.
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this boot of the machine; `started` is in clock ticks since boot."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class _Row:
    parent: int
    process: Process
    ended: bool


def boot() -> str:
    """Return the identity of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """Return the living process with this id, or None."""
    row = _row(pid, boot())
    return None if row is None or row.ended else row.process


def alive(process: Process) -> bool:
    """Say whether exactly this process still runs; one that only waits to be reaped does not."""
    # One that we started ourselves stays in the table until we collect it.
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return find(process.pid) == process


def children(process: Process) -> frozenset[Process]:
    """Return the living processes that this one started and that are still its own."""
    return frozenset(row.process for row in _table() if row.parent == process.pid and not row.ended)


def descendants(process: Process) -> frozenset[Process]:
    """Return every living process below this one."""
    table = [row for row in _table() if not row.ended]
    found: set[Process] = set()
    parents = {process.pid}
    while parents:
        below = {row.process for row in table if row.parent in parents} - found
        found |= below
        parents = {each.pid for each in below}
    return frozenset(found)


def send(process: Process, number: signal.Signals) -> None:
    """Signal the process if it still runs."""
    if alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def wait_until_gone(processes: Iterable[Process], seconds: float) -> frozenset[Process]:
    """Wait until all have ended, at most so long, and return those that have not."""
    left = frozenset(each for each in processes if alive(each))
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = frozenset(each for each in left if alive(each))
    return left


def _table() -> list[_Row]:
    this_boot = boot()
    rows = (_row(int(entry.name), this_boot) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [row for row in rows if row is not None]


def _row(pid: int, this_boot: str) -> _Row | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name stands in parentheses and may itself hold blanks and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return _Row(
        parent=int(fields[1]),
        process=Process(pid, int(fields[19]), this_boot),
        ended=fields[0] in "ZX",
    )
