#!/usr/bin/env python3
"""Runs one job on a worker node: stage in, run the payload, stage out, report.

Called as `run_job.py PART.json JOB` in the job's sandbox. It is shipped with every job, so it is one file, needs the
standard library of Python 3.9 and nothing else, and imports nothing of the router. Whatever happens, it leaves
`job_report.json` behind and ends with one of the exit codes of `CAUSES`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import urllib.parse
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CAUSES: dict[str, tuple[int, str]] = {
    "bad_description": (70, "The job description is not one this wrapper can run."),
    "stage_in_failed": (71, "An input could not be fetched from any replica, or a part to merge is missing."),
    "payload_failed": (72, "The payload ended with an error."),
    "output_missing": (73, "The payload ended well, but a promised output is missing or is no regular file."),
    "stage_out_failed": (74, "An output could not be written to the site's storage element."),
    "evicted": (75, "The job was told to stop (SIGTERM) before it had ended."),
    "wrapper_error": (76, "The wrapper itself failed."),
    "merge_failed": (77, "The parts were all there, but could not be merged."),
    "payload_memory": (78, "The payload failed having used more memory than it asked for, or was killed by SIGKILL."),
    "payload_not_started": (79, "The payload, or a program that it calls, could not be started on this node."),
    "payload_killed": (128, "The payload was killed by a signal, whose number is added to the code."),
}
NOT_STARTED = (126, 127)
"""What a shell ends with when a command cannot be executed, or is not found (POSIX, Shell Command Language 2.8.2)."""
REPORT = "job_report.json"
INPUTS = "glideroute_inputs"
REPORTS = "reports"
PARTIAL = re.compile(r"partial\d*-\d+")
"""Batches that merge what was there when somebody asked."""
XROOTD_SCHEMES = ("root", "roots", "xroot", "xroots")
SCHEMES = ("file", "http", "https", "dav", "davs", *XROOTD_SCHEMES)
NETWORK_TIMEOUT_S = 60
READ_MB_S = (100.0, 0.5)
"""What a job reads from its own site's storage, and from elsewhere, where the glidein does not say: the broker's."""
CHUNK = 1 << 20
BUNDLE_FILES = 10_000
"""Files in a packed folder, at most."""
CODE_FILES = 100
"""Files of code whose digests are reported, at most …"""
CODE_BYTES = 200_000_000
"""… and of so many bytes each; a digest of as many takes about half a second."""
NODE_FACTS = (
    *("Name", "Machine", "Arch", "OpSysAndVer", "CondorVersion", "GLIDEIN_Site", "GLIDEIN_Entry_Name"),
    *("ROUTER_PYTHON_VERSION", "ROUTER_MODULE_VERSIONS", "ROUTER_SOFTWARE"),
)
"""Attributes of the slot's ad that are reported: where a job ran, and with what software."""
KEEP = "SCRATCH_DIR|SLOT|JOB_AD|MACHINE_AD|JOB_IWD"
XROOTD = """\
import sys
try:
    from XRootD import client
except ImportError:
    sys.exit("neither xrdcp nor Python's XRootD is on this node")
def good(answer):
    return answer[1] if answer[0].ok else sys.exit(answer[0].message.strip())
action, url = sys.argv[1:]
file = client.File()
good(file.open(url))
if action == "size":
    print("Size:", good(file.stat()).size)
else:
    at = 0
    while block := good(file.read(at, 1 << 20)):
        sys.stdout.buffer.write(block)
        at += len(block)
"""
"""Reads a file by XRootD's Python client, where there is no xrdcp: a program of its own, which can be killed."""
XROOTD_LIMITS = {"XRD_CONNECTIONWINDOW": "20", "XRD_CONNECTIONRETRY": "1", "XRD_REQUESTTIMEOUT": "60"}
"""By default its client waits for ten minutes for a server that is down; in seconds but the second."""
SECRETS = re.compile(rf"_CONDOR_(?!({KEEP})$).*|BEARER_TOKEN.*|X509_USER_.*|CONDOR_CONFIG")


class Failure(Exception):
    """The job ends here; `cause` is a key of CAUSES, the message is for the person who owns the job."""

    def __init__(self, cause: str, message: str, killed_by: int = 0) -> None:
        super().__init__(message)
        self.cause = cause
        self.code = CAUSES[cause][0] + killed_by


class Evicted(BaseException):
    """SIGTERM came. No Exception, so that nothing which tries a next replica or volume takes it for a failed try."""


@dataclass(frozen=True)
class Replica:
    """One copy of an input."""

    se: str
    site: str
    pfn: str


@dataclass(frozen=True)
class Input:
    """A file the payload reads, and which of its events, or of its luminosity sections."""

    lfn: str
    size: int
    adler32: str
    first_event: int
    events: int
    replicas: tuple[Replica, ...]
    lumis: Mapping[str, list[list[int]]] | None = None
    share: float = 1.0
    """How much of the file is read, 0..1."""


@dataclass(frozen=True)
class Way:
    """One way to get at an input."""

    replica: Replica
    kind: str
    """`copy`, which is checked; `local` or `remote`: the payload reads the replica itself, where it lies."""
    seconds: float
    """What that is held to take, as the broker counts it."""


@dataclass(frozen=True)
class Output:
    """A file the payload promises, and the logical name it gets."""

    name: str
    lfn: str


@dataclass(frozen=True)
class Merge:
    """The inputs are the outputs of this name in the reports of the other jobs."""

    parts_of: str
    expected_parts: int
    jobs: frozenset[str] | None = None
    """Whose; None: all others'."""


@dataclass(frozen=True)
class Job:
    """A job description, checked."""

    task: str
    batch: str
    job: str
    executable: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    merge: Merge | None
    parameters: dict[str, str]
    """Its values where a task sweeps over some."""
    folder: str = ""
    """What came packed beside the program; empty: nothing."""
    access: str = "copy"
    """How inputs are got at: `copy` all, `remote` none, or `auto`, whatever takes least time."""


def file_name(value: Any) -> str:
    """A name that stays inside the directory it is put into; ValueError otherwise."""
    name = text(value)
    if name in ("", ".", "..") or not name.isprintable() or re.search(r"[/\\]", name):
        raise ValueError(f"{name!r} is no plain file name")
    if len(name.encode()) > 200:
        raise ValueError(f"{name[:80]!r}... is longer than 200 bytes")
    return name


def logical_name(value: Any) -> str:
    """An absolute LFN in its one canonical form; ValueError otherwise."""
    lfn = text(value)
    if not lfn.startswith("/") or len(lfn) > 1024 or "%" in lfn:
        raise ValueError(f"{lfn[:80]!r} is no logical file name: it must start with / and contain no %")
    for part in lfn[1:].split("/"):
        file_name(part)
    return lfn


def physical_name(value: Any) -> str:
    """A PFN of an allowed scheme; a local path without `..` when it is a file; ValueError otherwise."""
    pfn = text(value)
    scheme, colon, rest = pfn.partition("://")
    if not colon or scheme not in SCHEMES or not pfn.isprintable():
        raise ValueError(f"{pfn[:80]!r} is not readable here: only {', '.join(SCHEMES)} are")
    if "@" in rest.partition("/")[0] or rest.startswith("-"):
        raise ValueError(f"{pfn[:80]!r} is not readable here: it names a user, or no host")
    if scheme in XROOTD_SCHEMES and re.search(r"[?#]", rest):
        raise ValueError(f"{pfn[:80]!r} is not readable here: it has options")
    if scheme == "file" and not rest.startswith(("/", "localhost/")):
        raise ValueError(f"{pfn!r} names another host; a file is only readable where it lies")
    if ".." in urllib.parse.unquote(rest).split("/") or "\0" in urllib.parse.unquote(rest):
        raise ValueError(f"{pfn!r} climbs out of its directory")
    return pfn


def text(value: Any) -> str:
    """A string that can be given to a program as UTF-8; ValueError otherwise."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r} is no text")
    value.encode("utf-8")
    return value


def count(value: Any) -> int:
    """A number that is 0 or more; ValueError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def checksum(value: Any) -> str:
    """An adler32 as 8 lower-case hexadecimal digits; ValueError otherwise."""
    digits = text(value).lower()
    if not re.fullmatch("[0-9a-f]{8}", digits):
        raise ValueError(f"{digits!r} is no adler32")
    return digits


def variable(value: Any) -> str:
    """A name that an environment can hold; ValueError otherwise."""
    if not text(value) or "=" in value:
        raise ValueError(f"{value!r} is no name of an environment variable")
    return text(value)


def access(value: Any) -> str:
    """How inputs are got at; ValueError otherwise."""
    if value not in ("copy", "auto", "remote"):
        raise ValueError(f"{value!r} is no way to get at inputs")
    return text(value)


def sections(value: Any) -> dict[str, list[list[int]]]:
    """Luminosity sections: by run, the first and the last of each range; ValueError or TypeError otherwise."""
    if not isinstance(value, dict):
        raise ValueError("its luminosity sections are no mapping")
    return {text(run): [[count(first), count(last)] for first, last in pairs] for run, pairs in value.items()}


def read_input(ad: Mapping[str, Any]) -> Input:
    """An input as described; KeyError, TypeError or ValueError when it is not."""
    copies = tuple(Replica(text(r["se"]), text(r["site"]), physical_name(r["pfn"])) for r in ad["replicas"])
    first, events = count(ad["first_event"]), count(ad["events"])
    lumis = sections(ad["lumis"]) if "lumis" in ad else None
    named = logical_name(ad["lfn"]), count(ad["size"]), checksum(ad["adler32"])
    whole = count(ad.get("file_events", 0))
    return Input(*named, first, events, copies, lumis, min(1.0, events / whole) if whole else 1.0)


def read_job(path: str, name: str) -> Job:
    """The description of the job `name` among those in the file at `path`; Failure when it cannot be run."""
    try:
        part = json.loads(Path(path).read_bytes())
        if part["version"] != 2:
            raise ValueError(f"version {part['version']!r} is not 2, the only one this wrapper knows")
        if name not in part["jobs"]:
            raise ValueError(f"it describes no job {name!r}")
        ad = {**part, **part["jobs"][name]}
        if not isinstance(ad["arguments"], list):
            raise ValueError("its arguments are no list")
        merge = ad.get("merge")
        return Job(
            task=file_name(ad["task"]),
            batch=file_name(ad["batch"]),
            job=file_name(name),
            executable=file_name(ad["executable"]),
            arguments=tuple(text(argument) for argument in ad["arguments"]),
            environment={variable(name): text(v) for name, v in ad["environment"].items()},
            inputs=tuple(read_input(one) for one in ad["inputs"]),
            outputs=tuple(Output(file_name(o["name"]), logical_name(o["lfn"])) for o in ad["outputs"]),
            merge=None if merge is None else read_merge(merge),
            folder=file_name(ad["folder"]) if "folder" in ad else "",
            access=access(ad.get("access", "copy")),
            parameters={text(name): text(value) for name, value in ad.get("parameters", {}).items()},
        )
    except KeyError as missing:
        raise Failure("bad_description", f"{path} does not say {missing}") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as why:
        raise Failure("bad_description", f"{path} is no job description: {why}") from None


def read_merge(ad: Mapping[str, Any]) -> Merge:
    """What to merge, as described; KeyError, TypeError or ValueError when it is not."""
    jobs = frozenset(file_name(name) for name in ad["jobs"]) if "jobs" in ad else None
    return Merge(file_name(ad["parts_of"]), count(ad["expected_parts"]), jobs)


def merge_inputs(job: Job, merge: Merge) -> tuple[Input, ...]:
    """The parts to merge, ordered by job, from the reports that came with the job; Failure unless all are there."""
    parts: dict[str, Input] = {}
    for path in sorted(Path(REPORTS).glob("*.json")):
        try:
            report = json.loads(path.read_bytes())
            if report["batch"] == job.batch or PARTIAL.fullmatch(report["batch"]):
                continue  # of another merge job, or of this one's earlier try; or it joins what is a part already
            if merge.jobs is not None and report["job"] not in merge.jobs:
                continue
            part = read_part(job, merge, report)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as why:
            raise Failure("stage_in_failed", f"{path} gives no part to merge: {why}") from None
        if report["job"] in parts:
            raise Failure("stage_in_failed", f"two reports speak for job {report['job']}; its part would count twice")
        parts[report["job"]] = part
    if len(parts) != merge.expected_parts:
        found = f"{len(parts)} parts of {merge.parts_of} are there, {merge.expected_parts} are expected"
        raise Failure("stage_in_failed", f"{found}; merging them would lose events")
    return tuple(parts[name] for name in sorted(parts, key=lambda name: (len(name), name)))


def read_part(job: Job, merge: Merge, report: Mapping[str, Any]) -> Input:
    """The part that one report promises; KeyError, TypeError or ValueError when it promises none."""
    if report["task"] != job.task:
        raise ValueError(f"it belongs to task {report['task']}, not {job.task}")
    file_name(report["job"])
    if report["exit_code"] != 0:
        raise ValueError(f"its job ended with exit code {report['exit_code']}")
    outputs = [output for output in report["outputs"] if output["name"] == merge.parts_of]
    if len(outputs) != 1:
        raise ValueError(f"it lists {len(outputs)} outputs named {merge.parts_of}, not 1")
    return read_input({**outputs[0], "first_event": 0, "events": report["events"], "replicas": outputs})


def adler32_copy(source: IO[bytes], target: IO[bytes] | None, limit: int | None = None) -> tuple[int, str]:
    """Copy to the end, or just read; return size and adler32. ValueError as soon as `limit` bytes are passed."""
    size, adler = 0, 1
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if limit is not None and size > limit:
            raise ValueError(f"it is longer than the {limit} bytes the catalogue says")
        adler = zlib.adler32(chunk, adler)
        if target is not None:
            target.write(chunk)
    return size, f"{adler:08x}"


def local_path(pfn: str) -> Path:
    """The path that a file PFN names."""
    rest = urllib.parse.unquote(physical_name(pfn)[len("file://") :])
    return Path(rest[rest.index("/") :])


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file; OSError or ValueError for anything else, a symbolic link or a named pipe too."""
    if path.is_symlink():
        raise ValueError("it is a symbolic link, and what it points to may lie outside the job's directory")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no regular file")
    return os.fdopen(descriptor, "rb")


@dataclass(frozen=True)
class Written:
    """What a program writes, as a stream."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end. OSError, with the program's last words, when it failed."""
        if chunk := self.process.stdout.read(size):  # type: ignore[union-attr]
            return bytes(chunk)
        if self.process.wait():
            self.errors.seek(0)
            words = self.errors.read(100_000).decode("utf-8", "replace").strip().split("\n")[-1]
            raise OSError(words or f"{self.process.args!r} ended with {self.process.returncode}")
        return b""


@contextlib.contextmanager
def written_by(*command: str) -> Iterator[Written]:
    """Run a program; it does not outlive the block. OSError when it cannot be started."""
    environment = {**XROOTD_LIMITS, **os.environ}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process,
    ):
        try:
            yield Written(process, errors)
        finally:
            process.kill()


def xrootd(action: str, pfn: str) -> contextlib.AbstractContextManager[Written]:
    """What XRootD's client says: the bytes of a file (`read`), or its `size`; OSError when there is none."""
    if not shutil.which("xrdcp"):
        return written_by(sys.executable, "-c", XROOTD, action, pfn)
    if action == "read":
        return written_by("xrdcp", "--silent", "--nopbar", pfn, "-")
    scheme, _, rest = pfn.partition("://")
    server, _, path = rest.partition("/")
    return written_by("xrdfs", f"{scheme}://{server}", "stat", f"/{path.lstrip('/')}")


def same_storage(host: str, other: str) -> bool:
    """Whether a storage at `host` may send its readers on to `other`: to itself, or to a server of its domain.

    Storages of many disk servers do so; nobody gets a job to ask a service of another organisation, or of the node.
    """
    domain = host.partition(".")[2]
    return host == other or bool(re.fullmatch(r"([\w-]+\.)+[a-z]+", domain) and other.endswith(f".{domain}"))


def http_opener() -> Any:
    """What opens a URL of http or https, and a redirect within the same storage."""
    import urllib.error  # half of the wrapper's start-up time, and few jobs need it
    import urllib.request

    class Redirect(urllib.request.HTTPRedirectHandler):
        """Redirects are usual; one that leaves the storage is an error."""

        def redirect_request(self, request: Any, answer: Any, *told: Any) -> Any:
            """The request for where the server sends us."""
            host, target = urllib.parse.urlsplit(request.full_url), urllib.parse.urlsplit(told[-1])
            if not same_storage(host.hostname or "", target.hostname or ""):
                raise urllib.error.URLError(f"it redirects to {told[-1]!r}, which is not of {host.hostname}")
            return super().redirect_request(request, answer, *told)

    # No handler for ftp, file or data: a storage's redirect stays within http and https.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        Redirect(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def http_url(pfn: str) -> str:
    """The URL of http that a PFN means."""
    return urllib.parse.quote(re.sub("^dav", "http", pfn), safe="%/:=&?~#+!$,;'@()*[]")


def open_replica(pfn: str) -> Any:
    """A readable stream of a replica's bytes; OSError when there is none."""
    if pfn.startswith("file:"):
        return local_path(pfn).open("rb")
    if pfn.startswith(XROOTD_SCHEMES):
        return xrootd("read", pfn)
    return http_opener().open(http_url(pfn), timeout=NETWORK_TIMEOUT_S)


def fetch(replica: Replica, wanted: Input, into: Path) -> None:
    """Copy a replica and check it against the catalogue; OSError or ValueError, and no file, when that fails."""
    try:
        with open_replica(replica.pfn) as source, into.open("wb") as target:
            size, adler = adler32_copy(source, target, wanted.size)
        if (size, adler) != (wanted.size, wanted.adler32):
            catalogue = f"the catalogue says {wanted.size} bytes, adler32 {wanted.adler32}"
            raise ValueError(f"it has {size} bytes, adler32 {adler}; {catalogue}")
    except BaseException:
        into.unlink(missing_ok=True)
        raise


def made_since(wanted: Input, site: str) -> list[Replica]:
    """The copy at this site's own storage, if one was made there since the job was described."""
    if any(replica.site == site for replica in wanted.replicas):
        return []
    try:
        storage = read_storage()
        found = [Replica(se, at, pfn) for se, at, pfn in destinations(wanted.lfn, site, storage) if at == site]
        return [replica for replica in found if local_path(replica.pfn).is_file()]
    except (Failure, OSError, ValueError, LookupError, TypeError, re.error):
        return []  # outputs will tell what is wrong with the description


def read_rates() -> tuple[float, float]:
    """What a job here reads from its own site's storage, and from elsewhere, in MB (10^6 bytes) per second."""
    try:
        near, far = map(float, os.environ.get("ROUTER_READ_MB_S", "").split(":"))
    except ValueError:
        return READ_MB_S
    return (near, far) if near > 0 and far > 0 else READ_MB_S


def ways(wanted: Input, site: str, how: str, rates: tuple[float, float]) -> list[Way]:
    """The ways to get at an input, the best first.

    A copy takes the whole file, and reading it where it lies takes what is asked of it; a file of the own site's
    storage needs no copy at all. Of what takes as long a copy comes first, since it is checked.
    """
    listed = [*made_since(wanted, site), *wanted.replicas]
    found = []
    for replica in listed:
        near, mounted = replica.site == site, replica.pfn.startswith("file:")
        seconds = wanted.size / 1e6 / rates[0 if near else 1]
        if how != "copy" and (near or not mounted):
            found.append(Way(replica, "local" if mounted else "remote", seconds * wanted.share))
        if how != "remote":
            found.append(Way(replica, "copy", seconds))
    if how == "copy":
        return sorted(found, key=lambda way: way.replica.site != site)
    return sorted(found, key=lambda way: (way.seconds, ("local", "copy", "remote").index(way.kind)))


def size_at(pfn: str) -> int:
    """The size of a file where it lies; OSError when there is none, ValueError when nobody says."""
    if pfn.startswith("file:"):
        return local_path(pfn).stat().st_size
    if pfn.startswith(XROOTD_SCHEMES):
        with xrootd("size", pfn) as stream:
            lines = b"".join(iter(lambda: stream.read(CHUNK), b"")).decode("utf-8", "replace")
        told = dict(line.partition(":")[::2] for line in lines.splitlines()).get("Size", "")
    else:
        with http_opener().open(http_url(pfn), timeout=NETWORK_TIMEOUT_S) as answer:
            told = answer.headers.get("Content-Length", "")
    if not told.strip().isdecimal():
        raise ValueError("its storage does not say how long it is")
    return int(told)


def reached(way: Way, wanted: Input, into: Path) -> str:
    """Where the payload finds an input got at in a way; OSError or ValueError when that fails."""
    if way.kind == "copy":
        fetch(way.replica, wanted, into)
        return str(into)
    if (size := size_at(way.replica.pfn)) != wanted.size:
        raise ValueError(f"it has {size} bytes, and the catalogue says {wanted.size}")
    return str(local_path(way.replica.pfn)) if way.kind == "local" else way.replica.pfn


def stage_in(wanted: Input, job: Job, site: str, into: Path, report: dict[str, Any]) -> tuple[str, str]:
    """Get at an input in the best way that works: where it is, and the kind of way; Failure when none does."""
    started = time.monotonic()
    failed: list[dict[str, str]] = []
    for way in ways(wanted, site, job.access, read_rates()):
        replica = way.replica
        try:
            place = reached(way, wanted, into)
        except Exception as why:  # http.client raises much besides OSError; each means: try the next replica
            failed.append({"se": replica.se, "pfn": replica.pfn, "error": str(why) or repr(why)})
            continue
        size = wanted.size if way.kind == "copy" else round(wanted.size * wanted.share)
        entry = {"lfn": wanted.lfn, "se": replica.se, "pfn": replica.pfn, "access": way.kind, "bytes": size}
        checked = {"adler32": wanted.adler32} if way.kind == "copy" else {}
        report["inputs"].append({**entry, **checked, "seconds": elapsed(started), "failed": failed})
        return place, way.kind
    entry = {"lfn": wanted.lfn, "se": None, "pfn": None, "bytes": 0}
    report["inputs"].append({**entry, "seconds": elapsed(started), "failed": failed})
    reasons = "; ".join(f"{one['se']}: {one['error']}" for one in failed) or "it has no replica"
    raise Failure("stage_in_failed", f"could not fetch {wanted.lfn}: {reasons}")


def stage_in_all(inputs: Sequence[Input], job: Job, site: str, report: dict[str, Any]) -> Path:
    """Get at every input; return the list that the payload reads. Names may repeat, so each gets its own folder."""
    entries = []
    for number, wanted in enumerate(inputs):
        into = Path.cwd() / INPUTS / f"{number:04d}" / wanted.lfn.rsplit("/", 1)[1]
        into.parent.mkdir(parents=True, exist_ok=True)
        place, kind = stage_in(wanted, job, site, into, report)
        events: dict[str, Any] = {"first_event": wanted.first_event, "events": wanted.events}
        if wanted.lumis is not None:
            events["lumis"] = wanted.lumis
        if job.access != "copy":
            events["access"] = kind
        entries.append({"lfn": wanted.lfn, "path": place, **events})
    listing = Path.cwd() / INPUTS / "inputs.json"
    listing.parent.mkdir(exist_ok=True)
    listing.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    return listing


def translate(lfn: str, rules: Mapping[str, Sequence[Mapping[str, str]]], protocol: str, depth: int = 0) -> str | None:
    """The PFN that a volume's rules give, or None.

    As CMSSW does it: the first rule wins whose pattern matches the whole LFN; a chained protocol is applied first,
    and the rule's groups are then taken from the name it gave.
    """
    if depth > len(rules):
        raise ValueError(f"the chain of protocol {protocol!r} never ends")
    for rule in rules.get(protocol, ()):
        if not re.fullmatch(rule["lfn"], lfn):
            continue
        name: str | None = lfn
        if chain := rule.get("chain"):
            name = translate(lfn, rules, chain, depth + 1)
        found = re.fullmatch(rule["lfn"], name) if name else None
        if found:
            return found.expand(re.sub(r"\$(\d)", r"\\g<\1>", rule["pfn"].replace("\\", r"\\")))
    return None


def volume_rules(volume: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """A volume's rules by protocol; a prefix is the rule it stands for."""
    rules: dict[str, list[dict[str, str]]] = {}
    for entry in volume["protocols"]:
        if "prefix" in entry:
            prefix = {"lfn": "/?(.*)", "pfn": entry["prefix"].rstrip("/") + "/$1"}
            rules.setdefault(entry["protocol"], []).append(prefix)
        rules.setdefault(entry["protocol"], []).extend(entry.get("rules", ()))
    return rules


def destinations(lfn: str, site: str, storage: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Where an LFN may be kept: (SE, its site, PFN), this site's own volumes first, then those it falls back to.

    Only disk that is written as files.
    """
    own = [volume for volume in storage if volume["site"] == site]
    for volume in [*own, *(volume for volume in storage if site in volume.get("fallback_of", ()))]:
        writable = {e["protocol"] for e in volume["protocols"] if e.get("access", "").endswith("-rw")}
        if volume.get("type") == "TAPE" or "file" not in writable:
            continue
        pfn = translate(lfn, volume_rules(volume), "file")
        if pfn:
            yield volume["rse"], volume["site"], pfn


def read_back(path: Path) -> tuple[int, str]:
    """Size and adler32 of what a file holds; OSError."""
    with path.open("rb") as content:
        return adler32_copy(content, None)


@dataclass(frozen=True)
class Staged:
    """An output that lies verified beside its place."""

    part: Path
    final: Path
    own: bool
    """Whether the name is this task's: an earlier try of the same job may have written it, and is replaced."""
    told: dict[str, Any]

    def refuse_taken(self) -> None:
        """ValueError where the place is taken by another file, which is not this task's to replace."""
        if not self.own and self.final.exists() and read_back(self.final) != (self.told["size"], self.told["adler32"]):
            raise ValueError("another file has this name, and it is not this task's to replace")

    def put_in_place(self) -> None:
        """Give the complete file its name; OSError, or ValueError where it is taken."""
        if self.own:
            self.part.replace(self.final)
        else:
            try:
                os.link(self.part, self.final)
            except FileExistsError:
                self.refuse_taken()
        directory = os.open(self.final.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def write_beside(source: Path, final: Path, own: bool, told: Mapping[str, Any]) -> Staged:
    """Write a file beside its final place and read it back; OSError or ValueError, and no file, when that fails.

    A part file that a kill leaves behind is never taken for the file, and a reader never sees half of one.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.name}.part-{uuid.uuid4().hex}")
    try:
        with open_regular(source) as content, part.open("xb") as target:
            size, adler = adler32_copy(content, target)
            target.flush()
            os.fsync(target.fileno())
        if read_back(part) != (size, adler):
            raise ValueError("the storage gives back other bytes than were written")
        staged = Staged(part, final, own, {**told, "size": size, "adler32": adler})
        staged.refuse_taken()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return staged


def stage_out_all(job: Job, site: str, storage: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write all outputs, and put them in place when all are verified; Failure, and none in place, when one cannot be.

    What is in place when a later one cannot be put there, or when a kill comes between, the next try replaces.
    """
    staged: list[Staged] = []
    try:
        for output in job.outputs:
            staged.append(stage_out(output, job, site, storage))
        for each in staged:
            each.put_in_place()
    except (OSError, ValueError) as why:
        raise Failure("stage_out_failed", f"could not put the outputs in place: {why}") from None
    finally:
        for each in staged:
            each.part.unlink(missing_ok=True)
    return [each.told for each in staged]


def stage_out(output: Output, job: Job, site: str, storage: Sequence[Mapping[str, Any]]) -> Staged:
    """Write an output beside its place at the first volume of the site that takes it; Failure when none does."""
    own = job.task in output.lfn.split("/")[:-1]
    failed: list[str] = []
    try:
        for se, at, pfn in destinations(output.lfn, site, storage):
            told = {"name": output.name, "lfn": output.lfn, "se": se, "site": at, "pfn": pfn}
            try:
                return write_beside(Path(output.name), local_path(pfn), own, told)
            except (OSError, ValueError) as why:
                failed.append(f"{se}: {why}")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, re.error) as why:
        failed.append(f"the storage description of site {site} is wrong: {why!r}")
    reasons = "; ".join(failed) or f"site {site or '(unnamed)'} has no storage whose rules take it"
    raise Failure("stage_out_failed", f"could not write {output.lfn}: {reasons}")


def code_digests(description: str) -> dict[str, str]:
    """SHA-256 of the files that came with the job beside its description, by name; a large one is left out."""
    found = {}
    for path in sorted(Path().iterdir())[:CODE_FILES]:
        if path.name == description or path.name.startswith((".", "_condor_")):
            continue
        with contextlib.suppress(OSError):
            if not path.is_symlink() and path.is_file() and path.stat().st_size <= CODE_BYTES:
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def node_facts() -> dict[str, str]:
    """What the glidein says of itself and of the node in the slot's ad; nothing where there is none."""
    try:
        ad = Path(os.environ.get("_CONDOR_MACHINE_AD", "")).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    told = re.findall(r'^(\w+) = (?:"((?:[^"\\]|\\.)*)"|(\d+))$', ad, re.MULTILINE)
    return {name: text[:300] or number for name, text, number in told if name in NODE_FACTS}


def read_storage() -> list[dict[str, Any]]:
    """The storage description the glidein names; Failure when there is none to read."""
    path = os.environ.get("GLIDEROUTE_STORAGE", "")
    if not path:
        raise Failure("stage_out_failed", "the site says not where outputs go: GLIDEROUTE_STORAGE is not set")
    try:
        storage = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as why:
        raise Failure("stage_out_failed", f"cannot read the site's storage description {path}: {why}") from None
    if not isinstance(storage, list):
        raise Failure("stage_out_failed", f"the site's storage description {path} is no list of volumes")
    return storage


def wait_for_end(payload: int) -> None:
    """Return when a child has ended, which is left to be reaped.

    A signal that came just before a blocking waitid would be heard by Python only after it. One that comes before a
    select has written to the pipe by then.
    """
    heard, told = os.pipe()
    for end in (heard, told):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    of_children = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        while os.waitid(os.P_PID, payload, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            select.select([heard], [], [])
            os.read(heard, 4096)
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGCHLD, of_children)
        os.close(heard)
        os.close(told)


class Eviction:
    """What SIGTERM does: it ends the wrapper's own work at once, and a payload's with a grace."""

    def __init__(self) -> None:
        self.grace_s = 5.0  # less than the 10 s a glidein leaves, so that the report is written in time
        self.asked = False
        self.shielded = False
        self.payload: int | None = None

    def listen(self) -> None:
        """From now on SIGTERM and SIGINT come here."""
        signal.signal(signal.SIGTERM, self.heard)
        signal.signal(signal.SIGINT, self.heard)

    def ignore(self) -> None:
        """From now on nothing can change how the job ended, not even while the interpreter shuts down."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def heard(self, *_: object) -> None:
        """Stop once; what is heard later changes nothing."""
        if self.asked:
            return
        self.asked = True
        if not self.shielded:
            raise Evicted
        self.end_payload()

    def end_payload(self) -> None:
        """Ask the payload to stop, and kill it when its grace is over."""
        self.signal_payload(signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: self.signal_payload(signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, self.grace_s)

    def signal_payload(self, number: int) -> None:
        """Send a signal to the payload and all it started."""
        if self.payload is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.payload, number)

    def wait_for(self, payload: int) -> tuple[int, resource.struct_rusage]:
        """Wait for the payload, leaving nothing of it behind; its exit code (signals negative) and what it used."""
        self.payload = payload
        if self.asked:
            self.end_payload()
        wait_for_end(payload)
        self.signal_payload(signal.SIGKILL)
        _, status, usage = os.wait4(payload, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.payload = None
        return os.waitstatus_to_exitcode(status), usage


def payload_environment(job: Job, listing: Path) -> dict[bytes, bytes]:
    """This environment without the pilot's credentials, then the job's own, then what we promise."""
    environment = {n: v for n, v in os.environb.items() if not SECRETS.fullmatch(os.fsdecode(n))}
    ours = {"GLIDEROUTE_INPUTS": str(listing), "GLIDEROUTE_TASK": job.task, "GLIDEROUTE_JOB": job.job}
    if job.parameters:
        ours["GLIDEROUTE_PARAMETERS"] = json.dumps(job.parameters)
    for name, value in {**job.environment, **ours}.items():
        environment[name.encode()] = value.encode()
    return environment


def check_bundle(bundle: Path) -> None:
    """Failure unless a packed folder has the bytes that were submitted.

    HTCondor gives all jobs of a cluster on a node the same file, and a program of theirs may have changed it.
    """
    try:
        wanted = Path(f"{bundle}.sha256").read_text(encoding="ascii").strip()
        digest = hashlib.sha256()
        with open_regular(bundle) as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    except (OSError, ValueError) as why:
        raise Failure("stage_in_failed", f"{bundle} did not come with the job: {why}") from None
    if digest.hexdigest() != wanted:
        raise Failure(
            "stage_in_failed",
            f"{bundle} has other bytes here than were submitted (SHA-256 {digest.hexdigest()}, not {wanted[:64]}): it "
            "came damaged, or a program of this task changed it on this node",
        )


def unpack(bundle: Path, into: Path) -> None:
    """Unpack a folder of the user's; Failure for anything but new ordinary files inside it."""
    try:
        into.mkdir()
        with tarfile.open(bundle, "r:gz") as tar:
            for number, member in enumerate(tar):
                parts = member.name.split("/")
                if number >= BUNDLE_FILES or not member.isreg() or not all(map(file_name, parts)):
                    raise ValueError(f"{member.name[:200]!r} is no ordinary file inside it, or one too many")
                path = into.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                with path.open("xb") as target:
                    shutil.copyfileobj(content, target, CHUNK)  # type: ignore[arg-type]
                path.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
    except (OSError, ValueError, EOFError, zlib.error, tarfile.TarError) as why:
        raise Failure("bad_description", f"{bundle} cannot be unpacked: {why}") from None


def run_payload(job: Job, listing: Path, eviction: Eviction, report: dict[str, Any]) -> None:
    """Run the payload to its end; Failure when it ends badly, Evicted when it was told to stop."""
    program = Path.cwd() / job.executable
    started = time.monotonic()
    eviction.shielded = True
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        # Bytes, so that arguments arrive as they were written whatever the node's locale is.
        command = [os.fsencode(program), *(argument.encode() for argument in job.arguments)]
        environment = payload_environment(job, listing)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)
    except OSError as why:
        needs = "a script needs a first line such as #!/usr/bin/env python3, and that program on the node"
        raise Failure("payload_not_started", f"{job.executable} could not be started: {why}; {needs}") from None
    process.returncode, usage = eviction.wait_for(process.pid)
    code = process.returncode
    report["payload"] = {
        "exit_code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "seconds": elapsed(started),
        "max_rss_kb": usage.ru_maxrss,
    }
    eviction.shielded = False
    if eviction.asked:
        raise Evicted
    if code:
        raise ended_badly(job, code, usage.ru_maxrss)


def ended_badly(job: Job, code: int, max_rss_kb: int) -> Failure:
    """Why a payload ended with this exit code (signals negative), as far as the code and its memory tell."""
    # A shell passes on the death of its last command as 128 and the signal's number.
    signalled = -code if code < 0 else code - 128 if 128 < code <= 128 + signal.SIGRTMAX else 0
    how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
    asked_mb = memory_asked_mb()
    used = f"it used {max_rss_kb // 1024} MB of memory and asked for {asked_mb}" if asked_mb else ""
    more = "the job's output and error files say more"
    if signalled == signal.SIGKILL or (asked_mb and max_rss_kb > asked_mb * 1024):
        return Failure("payload_memory", "; ".join(part for part in (f"{job.executable} {how}", used, more) if part))
    if signalled:
        return Failure("payload_killed", f"{job.executable} {how}; {more}", signalled)
    if code in NOT_STARTED:
        return Failure("payload_not_started", f"{job.executable} {how}: a command was not found or not run; {more}")
    return Failure("merge_failed" if job.merge else "payload_failed", f"{job.executable} {how}; {more}")


def memory_asked_mb() -> int:
    """The job's RequestMemory; 0 where nobody says."""
    try:
        ad = Path(os.environ.get("_CONDOR_JOB_AD", "")).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^RequestMemory = (\d+)$", ad, re.MULTILINE)
    return int(found.group(1)) if found else 0


def perform(arguments: Sequence[str], eviction: Eviction, report: dict[str, Any]) -> None:
    """Do the job, filling the report on the way; Failure or Evicted when it does not end well."""
    if len(arguments) != 2:
        raise Failure("bad_description", "usage: run_job.py PART.json JOB")
    eviction.grace_s = float(os.environ.get("GLIDEROUTE_GRACE_S", eviction.grace_s))
    job = read_job(*arguments)
    report.update(task=job.task, batch=job.batch, job=job.job, parameters=job.parameters)
    report.update(code=code_digests(arguments[0]), node=node_facts())
    inputs = merge_inputs(job, job.merge) if job.merge else job.inputs
    storage = read_storage() if job.outputs else []
    if job.folder:
        check_bundle(Path(f"{job.folder}.tar.gz"))
        unpack(Path(f"{job.folder}.tar.gz"), Path(job.folder))
    run_payload(job, stage_in_all(inputs, job, report["site"], report), eviction, report)
    check_outputs(job)
    report["outputs"] = stage_out_all(job, report["site"], storage)
    report["events"] = sum(one.events for one in inputs)


def check_outputs(job: Job) -> None:
    """Failure unless every promised output is a regular file in the sandbox."""
    faults = []
    for output in job.outputs:
        try:
            open_regular(Path(output.name)).close()
        except FileNotFoundError:
            faults.append(f"{output.name} was not written")
        except (OSError, ValueError) as why:
            faults.append(f"{output.name}: {why}")
    if faults:
        raise Failure("output_missing", f"the payload ended well, but not as promised: {'; '.join(faults)}")


def attempt(arguments: Sequence[str], report: dict[str, Any]) -> Failure | None:
    """Do the job, whatever comes; how it failed, if it did."""
    eviction = Eviction()
    outcome: Failure | None = None
    try:
        try:
            eviction.listen()
            perform(arguments, eviction, report)
        except Failure as failure:
            outcome = failure
        except Exception as bug:
            line = traceback.extract_tb(bug.__traceback__)[-1].lineno
            outcome = Failure("wrapper_error", f"the job wrapper failed, not your program: {bug!r} in line {line}")
        eviction.ignore()
    except Evicted:
        eviction.ignore()
        outcome = Failure("evicted", "the job was told to stop (SIGTERM) before it had ended")
    return outcome


def elapsed(since: float) -> float:
    """Seconds since a reading of the monotonic clock."""
    return round(time.monotonic() - since, 3)


def write_report(report: Mapping[str, Any]) -> None:
    """Put the report in place, whole or not at all; OSError when that fails."""
    descriptor, part = tempfile.mkstemp(prefix=".job_report-", dir=".")
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        json.dump(report, target, indent=1)
    Path(part).chmod(0o644)
    Path(part).replace(REPORT)


def main(arguments: Sequence[str]) -> int:
    """Do the job and report; the exit code is 0 or one of CAUSES."""
    report: dict[str, Any] = {"version": 1, "task": None, "batch": None, "job": None}
    site = os.environ.get("GLIDEIN_Site", "")  # noqa: SIM112 (GlideinWMS spells it so)
    report.update(site=site, host=socket.gethostname(), started=round(time.time(), 3))
    report.update(payload=None, events=0, code={}, node={}, inputs=[], outputs=[])
    failure = attempt(arguments, report)
    code = failure.code if failure else 0
    message = str(failure or "the job ended well")
    report.update(
        ended=round(time.time(), 3), exit_code=code, cause=failure.cause if failure else None, message=message
    )
    if failure:
        sys.stderr.write(f"glideroute: {message}\n")
    try:
        write_report(report)
    except OSError as why:
        sys.stderr.write(f"glideroute: could not write {REPORT}: {why}\n")
        return code or CAUSES["wrapper_error"][0]
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
