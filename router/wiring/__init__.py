"""The only place that builds real adapters from settings."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from router.api import Router
from router.decide.checkup import RIGHTS, SETTINGS
from router.decide.policies import check
from router.embedded.pool import EmbeddedPool
from router.embedded.state import load as load_state
from router.errors import RouterError, UserError
from router.loops.books import Books
from router.loops.fetches import EVERY_S as FETCHES_EVERY_S
from router.loops.fetches import FetchReader
from router.loops.observe import Declared
from router.loops.pilots import Pilots
from router.loops.route import Route
from router.loops.runner import SystemClock
from router.model.checkup import Facts
from router.model.pilot import EntryState
from router.model.task import Task
from router.packages.taskdir import TaskDirectory
from router.pilots.condor import CondorFactory, Factory
from router.pool import examine
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.eventlog import EventLog
from router.pool.fetches import FetchHistory
from router.pool.usage import Histories
from router.render.glidein import PoolContact
from router.render.pool_config import Daemon
from router.render.steward import steward_injection
from router.settings import Settings
from router.site_storage import descriptions, misplaced
from router.store.store import Store
from router.store.worlds import Worlds
from router.transfer.reading import Reader, own_keys, own_token
from router.wiring.connections import (
    account_name,
    condor_environment,
    embedded_pool,
    leadership,
    queue,
    requester,
    schema,
    store,
    tool_environment,
    user_name,
)
from router.wiring.data import discovery, following, placing
from router.wiring.fair_share import (
    central,
    config_directory,
    dry_run,
    expression_parser,
    negotiator,
    outlooks,
    recorded_load,
    scratch_run,
)
from router.wiring.transfers import stageout

__all__ = [
    "account_name",
    "books",
    "central",
    "condor_environment",
    "config_directory",
    "daemons",
    "declared",
    "dry_run",
    "embedded_pool",
    "entry_states",
    "event_log",
    "expression_parser",
    "factory",
    "facts",
    "import_usage",
    "leadership",
    "negotiator",
    "outlooks",
    "pilots",
    "queue",
    "reader",
    "recorded_load",
    "reports",
    "requester",
    "route",
    "schema",
    "scratch_run",
    "stageout",
    "steward_environment",
    "store",
    "tool_environment",
    "user_name",
    "user_session",
]

T = TypeVar("T")
STEWARD = (sys.executable, "-E", "-P", "-u", "-m", "router.cli.main", "proceed", "--wait")
TOKEN_FOLDERS = ("/etc/condor/tokens.d", "/etc/glideroute/tokens.d", "~/.condor/tokens.d")


def declared(settings: Settings) -> tuple[Declared, ...]:
    """The sites as the loops see them."""
    return tuple(
        Declared(site.name, site.entries, site.access, site.limits, site.storage.name if site.storage else "")
        for site in settings.sites
    )


def reports(task: Task) -> TaskDirectory:
    """Where a task's reports are."""
    return TaskDirectory(Path(task.directory))


def route(settings: Settings) -> Route:
    """The route loop. Raises UserError where the policy cannot work on this machine."""
    check(settings.broker)
    memory = store(settings)
    leader = leadership(settings, "router", settings.router, memory)
    pool = CondorPool(queue(settings, "router", leader.until))
    worlds = Worlds(settings.home / "worlds", settings.keep_worlds, settings.broker)
    known = declared(settings)
    events, clock = event_log(settings), SystemClock()
    return Route(
        pool,
        memory,
        reports,
        known,
        settings.broker,
        clock,
        events=events,
        retry=settings.retry,
        running=settings.running,
        misplaced=misplaced(settings.sites),
        keep=worlds.save,
        leader=leader,
        books=books(settings, memory, "router"),
        following=following(settings, memory),
        fetches=fetches(settings, memory),
        placing=placing(settings, memory),
    )


def fetches(settings: Settings, memory: Store) -> FetchReader:
    """What learns how storage elements serve jobs, over a connection of its own as the books."""
    channel = Channel(condor_environment(settings, "router"), "router")
    source = FetchHistory(channel, settings.calls.read_s)
    every_s = min(FETCHES_EVERY_S, settings.accounting.import_s)
    return FetchReader(source, memory, frozenset(settings.elements), SystemClock(), every_s)


def books(settings: Settings, memory: Store, identity: str) -> Books:
    """What imports usage, over a connection of its own: a history that hangs must not delay a pass's next look."""
    channel = Channel(condor_environment(settings, identity), identity)
    kept = settings.accounting
    source = Histories(channel, settings.calls.read_s)
    return Books(source, memory, SystemClock(), kept.import_s, kept.keep_runs_s, kept.keep_audit_s)


def import_usage(settings: Settings, memory: Store) -> int:
    """Import usage now, as the user; returns how many runs are new or better known."""
    return books(settings, memory, user_name(settings)).update()


def event_log(settings: Settings) -> EventLog | None:
    """The schedd's event log; None where nobody says where one is."""
    if settings.event_log:
        return EventLog(Path(settings.event_log))
    return EventLog(settings.pool_home / "log" / "EventLog") if load_state(settings.pool_home) else None


def pilots(settings: Settings) -> Pilots:
    """The pilot loop."""
    memory = store(settings)
    leader = leadership(settings, "factory", settings.factory, memory)
    jobs = queue(settings, "factory", leader.until)
    backend = CondorFactory(jobs, factory(settings))
    return Pilots(CondorPool(jobs), memory, backend, declared(settings), settings.demand, SystemClock(), leader)


def factory(settings: Settings) -> Factory:
    """The factory of the embedded pool. Raises UserError where there is none."""
    embedded, state = embedded_pool(settings), load_state(settings.pool_home)
    if embedded is None or state is None:
        raise UserError(
            "The factory needs the embedded pool: start it with `glideroute pool up`. "
            "For a pool of your own, let GlideinWMS or HTCondor start the glideins."
        )
    release = state.installation.release
    return Factory(
        folder=settings.home / "factory",
        contact=PoolContact(
            f"127.0.0.1:{state.port}",
            state.domain,
            str(release.bin.parent),
            hidden=_hidden(settings, embedded),
            read_mb_s=f"{settings.broker.local_mb_s:g}:{settings.broker.remote_mb_s:g}",
        ),
        schedd=f"schedd@{state.domain}",
        storage=descriptions(settings.sites),
        token=lambda site: embedded.glidein_token(site).read_text(),
        started=int(time.time()),
    )


def _hidden(settings: Settings, pool: EmbeddedPool) -> tuple[str, ...]:
    """What no job may see of a pool that runs on the glideins' own machine, as the same user."""
    return tuple(
        map(str, (pool.home / "keys", pool.home / "tokens", pool.home / "credentials", settings.home / "factory"))
    )


@contextmanager
def user_session(settings: Settings) -> Iterator[Router]:
    """The user's interface, as the user; its connections are given back at the end."""
    user = user_name(settings)
    jobs, memory = queue(settings, user), store(settings)
    try:
        yield Router(
            pool=CondorPool(jobs),
            memory=memory,
            user=user,
            sites=declared(settings),
            storage={site.name: site.storage for site in settings.sites if site.storage},
            policy=settings.broker,
            task_home=settings.task_home,
            directory=TaskDirectory,
            clock=SystemClock(),
            account=account_name(),
            identity=jobs.identity,
            services=discovery(settings, memory),
            steward=lambda task: steward_injection(task, STEWARD, steward_environment(settings)),
        )
    finally:
        jobs.close()
        memory.close()


def reader(settings: Settings) -> Reader:
    """What reads copies where the user is, with the user's own token or keys."""
    elements = settings.elements.values()
    return Reader.of(elements, lambda: own_token(os.environ, os.getuid()), lambda: own_keys(os.environ, os.getuid()))


def steward_environment(settings: Settings) -> dict[str, str]:
    """What the user's job on the access point has to know: the same installation, user and credential."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "CONDOR_CONFIG") if os.environ.get(name)}
    return {**kept, "GLIDEROUTE_HOME": str(settings.home), "GLIDEROUTE_USER": user_name(settings)}


def entry_states(settings: Settings) -> tuple[EntryState, ...]:
    """The glideins of the declared entries, as anyone who may read the pool sees them; empty without a factory."""
    if not settings.entries or load_state(settings.pool_home) is None:
        return ()
    jobs = queue(settings, user_name(settings))
    try:
        return CondorFactory(jobs, factory(settings)).states(settings.entries)
    finally:
        jobs.close()


def facts(settings: Settings) -> Facts:
    """What a check of this installation sees; a pool that does not answer is a fact too."""
    embedded = embedded_pool(settings)
    own = settings.pool_home / "tokens"
    folders = sorted(own.glob("*")) if embedded else [Path(each).expanduser() for each in TOKEN_FOLDERS]
    secret = [*folders, settings.pool_home / "keys"]
    seen = Facts(
        now=time.time(),
        tokens=examine.tokens(folders),
        exposed=examine.exposed(path for each in secret for path in sorted(each.glob("*"))),
        one_persons=embedded is not None,
        free_mb=examine.free_mb({settings.home, settings.task_home}),
        ports=examine.answering({name: settings.home / f"run/{name}.address" for name in ("router", "factory")}),
    )
    try:
        told = _asked(settings, user_name(settings), lambda channel: examine.schedd(channel, SETTINGS))
        rights = _asked(settings, "router", lambda channel: examine.rights(channel, RIGHTS)) if embedded else None
    except RouterError as error:
        return replace(seen, unreachable=str(error))
    return replace(
        seen,
        schedd_version=told["version"],
        bindings_version=told["bindings"],
        schedd_time=float(told["time"]),
        settings=told["settings"],
        rights=rights,
    )


def _asked(settings: Settings, identity: str, question: Callable[[Channel], T]) -> T:
    channel = Channel(condor_environment(settings, identity), identity)
    try:
        return question(channel)
    finally:
        channel.close()


def daemons(home: Path) -> tuple[Daemon, ...]:
    """What the embedded pool runs besides HTCondor: the router, the factory, and the agent that stages outputs out."""
    environment = {"GLIDEROUTE_HOME": str(home)}
    # No module of the working directory, or of a PYTHONPATH of whoever started the pool; output unbuffered.
    program = (sys.executable, "-E", "-P", "-u", "-m", "router.cli.main")
    return (
        Daemon("ROUTER", (*program, "router", "run"), environment),
        Daemon("FACTORY", (*program, "factory", "run"), environment),
        Daemon("STAGEOUT", (*program, "stageout", "run"), environment),
    )
