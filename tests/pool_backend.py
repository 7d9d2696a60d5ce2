"""Which real HTCondor the tests use, and what they see of it.

Pools that tests start daemons and glideins in are embedded ones. The contract suite asks less of a pool: where a Docker
engine answers and HTCondor's own image starts, it runs there; everywhere else in the session's embedded pool.
"""

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]

from router.embedded import containment
from router.embedded.pool import EmbeddedPool
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.queue import Queue
from router.resources import folder

ENGINE_SOCKET = Path("/var/run/docker.sock")


class Pool(Protocol):
    """An HTCondor pool that anyone can be in."""

    def env(self, user: str) -> dict[str, str]: ...


@dataclass
class Connections:
    """A running pool, and connections to it as whoever a test wants to be."""

    pool: Pool
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


@dataclass
class LivePool(Connections):
    """The session's embedded pool."""

    pool: EmbeddedPool
    home: Path = Path()
    """The GLIDEROUTE_HOME it belongs to."""


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
    live = LivePool(pool, home=pool.home.parent)
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


def why_no_engine(connect: Callable[[], Any] = docker.from_env) -> str:
    """Why no container can be started here; empty where a Docker engine answers."""
    why = ""
    if connect is docker.from_env and not os.environ.get("DOCKER_HOST") and not ENGINE_SOCKET.exists():
        return f"no Docker engine answers: {ENGINE_SOCKET} is not there"
    with warnings.catch_warnings():
        # The client leaves the socket of a failed attempt to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            with closing(connect()) as engine:
                engine.ping()
        except (DockerException, OSError) as error:
            why = f"no Docker engine answers: {error}"
        gc.collect()
    return why


@contextmanager
def in_container_or(
    embedded: Callable[[], Connections],
    container: Callable[[], Any],
    connect: Callable[[], Any] = docker.from_env,
) -> Iterator[tuple[Connections, str]]:
    """The pool of the contract suite, and why it is no container; empty where it is one."""
    if why := why_no_engine(connect):
        yield embedded(), why
        return
    started = container()
    try:
        started.up()
    except Exception as error:  # whatever an engine, a registry or an image may say
        started.down()
        yield embedded(), f"the container does not start: {error}"
        return
    connections = Connections(started)
    try:
        yield connections, ""
    finally:
        connections.close()
        started.down()
