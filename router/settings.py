"""All settings: one frozen tree, read once. Every field says its unit, its default and why."""

import getpass
import os
from dataclasses import dataclass, replace
from pathlib import Path

from router.data_settings import placement, services
from router.errors import UserError
from router.model import document, names
from router.model.data_service import ServiceSettings
from router.model.files import StorageElement
from router.model.payload import gpus
from router.model.pilot import Entry, Software
from router.model.placement import PlacementPolicy
from router.model.policy import POLICIES, BrokerPolicy, DemandPolicy, RetryPolicy, RunningPolicy, StageOutPolicy
from router.model.rights import NO_GROUPS, Members
from router.model.site import Access, Storage
from router.model.usage import Pledge
from router.transfer_settings import FtsSettings, fts, policy
from router.trusted import refuse_exposed

FILE = "glideroute.yaml"


@dataclass(frozen=True, slots=True)
class Loop:
    """How a daemon runs."""

    interval_s: float = 30.0
    """Seconds between the starts of two passes. Half a minute is half a negotiation cycle of a large pool."""
    lease_s: float = 120.0
    """Within this time after a daemon's last sign of life another one that stands by takes over, in seconds."""
    metrics_port: int = 0
    """Port of its Prometheus metrics; 0: any free one, written to run/<daemon>.address."""
    metrics_host: str = "127.0.0.1"
    """Address it listens at; nothing outside the machine by default, because sites and users show."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Deadlines of calls to HTCondor."""

    read_s: float = 30.0
    """Seconds a query may take; HTCondor's own time-out is 20 s."""
    write_s: float = 60.0
    """Seconds an edit or submission may take; HTCondor itself has no limit for these."""


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """How long is remembered who asked for what and what jobs used."""

    import_s: float = 600.0
    """Seconds between two imports of usage from the schedd's histories, which it reads from its disk."""
    keep_runs_s: float = 90 * 86400.0
    """How long single runs are kept, in seconds; their sums are kept for ever."""
    keep_audit_s: float = 400 * 86400.0
    """How long entries of the audit are kept, in seconds: a year, and time to look."""


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """A site as its administrators declare it."""

    name: str
    storage: StorageElement | None = None
    entries: tuple[Entry, ...] = ()
    access: Access = Access()
    limits: Storage = Storage(present=False)
    """What the storage is good for."""
    pledge: Pledge = Pledge()
    """What the site has promised."""
    rules_file: str = ""
    """storage.json or storage.xml by which jobs there name files; empty: the storage's prefix."""
    fallback: tuple[str, ...] = ()
    """Sites to whose storage its jobs write where its own takes nothing."""
    token_file: str = ""
    """File with the bearer token for its storage, read anew each time; empty: none is sent."""
    by_fts: bool = False
    """Whether FTS brings outputs to its storage, and not the agent."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything glideroute is told."""

    home: Path
    """Where glideroute keeps its state."""
    database: str = ""
    """SQLAlchemy URL; empty: SQLite below home."""
    tasks: str = ""
    """Where users' task directories are made; empty: below home."""
    user: str = ""
    """Who submits; empty: the login name."""
    members: Members = NO_GROUPS
    """Who administers the catalogue, and who is in which of its groups."""
    event_log: str = ""
    """The schedd's global event log; empty: the embedded pool's, or none."""
    keep_worlds: int = 20
    """How many of the last worlds in which something was decided are kept for `router replay`."""
    sites: tuple[SiteSettings, ...] = ()
    router: Loop = Loop()
    factory: Loop = Loop()
    stageout: Loop = Loop()
    calls: Calls = Calls()
    broker: BrokerPolicy = BrokerPolicy()
    retry: RetryPolicy = RetryPolicy()
    running: RunningPolicy = RunningPolicy()
    demand: DemandPolicy = DemandPolicy()
    accounting: Bookkeeping = Bookkeeping()
    transfers: StageOutPolicy = StageOutPolicy()
    fts: FtsSettings = FtsSettings()
    services: tuple[ServiceSettings, ...] = ()
    """Data services of experiments."""
    placement: PlacementPolicy = PlacementPolicy()

    @property
    def pool_home(self) -> Path:
        """The embedded pool's directory."""
        return self.home / "pool"

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database or f"sqlite:///{self.home / 'glideroute.db'}"

    @property
    def task_home(self) -> Path:
        """Where task directories are made."""
        return Path(self.tasks) if self.tasks else self.home / "tasks"

    def loop(self, daemon: str) -> Loop:
        """How a daemon runs: `router`, `factory` or `stageout`."""
        return {"router": self.router, "factory": self.factory, "stageout": self.stageout}[daemon]

    @property
    def elements(self) -> dict[str, StorageElement]:
        """The storage elements of all sites, by name."""
        return {site.storage.name: site.storage for site in self.sites if site.storage}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of all sites."""
        return tuple(entry for site in self.sites for entry in site.entries)


def home_from_environment() -> Path:
    """`$GLIDEROUTE_HOME`, or glideroute's folder where the desktop standard keeps users' data."""
    found = os.environ.get("GLIDEROUTE_HOME")
    return Path(found).absolute() if found else default_home()


def default_home() -> Path:
    """Where glideroute keeps its things: below XDG_DATA_HOME, by default ~/.local/share."""
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local/share") / "glideroute"


def default_user() -> str:
    """The login name, or what stands for it."""
    return not_root(getpass.getuser())


def not_root(name: str) -> str:
    """The name of a user. HTCondor takes no jobs from root, so root is called `user`."""
    return "user" if name == "root" else name


def load(home: Path) -> Settings:
    """The settings below `home`; the defaults where there is no file. Raises UserError that names every fault."""
    path = home / FILE
    settings = Settings(home=home, user=os.environ.get("GLIDEROUTE_USER", ""))
    refuse_exposed(path)
    try:
        text = path.read_text()
    except FileNotFoundError:
        return settings
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The settings {path} cannot be read: {error}.") from None
    return parse(text, settings, str(path))


def parse(text: str, defaults: Settings, source: str = FILE) -> Settings:
    """The settings written in a YAML document."""
    top = document.read(text, source)
    settings = replace(
        defaults,
        database=top.text("database", defaults.database, names.plain),
        tasks=top.text("tasks", defaults.tasks, names.plain),
        members=_members(top.section("catalogue"), defaults.members),
        event_log=top.text("event_log", defaults.event_log, names.plain),
        keep_worlds=top.integer("keep_worlds", defaults.keep_worlds, at_most=10_000),
        sites=tuple(_site(name, section) for name, section in top.named("sites", names.name)),
        router=_loop(top.section("router"), defaults.router),
        factory=_loop(top.section("factory"), defaults.factory),
        stageout=_loop(top.section("stageout"), defaults.stageout),
        calls=_calls(top.section("calls"), defaults.calls),
        broker=_broker(top.section("broker"), defaults.broker),
        retry=_retry(top.section("retry"), defaults.retry),
        accounting=_accounting(top.section("accounting"), defaults.accounting),
        transfers=policy(top.section("transfers"), defaults.transfers),
        fts=fts(top.section("fts")),
        running=_running(top.section("running"), defaults.running),
        services=services(top) or defaults.services,
        placement=placement(top.section("placement"), defaults.placement),
    )
    top.finish()
    prefixes = tuple(each.prefix for each in settings.services)
    return replace(settings, members=replace(settings.members, reserved=prefixes)) if prefixes else settings


def _members(section: document.Section | None, default: Members) -> Members:
    if section is None:
        return default
    groups = {group: frozenset(users) for group, users in section.lists("groups", names.name)}
    return Members(frozenset(section.texts("admins", names.name)), groups)


def _site(name: str, section: document.Section) -> SiteSettings:
    storage = section.section("storage")
    element, limits = None, Storage(present=False)
    if storage:
        limits = Storage(
            tape=storage.choice("kind", ("disk", "tape"), "disk") == "tape",
            space_mb=storage.size_mb("space", 0),
            reserve_mb=storage.size_mb("reserve", 0),
            quota_mb=storage.size_mb("quota", 0),
        )
        element = StorageElement(
            storage.text("name", f"{name}_DISK", names.name), name, storage.text("prefix", check=names.plain)
        )
    entries = tuple(_entry(each, name, inner) for each, inner in section.named("entries", names.name))
    groups = section.section("groups")
    access = Access(groups.texts("allow", names.group), groups.texts("block", names.group)) if groups else Access()
    pledge = section.section("pledge")
    promised = _pledge(pledge) if pledge else Pledge()
    made = SiteSettings(name, element, entries, access, limits, promised)
    if storage is None:
        return made
    return replace(
        made,
        rules_file=storage.text("rules", "", names.plain),
        fallback=storage.texts("fallback", names.name),
        token_file=storage.text("token", "", names.plain),
        by_fts=storage.choice("by", ("agent", "fts"), "agent") == "fts",
    )


def _pledge(section: document.Section) -> Pledge:
    """A promise of cores, or of HEPScore23, which needs the score of a core."""
    score, hs23 = section.number("hs23_per_core", 0.0), section.number("hs23", 0.0)
    cores = section.number("cores", hs23 / score if score else 0.0)
    if section.has("hs23") and (section.has("cores") or not score):
        section.fault("hs23", "needs hs23_per_core, and cannot be given beside cores")
    return Pledge(cores, score)


def _entry(name: str, site: str, section: document.Section) -> Entry:
    default = Entry(name, site)
    software = section.section("software")
    return Entry(
        name=name,
        site=site,
        cpus=section.integer("cpus", default.cpus, at_least=1, at_most=1024),
        memory_mb=section.size_mb("memory", default.memory_mb),
        disk_mb=section.size_mb("disk", default.disk_mb),
        walltime_s=section.seconds("walltime", default.walltime_s),
        max_glideins=section.integer("max_glideins", default.max_glideins, at_most=100_000),
        min_glideins=section.integer("min_glideins", default.min_glideins, at_most=1000),
        idle_s=section.seconds("idle", default.idle_s),
        grid_resource=section.text("grid_resource", "", names.plain),
        software=_software(software) if software else Software(),
        gpus=gpus(section),
        arch=section.text("arch", "", names.arch),
        os=section.text("os", "", names.system),
        attributes=section.pairs("attributes", names.environment_name, names.plain),
    )


def _software(section: document.Section) -> Software:
    return Software(
        section.text("python", "", names.plain),
        section.texts("modules", names.plain),
        section.texts("tags", names.software),
    )


def _loop(section: document.Section | None, default: Loop) -> Loop:
    if section is None:
        return default
    return Loop(
        interval_s=section.seconds("interval", int(default.interval_s)),
        lease_s=section.seconds("lease", int(default.lease_s)),
        metrics_port=section.integer("metrics_port", default.metrics_port, at_most=65535),
        metrics_host=section.text("metrics_host", default.metrics_host, names.plain),
    )


def _accounting(section: document.Section | None, default: Bookkeeping) -> Bookkeeping:
    if section is None:
        return default
    return Bookkeeping(
        import_s=section.seconds("interval", int(default.import_s)),
        keep_runs_s=section.seconds("keep_runs", int(default.keep_runs_s)),
        keep_audit_s=section.seconds("keep_audit", int(default.keep_audit_s)),
    )


def _calls(section: document.Section | None, default: Calls) -> Calls:
    if section is None:
        return default
    return Calls(section.seconds("read", int(default.read_s)), section.seconds("write", int(default.write_s)))


def _broker(section: document.Section | None, default: BrokerPolicy) -> BrokerPolicy:
    if section is None:
        return default
    return replace(
        default,
        name=section.choice("policy", POLICIES, default.name),
        bind=section.choice("mode", ("bind", "tag"), "bind" if default.bind else "tag") == "bind",
        max_sites=section.integer("max_sites", default.max_sites, at_least=1, at_most=100),
        near_s=section.seconds("near", int(default.near_s)),
        few_sets=section.integer("few_sets", default.few_sets),
        near_share=section.number("near_share", default.near_share),
        failure_rate=section.number("failure_rate", default.failure_rate),
        failure_sample=section.integer("failure_sample", default.failure_sample, at_least=1),
        failure_window_s=section.seconds("failure_window", default.failure_window_s),
        hole_failures=section.integer("hole_failures", default.hole_failures, at_least=1),
        node_failures=section.integer("node_failures", default.node_failures, at_least=1),
        few_nodes=section.number("few_nodes", default.few_nodes),
        probe_jobs=section.integer("probe_jobs", default.probe_jobs, at_least=1),
        probe_after_s=section.seconds("probe_after", int(default.probe_after_s)),
        evicted_rate=section.number("evicted_rate", default.evicted_rate),
        start_limit_s=section.seconds("start_limit", int(default.start_limit_s)),
        most_closed=section.number("most_closed", default.most_closed),
        most_moves=section.integer("most_moves", default.most_moves),
        validation_window_s=section.seconds("validation_window", default.validation_window_s),
        silent_limit_s=section.seconds("silent_limit", int(default.silent_limit_s)),
        left_limit_s=section.seconds("left_limit", int(default.left_limit_s)),
        wait_limit_s=section.seconds("wait_limit", int(default.wait_limit_s)),
        overload_queue=section.integer("overload_queue", default.overload_queue),
        overload_ratio=section.number("overload_ratio", default.overload_ratio),
        user_wait_s=section.seconds("user_wait", int(default.user_wait_s)),
        user_queue=section.integer("user_queue", default.user_queue, at_least=1),
        share_queue=section.integer("share_queue", default.share_queue),
        share_ratio=section.number("share_ratio", default.share_ratio),
        share_wait_s=section.seconds("share_wait", int(default.share_wait_s)),
        typical_run_s=section.seconds("typical_run", int(default.typical_run_s)),
        ramp_s=section.seconds("ramp", int(default.ramp_s)),
        remote_s=section.seconds("remote_cost", int(default.remote_s)),
        busy_remote_s=section.seconds("busy_remote_cost", int(default.busy_remote_s)),
        remote_readers=section.number("remote_readers", default.remote_readers),
        local_mb_s=section.number("local_mb_per_s", default.local_mb_s),
        remote_mb_s=section.number("remote_mb_per_s", default.remote_mb_s),
        patience_s=section.seconds("patience", int(default.patience_s)),
        min_gain_s=section.seconds("least_gain", int(default.min_gain_s)),
        min_gain=section.number("least_gain_share", default.min_gain),
        tail_share=section.number("tail_share", default.tail_share),
        tail_wait_s=section.seconds("tail_wait", int(default.tail_wait_s)),
        tail_gain_s=section.seconds("tail_gain", int(default.tail_gain_s)),
        lost_wait_s=section.seconds("lost_wait", int(default.lost_wait_s)),
        panda_rebroker_s=section.seconds("panda_rebroker", int(default.panda_rebroker_s)),
        overflow=section.lists("overflow", names.name),
    )


def _retry(section: document.Section | None, default: RetryPolicy) -> RetryPolicy:
    if section is None:
        return default
    return replace(
        default,
        retry=section.choice("mode", ("mend", "hold"), "mend" if default.retry else "hold") == "mend",
        tries=section.integer("tries", default.tries, at_most=100),
        delay_s=section.seconds("delay", int(default.delay_s)),
        most_delay_s=section.seconds("most_delay", int(default.most_delay_s)),
        growth=section.number("growth", default.growth),
        most_memory_mb=section.size_mb("most_memory", default.most_memory_mb),
        most_walltime_s=section.seconds("most_walltime", default.most_walltime_s),
        avoid_s=section.seconds("avoid", int(default.avoid_s)),
    )


def _running(section: document.Section | None, default: RunningPolicy) -> RunningPolicy:
    if section is None:
        return default
    return RunningPolicy(
        stop=section.choice("mode", ("vacate", "leave"), "vacate" if default.stop else "leave") == "vacate",
        look_s=section.seconds("look", int(default.look_s)),
        stuck_s=section.seconds("stuck", int(default.stuck_s)),
        active_share=section.number("active_share", default.active_share),
        most_share=section.number("most_share", default.most_share),
        least_gain_s=section.seconds("least_gain", int(default.least_gain_s)),
        margin=section.number("margin", default.margin),
    )
