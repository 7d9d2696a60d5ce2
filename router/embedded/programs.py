"""Run another program to its end: no shell, nothing on its standard input, never longer than it is given."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from router.errors import TemporaryError

Finished = subprocess.CompletedProcess[str]


def call(
    command: Sequence[str | Path], environment: Mapping[str, str], seconds: float, folder: Path | None = None
) -> Finished:
    """Run the command, whatever its exit code. Raise TemporaryError if it does not end in time."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TemporaryError(
            f"{command[0]} did not end within {seconds:.0f} s. Try again when the machine is less busy."
        ) from error


def complaint(finished: Finished) -> str:
    """Return what a program that failed said about it, in its last lines."""
    lines = [line.strip() for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
    return "; ".join(lines[-3:]) or f"exit code {finished.returncode}"
