"""A virtual organisation on the session's pool: two sites, a dataset, and the command line as any user."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pool_backend

from router.settings import Settings, load

SITES = {
    "router": {"interval": "1 s"},
    "calls": {"read": "3 s", "write": "3 s"},
    "sites": {
        "SITE_A": {
            "storage": {"name": "A_DISK", "prefix": "file:///srv/a"},
            "entries": {"a": {"cpus": 2, "memory": "4 GB", "disk": "10 GB", "walltime": "12 h"}},
        },
        "SITE_B": {
            "storage": {"name": "B_DISK", "prefix": "file:///srv/b"},
            "entries": {"b": {"cpus": 1, "memory": "2 GB", "disk": "10 GB", "walltime": "12 h"}},
        },
    },
}
FILES = [
    {"lfn": f"/test/data/f{i}.root", "size": 100, "adler32": "00000001", "events": 10, "sites": ["SITE_A"]}
    for i in range(3)
]


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """Its output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Organisation:
    """The pool with declared sites."""

    live: pool_backend.LivePool
    home: Path

    @property
    def settings(self) -> Settings:
        return load(self.home)

    def environment(self, user: str) -> dict[str, str]:
        return {**os.environ, "GLIDEROUTE_HOME": str(self.home), "GLIDEROUTE_USER": user, "COLUMNS": "200"}

    def run(self, *arguments: str | Path, user: str = "alice", environment: Mapping[str, str] | None = None) -> Answer:
        """Run `glideroute` as a user."""
        return run(arguments, environment or self.environment(user))


def run(arguments: Sequence[str | Path], environment: Mapping[str, str]) -> Answer:
    """Run `glideroute` in an environment."""
    command = [sys.executable, "-m", "router.cli.main", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def until(what: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition of another process; fail when it does not come."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"{what} did not become true within {seconds} s"
        time.sleep(0.02)
