"""What a glidein is made of: the files it needs and the job that carries them.

Pure text: nothing is written here. The scripts themselves are the files of `glidein_scripts/`.
"""

import hashlib
import ipaddress
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router import resources
from router.errors import UserError
from router.model.pilot import Entry
from router.render.templates import environment

CHECKS = (
    "check_scratch_space.sh",
    "check_memory.sh",
    "check_cpus.sh",
    "check_pool.sh",
    "check_clock.sh",
    "check_software.sh",
    "check_gpus.sh",
    "check_isolation.sh",
)
"""The validation scripts, in the order in which they run."""

STARTUP = "glidein_startup.sh"
MANIFEST = "manifest.sha256"
TOKEN = "token"  # noqa: S105, the name of a file

_PARTS = (
    "glidein_config.bash",
    "glidein_validation.bash",
    "glidein_condor.bash",
    "lib.bash",
    "add_config_line.source",
    "error_gen.sh",
    "condor_vars.lst",
    "job_wrapper.sh",
    "job_ended.bash",
    "startd.config",
)
_FAILURE_SLEEP = "GLIDEIN_Failure_Sleep"
_GRACE_S = 3600
"""How far beyond walltime a glidein may stay: a refused one sleeps, a slow site cleans up."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_COLLECTOR = re.compile(r"[A-Za-z0-9_.:\[\]<>?=&%+,*-]{1,1024}")
_SCHEDD = re.compile(r"[A-Za-z0-9@._-]{1,256}")


@dataclass(frozen=True, slots=True)
class PoolContact:
    """How a glidein finds the VO's pool and the HTCondor programs on its node."""

    collector: str
    """Address of the VO's collector, as COLLECTOR_HOST wants it."""
    trust_domain: str
    release_dir: str
    """Absolute path, on the worker node, of the folder with HTCondor's bin, sbin and libexec."""
    security: tuple[tuple[str, str], ...] = ()
    """Further HTCondor settings the pool wants of a glidein: name, value."""
    hidden: tuple[str, ...] = ()
    """Absolute paths on the worker node that no job may see: where the pool and its factory live on that node too."""
    read_mb_s: str = ""
    """`LOCAL:REMOTE`: what a job reads from its own site's storage, and from elsewhere, in MB per second, as brokerage
    counts it; empty: its defaults."""


@dataclass(frozen=True, slots=True)
class GlideinFile:
    """One file of a glidein's sandbox."""

    content: bytes = field(repr=False)
    """One of them is the token."""
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class GlideinJob:
    """Where the job of a glidein lies at the factory, and how many of it are wanted."""

    folder: str
    """Absolute path of the folder that holds the files of `glidein_files`."""
    log_dir: str
    """Absolute path of the folder for the jobs' outputs, named by job id."""
    schedd: str
    """Name of the factory's schedd, published by the glidein."""
    count: int = 1


def glidein_files(
    entry: Entry, contact: PoolContact, storage: Sequence[Mapping[str, object]], token: str, not_before: int = 0
) -> Mapping[str, GlideinFile]:
    """The files of one entry's glideins by name; `storage` is the site's storage.json, `token` the glidein's IDTOKEN.

    `not_before` is the factory's time in seconds since the epoch; a node whose clock is behind it is refused.
    Raises UserError, naming every fault, when a value cannot be carried.
    """
    _refuse_faults(entry, contact)
    scripts = resources.folder("glidein_scripts")
    files = {
        name: GlideinFile((scripts / name).read_bytes(), 0o755 if name.endswith(".sh") else 0o644)
        for name in (STARTUP, *_PARTS, *CHECKS)
    }
    files["file_list"] = _lines(*CHECKS)
    files["entry.params"] = _lines(*(f"{key} {value}" for key, value in _parameters(entry, contact, not_before)))
    files["pool.config"] = _lines(*(f"{name} = {value}" for name, value in _pool_settings(contact)))
    files["storage.json"] = GlideinFile(json.dumps(list(storage), indent=1).encode())
    digests = (f"{hashlib.sha256(file.content).hexdigest()}  {name}" for name, file in sorted(files.items()))
    files[MANIFEST] = _lines(*digests)
    files[TOKEN] = GlideinFile(f"{token.strip()}\n".encode(), 0o600)
    return files


def glidein_submit(entry: Entry, job: GlideinJob, files: Mapping[str, GlideinFile]) -> str:
    """The submit description of `job.count` glideins of `entry`, whose `files` lie in `job.folder`.

    Raises UserError when a path or name cannot stand in a submit description.
    """
    faults = [
        *_text_faults("folder", job.folder),
        *_text_faults("log_dir", job.log_dir),
        *_pattern_faults("schedd", job.schedd, _SCHEDD),
    ]
    if faults:
        raise UserError("The glidein's job cannot be described: " + "; ".join(faults) + ".")
    templates = environment(resources.folder("jdl_templates"), str)  # every value is checked above
    return templates.get_template("glidein.jdl.j2").render(glidein=_commands(entry, job, files))


def manifest_digest(files: Mapping[str, GlideinFile]) -> str:
    """SHA-256 of the manifest: the one value that travels in the job and seals all other files."""
    return hashlib.sha256(files[MANIFEST].content).hexdigest()


def _commands(entry: Entry, job: GlideinJob, files: Mapping[str, GlideinFile]) -> Mapping[str, str | int]:
    sleep = dict(entry.attributes).get(_FAILURE_SLEEP, "1199")
    arguments = (
        f"-manifest {manifest_digest(files)} -failure_sleep {sleep}"
        f" -clusterid $(ClusterId) -subcluster $(ProcId) -schedd {job.schedd}"
    )
    return {
        "universe": "grid" if entry.grid_resource else "local",
        "grid_resource": _literal(entry.grid_resource),
        "executable": _literal(f"{job.folder}/{STARTUP}"),
        "arguments": arguments,
        "folder": _literal(job.folder),
        "inputs": ", ".join(sorted(name for name in files if name != STARTUP)),
        "log_stem": f"{_literal(job.log_dir)}/$(ClusterId).$(ProcId)",
        # A schedd never starts a local-universe job that asks for more cores than its own machine has.
        "cpus": entry.cpus if entry.grid_resource else 1,
        "memory_mb": entry.memory_mb,
        "disk_kb": entry.disk_mb * 1024,
        "walltime_s": entry.walltime_s,
        "longest_s": entry.walltime_s + _GRACE_S,
        "name": entry.name,
        "name_text": json.dumps(entry.name),
        "site_text": json.dumps(entry.site),
        "count": job.count,
    }


def _parameters(entry: Entry, contact: PoolContact, not_before: int) -> list[tuple[str, str | int]]:
    """What glidein_config says of the entry, in GlideinWMS's keys where it has one."""
    return [
        *(pair for pair in entry.attributes if pair[0] != _FAILURE_SLEEP),
        ("GLIDEIN_Name", "glideroute"),
        ("GLIDEIN_Entry_Name", entry.name),
        ("GLIDEIN_Site", entry.site),
        ("GLIDEIN_CPUS", entry.cpus),
        ("GLIDEIN_MaxMemMBs", entry.memory_mb),
        ("GLIDEIN_Max_Walltime", entry.walltime_s),
        ("GLIDEIN_Max_Idle", entry.idle_s),
        ("GLIDEIN_Collector", contact.collector),
        ("CONDOR_DIR", contact.release_dir),
        ("ROUTER_DISK_MB", entry.disk_mb),
        ("ROUTER_PYTHON", entry.software.python),
        ("ROUTER_PYTHON_MODULES", ",".join(entry.software.modules)),
        ("ROUTER_SOFTWARE_TAGS", ",".join(entry.software.tags)),
        ("ROUTER_GPUS", entry.gpus.count),
        ("ROUTER_GPU_MEMORY_MB", entry.gpus.memory_mb),
        ("ROUTER_GPU_CAPABILITY", f"{entry.gpus.capability:g}"),
        ("ROUTER_NOT_BEFORE", not_before),
        ("ROUTER_READ_MB_S", contact.read_mb_s),
        ("ROUTER_HIDDEN", ":".join(contact.hidden)),
    ]


def _pool_settings(contact: PoolContact) -> list[tuple[str, str]]:
    """The pool's side of the glidein's HTCondor configuration."""
    settings = [("COLLECTOR_HOST", contact.collector), ("TRUST_DOMAIN", contact.trust_domain)]
    if _on_loopback(contact.collector):
        # A laptop's own name often has no address; asking the resolver for it would stop each daemon for minutes.
        settings += [
            ("NETWORK_INTERFACE", "127.0.0.1"),
            ("NO_DNS", "True"),
            ("DEFAULT_DOMAIN_NAME", contact.trust_domain),
        ]
    return [*settings, *contact.security]


def _on_loopback(collector: str) -> bool:
    """Whether the collector listens on this machine only; a glidein then must be there too."""
    host = collector.lstrip("<").split("?")[0].rsplit(":", 1)[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_faults(entry: Entry, contact: PoolContact) -> None:
    reserved = {key for key, _ in _parameters(Entry(entry.name, entry.site), contact, 0)}
    faults = [
        *_pattern_faults("name", entry.name, _NAME),
        *_pattern_faults("site", entry.site, _NAME),
        *_text_faults("software.python", entry.software.python),
        *_text_faults("grid_resource", entry.grid_resource),
        *_pattern_faults("collector", contact.collector, _COLLECTOR),
        *_pattern_faults("trust_domain", contact.trust_domain, _SCHEDD),
        *_text_faults("release_dir", contact.release_dir),
        *(fault for path in contact.hidden for fault in _text_faults("hidden path", path)),
        *(fault for module in entry.software.modules for fault in _pattern_faults("module", module, _KEY)),
        *(fault for key, value in entry.attributes for fault in _pair_faults("attribute", key, value)),
        *(fault for key, value in contact.security for fault in _pair_faults("security setting", key, value)),
        *(f"the attribute {key} is given by the entry itself" for key, _ in entry.attributes if key in reserved),
        *(
            f"{_FAILURE_SLEEP} is {value!r}, not a number of seconds"
            for key, value in entry.attributes
            if key == _FAILURE_SLEEP and not re.fullmatch(r"[0-9]{1,6}", value)
        ),
    ]
    if faults:
        raise UserError(f"No glidein can be made for entry {entry.name!r}: " + "; ".join(faults) + ".")


def _pair_faults(what: str, key: str, value: str) -> list[str]:
    return [*_pattern_faults(f"{what} name", key, _KEY), *_text_faults(f"{what} {key!r}", value)]


def _pattern_faults(what: str, text: str, pattern: re.Pattern[str]) -> list[str]:
    return [] if pattern.fullmatch(text) else [f"the {what} {text!r} is not of the form {pattern.pattern}"]


def _text_faults(what: str, text: str) -> list[str]:
    """One line of printable text only: every language of the way ends a value at the end of the line."""
    bad = sorted({char for char in text if unicodedata.category(char) in _UNPRINTABLE})
    faults = [f"the {what} has the character {char!a}" for char in bad]
    return [*faults, *([f"the {what} ends in a backslash"] if text.endswith("\\") else [])]


_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _literal(text: str) -> str:
    """`text` for a submit description, where $ would begin a macro."""
    return text.replace("$", "$(DOLLAR)")


def _lines(*lines: str) -> GlideinFile:
    return GlideinFile("".join(f"{line}\n" for line in lines).encode())
