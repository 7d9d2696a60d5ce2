"""Who acts, and what connects to the database, the queue and the pool."""

import math
import os
import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from router.embedded.pool import EmbeddedPool
from router.embedded.state import load as load_state
from router.loops.lease import Leadership, Station
from router.loops.runner import SystemClock
from router.pool.channel import Channel
from router.pool.queue import Queue
from router.resources import folder
from router.services.auditing import Requester
from router.settings import Loop, Settings, default_user, not_root
from router.store.schema import Schema
from router.store.store import Store


def user_name(settings: Settings) -> str:
    """Who submits: as set, or the login name."""
    return not_root(settings.user or default_user())


def account_name() -> str:
    """The account of the operating system that this process runs under, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may know none
        return f"uid {os.getuid()}"


@contextmanager
def requester(settings: Settings) -> Iterator[Requester]:
    """Who asks, for the audit, where there is no user's session."""
    memory = store(settings)
    try:
        yield Requester(memory, user_name(settings), account_name(), SystemClock())
    finally:
        memory.close()


def store(settings: Settings) -> Store:
    """The database; made when it is missing."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return Store(settings.database_url, settings.members)


def schema(settings: Settings) -> Schema:
    """The database's schema, whatever revision it is at."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return Schema(settings.database_url)


def queue(settings: Settings, identity: str, until: Callable[[], float] = lambda: math.inf) -> Queue:
    """The pool's queue as `identity`: of the embedded pool where there is one, else of the machine's HTCondor.

    `until` gives the monotonic time until which it may write.
    """
    channel = Channel(condor_environment(settings, identity), identity)
    return Queue(channel, settings.calls.read_s, settings.calls.write_s, until)


def leadership(settings: Settings, daemon: str, loop: Loop, memory: Store) -> Leadership:
    """The lease of a daemon; it lasts at least four of its passes."""
    place = Station(daemon, settings.home)
    memory.write_only_as(place.holder, daemon)
    lease_s = max(loop.lease_s, 4 * loop.interval_s)
    return Leadership(memory, daemon, place.holder, lease_s, SystemClock(), time.monotonic, place.gone)


def condor_environment(settings: Settings, identity: str) -> dict[str, str]:
    """What makes HTCondor's tools and bindings act as `identity`."""
    last = {"GLIDEROUTE_LAST_SCHEDD": str(settings.home / "run" / "schedd.json")}
    if embedded := embedded_pool(settings):
        return {**last, **embedded.env(identity)}
    return {**last, **{name: each for name, each in os.environ.items() if name.startswith(("CONDOR_", "_CONDOR_"))}}


def tool_environment(settings: Settings) -> dict[str, str]:
    """The whole environment for a command line tool of HTCondor's, as the user."""
    return {**os.environ, **condor_environment(settings, user_name(settings))}


def embedded_pool(settings: Settings) -> EmbeddedPool | None:
    """The embedded pool below home; None where none was ever started."""
    if load_state(settings.pool_home) is None and "CONDOR_CONFIG" in os.environ:
        return None
    return EmbeddedPool(settings.pool_home, folder("schedd_config"))
