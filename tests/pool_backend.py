"""Which real HTCondor the tests use, and what they see of it.

A container where a Docker engine answers and the image starts; the embedded pool everywhere else. The tests ask the
same of both.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from router.embedded import containment
from router.embedded.pool import EmbeddedPool
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.queue import Queue
from router.resources import folder


@dataclass
class LivePool:
    """A running pool, and connections to it as whoever a test wants to be."""

    home: Path
    """The GLIDEROUTE_HOME it belongs to."""
    pool: EmbeddedPool
    _queues: dict[str, Queue] = field(default_factory=dict)

    def queue(self, identity: str) -> Queue:
        """The schedd and collector as `identity`; one child process each, shared by all tests."""
        if identity not in self._queues:
            self._queues[identity] = Queue(Channel(self.pool.env(identity), identity))
        return self._queues[identity]

    def as_user(self, name: str) -> CondorPool:
        """The Pool of the loops and of the user's interface, as `name`."""
        return CondorPool(self.queue(name))

    def close(self) -> None:
        """End the connections."""
        for queue in self._queues.values():
            queue.close()


@contextmanager
def home() -> Iterator[Path]:
    """A GLIDEROUTE_HOME with a short path: HTCondor's sockets lie below it."""
    path = Path(tempfile.mkdtemp(prefix="gr-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def prepare(home: Path) -> EmbeddedPool:
    """A pool that only has to be started. Raises RouterError where this machine cannot run one at all."""
    containment.choose(os.geteuid() == 0, containment.refusal)
    pool = EmbeddedPool(home / "pool", folder("schedd_config"))
    pool.install()
    return pool


@contextmanager
def running(pool: EmbeddedPool) -> Iterator[LivePool]:
    """The pool while it is up; its end leaves no process behind."""
    live = LivePool(pool.home.parent, pool)
    try:
        pool.up()
        yield live
    finally:
        live.close()
        pool.down()


def give_up(reason: str, environment: Mapping[str, str] = os.environ) -> NoReturn:
    """Skip the test, or fail it where nothing may be skipped."""
    if environment.get("CI") == "true":
        pytest.fail(f"With CI=true no test of the real pool may be skipped: {reason}")
    pytest.skip(reason)
