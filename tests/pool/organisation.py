"""A virtual organisation on the session's pool: two sites, a dataset, and the command line as any user."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pool_backend
from answers import Answer

from router.settings import Settings, load

PROMPT = {"attributes": {"GLIDEIN_Update_Interval": "5"}}
"""A glidein that reports often is seen early, and soon forgotten when it was killed."""
SITES = {
    "router": {"interval": "1 s"},
    "calls": {"read": "3 s", "write": "3 s"},
    "sites": {
        "SITE_A": {
            "storage": {"name": "A_DISK", "prefix": "file:///srv/a"},
            "entries": {"a": {"cpus": 2, "memory": "4 GB", "disk": "10 GB", "walltime": "12 h", **PROMPT}},
        },
        "SITE_B": {
            "storage": {"name": "B_DISK", "prefix": "file:///srv/b"},
            "entries": {"b": {"cpus": 1, "memory": "2 GB", "disk": "10 GB", "walltime": "12 h", **PROMPT}},
        },
    },
}
FILES = [
    {"lfn": f"/test/data/f{i}.root", "size": 100, "adler32": "00000001", "events": 10, "sites": ["SITE_A"]}
    for i in range(3)
]


LIVELY = {"router": {"interval": "1 s"}, "factory": {"interval": "1 s"}}
"""For daemons that a test waits for."""


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


def settled(live: pool_backend.LivePool, home: Path, settings: Mapping[str, object]) -> Organisation:
    """An organisation of its own on the session's pool, whose jobs may reach into `home`."""
    for folder in (home, *home.parents[:2]):
        folder.chmod(0o755)
    (home / "pool").symlink_to(live.home / "pool")
    (home / "glideroute.yaml").write_text(json.dumps(settings))
    return Organisation(live, home)


def storing(home: Path, *names: str, entry: Mapping[str, object]) -> dict[str, object]:
    """Sites with an entry, and with storage below `home` that every job may write to."""
    sites: dict[str, object] = {}
    for name in names:
        (home / name).mkdir()
        (home / name).chmod(0o777)
        sites[name] = {"storage": {"prefix": f"file://{home / name}"}, "entries": {name.lower(): entry}}
    return sites


@contextmanager
def at_work(organisation: Organisation, *names: str) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Daemons, by default router and factory; in the end no task of theirs and no glidein is left."""
    daemons = {name: daemon(organisation, name) for name in names or ("router", "factory")}
    try:
        yield daemons
    finally:
        for each in daemons.values():
            each.terminate()
            each.wait(10)
        organisation.live.queue("router").act("Remove", "RouterTask isnt undefined", "the tests are over")
        organisation.live.queue("factory").act("Remove", "IsGlidein =?= true", "the tests are over")


def daemon(organisation: Organisation, name: str) -> "subprocess.Popen[bytes]":
    """A daemon that was just started."""
    command = [sys.executable, "-m", "router.cli.main", name, "run"]
    with (organisation.home / f"{name}.log").open("a") as log:
        return subprocess.Popen(command, env=organisation.environment(name), stderr=log)


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
