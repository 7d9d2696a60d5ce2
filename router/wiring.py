"""The only place that builds real adapters from settings."""

import math
import os
import pwd
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from router.api import Router
from router.decide.checkup import RIGHTS, SETTINGS
from router.decide.policies import check
from router.decide.share_wait import Outlook, outlook
from router.embedded import whatif
from router.embedded.containment import AS_NOBODY
from router.embedded.pool import EmbeddedPool
from router.embedded.rehearsal import scratch_pool
from router.embedded.state import load as load_state
from router.embedded.whatif import Central, DryRun
from router.errors import PoolUnreachable, RouterError, UserError
from router.loops.books import Books
from router.loops.lease import Leadership, Station
from router.loops.observe import Declared
from router.loops.pilots import Pilots
from router.loops.route import Route
from router.loops.runner import SystemClock
from router.loops.stageout import StageOut
from router.model.checkup import Facts
from router.model.pilot import EntryState
from router.model.share_load import Submission
from router.model.shares import SubmitterSetting
from router.model.task import Task
from router.packages.taskdir import TaskDirectory
from router.pilots.condor import CondorFactory, Factory
from router.pool import examine
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.eventlog import EventLog
from router.pool.negotiator import Negotiator
from router.pool.queue import Queue
from router.pool.recorded import load_of
from router.pool.usage import Histories
from router.render.glidein import PoolContact
from router.render.negotiator import SHARES_FILE, read_back
from router.render.pool_config import Daemon
from router.render.steward import steward_injection
from router.resources import folder
from router.services.auditing import Requester
from router.settings import Loop, Settings, default_user, not_root
from router.site_storage import descriptions
from router.store.schema import Schema
from router.store.store import Store
from router.store.worlds import Worlds
from router.transfer.copying import Copier
from router.transfer.endpoints import endpoints

T = TypeVar("T")
STEWARD = (sys.executable, "-E", "-P", "-u", "-m", "router.cli.main", "proceed", "--wait")
TOKEN_FOLDERS = ("/etc/condor/tokens.d", "/etc/glideroute/tokens.d", "~/.condor/tokens.d")


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


def central(pool: EmbeddedPool) -> Central:
    """How to start a negotiator beside that of an embedded pool."""
    state = load_state(pool.home)
    if state is None:
        raise PoolUnreachable(f"There is no pool in {pool.home} yet. Start it: glideroute pool up")
    # Only the token makes it the pool's: with the signing key it would make itself one that the pool does not know.
    unsigned = {"SEC_TOKEN_POOL_SIGNING_KEY_FILE": "", "SEC_PASSWORD_DIRECTORY": str(pool.home / "config.d")}
    return Central(
        program=state.installation.release.sbin / "condor_negotiator",
        config=pool.home / "condor_config",
        config_dir=pool.home / "config.d",
        spool=pool.home / "spool",
        before=("unshare", *AS_NOBODY) if os.geteuid() == 0 else (),
        overrides=unsigned,
    )


@contextmanager
def negotiator(settings: Settings, identity: str = "admin") -> Iterator[Negotiator]:
    """The running negotiator: of the embedded pool where there is one, else as the environment."""
    channel = Channel(condor_environment(settings, identity), identity)
    made = Negotiator(channel, settings.calls.read_s, settings.calls.write_s)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def expression_parser() -> Iterator[Callable[[Sequence[str]], tuple[str, ...]]]:
    """What says what is wrong with ClassAd expressions; it needs no pool."""
    made = Negotiator(Channel({"CONDOR_CONFIG": os.devnull}))
    try:
        yield made.complaints
    finally:
        made.close()


def config_directory(settings: Settings) -> Path:
    """Where HTCondor reads its configuration: the embedded pool's directory, else the distribution's."""
    embedded = embedded_pool(settings)
    return embedded.home / "config.d" if embedded else Path("/etc/condor/config.d")


def dry_run(settings: Settings, shares: str) -> DryRun | None:
    """What the pool's negotiator would give each group; None where none can be started beside it."""
    embedded = embedded_pool(settings)
    return whatif.dry_run(central(embedded), SHARES_FILE, shares) if embedded else None


def outlooks(settings: Settings, submitters: Collection[str]) -> tuple[Outlook, ...]:
    """What submitters' waiting jobs can expect of fair share; nothing where the negotiator does not answer."""
    if not submitters:
        return ()
    try:
        with negotiator(settings, user_name(settings)) as running:
            policy, states, cores = read_back(running.settings()), running.states(), running.cores()
    except RouterError:  # an explanation without it is better than none
        return ()
    run_s = settings.broker.typical_run_s
    found = (outlook(policy, states, cores, each, run_s) for each in sorted(submitters))
    return tuple(each for each in found if each is not None)


def scratch_run(shares: str, submitters: Sequence[SubmitterSetting], seconds: float) -> dict[str, float]:
    """The slots that submitters with jobs without end get in a pool of its own; everything is gone afterwards."""
    with scratch_pool(folder("schedd_config"), shares, lambda _: None) as rehearsal:
        return rehearsal.run(submitters, seconds)


def recorded_load(settings: Settings, hours: float) -> tuple[Submission, ...]:
    """The jobs that ended in the last hours, as they were submitted. Raises UserError where there are none."""
    jobs = queue(settings, user_name(settings))
    now = time.time()
    try:
        found = load_of(jobs, now - hours * 3600)
    finally:
        jobs.close()
    if not found:
        raise UserError(
            f"The schedd's history has no job of the last {hours:g} h. Describe a load instead: --load FILE"
        )
    return found


def declared(settings: Settings) -> tuple[Declared, ...]:
    """The sites as the loops see them."""
    return tuple(Declared(site.name, site.entries, site.access, site.limits) for site in settings.sites)


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
        keep=worlds.save,
        leader=leader,
        books=books(settings, memory, "router"),
    )


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


def stageout(settings: Settings) -> StageOut:
    """The stage-out loop."""
    memory = store(settings)
    leader = leadership(settings, "stageout", settings.stageout, memory)
    elements = {site.storage.name: site.storage for site in settings.sites if site.storage}
    tokens = {site.storage.name: site.token_file for site in settings.sites if site.storage}
    reached = endpoints(elements.values(), tokens, settings.transfers.timeout_s)
    mover = Copier(elements, reached, settings.transfers.parallel)
    return StageOut(memory, mover, frozenset(elements), settings.transfers, SystemClock(), leader)


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
            f"127.0.0.1:{state.port}", state.domain, str(release.bin.parent), hidden=_hidden(settings, embedded)
        ),
        schedd=f"schedd@{state.domain}",
        storage=descriptions(settings.sites),
        token=lambda site: embedded.glidein_token(site).read_text(),
        started=int(time.time()),
    )


def _hidden(settings: Settings, pool: EmbeddedPool) -> tuple[str, ...]:
    """What no job may see of a pool that runs on the glideins' own machine, as the same user."""
    return tuple(map(str, (pool.home / "keys", pool.home / "tokens", settings.home / "factory")))


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
            steward=lambda task: steward_injection(task, STEWARD, steward_environment(settings)),
        )
    finally:
        jobs.close()
        memory.close()


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
