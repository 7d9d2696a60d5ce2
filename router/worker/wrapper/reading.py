"""Bytes of a replica: a mounted file's, a web server's, or those that XRootD's client reads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import urllib.parse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from router.worker.wrapper.description import XROOTD_SCHEMES, physical_name
from router.worker.wrapper.token import shown_to

if TYPE_CHECKING:
    import ssl

NETWORK_TIMEOUT_S = 60
CHUNK = 1 << 20
XROOTD = """\
import sys
sys.path[:] = [place for place in sys.path if place]
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
"""Reads a file by XRootD's Python client, where there is no xrdcp: a program of its own, which can be killed.

Its first line keeps modules of the job's own directory out."""
XROOTD_LIMITS = {"XRD_CONNECTIONWINDOW": "20", "XRD_CONNECTIONRETRY": "1", "XRD_REQUESTTIMEOUT": "60"}
"""By default its client waits for ten minutes for a server that is down; in seconds but the second."""


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


@cache
def trust() -> ssl.SSLContext:
    """Trust in the machine's authorities and in the grid's."""
    import ssl

    context = ssl.create_default_context()
    if folder := os.environ.get("X509_CERT_DIR"):
        context.load_verify_locations(capath=folder)
    return context


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
        urllib.request.HTTPSHandler(context=trust()),
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
    return opened(pfn)


def opened(pfn: str) -> Any:
    """What a web server answers to a reader who shows the owner's token; OSError where it is none."""
    import urllib.request

    request = urllib.request.Request(http_url(pfn))  # noqa: S310 - physical_name let http and https through alone
    for name, value in shown_to(request.full_url).items():
        request.add_unredirected_header(name, value)  # where a storage sends its readers on, it sends the right along
    return http_opener().open(request, timeout=NETWORK_TIMEOUT_S)


def size_at(pfn: str) -> int:
    """The size of a file where it lies; OSError when there is none, ValueError when nobody says."""
    if pfn.startswith("file:"):
        return local_path(pfn).stat().st_size
    if pfn.startswith(XROOTD_SCHEMES):
        with xrootd("size", pfn) as stream:
            lines = b"".join(iter(lambda: stream.read(CHUNK), b"")).decode("utf-8", "replace")
        told = dict(line.partition(":")[::2] for line in lines.splitlines()).get("Size", "")
    else:
        with opened(pfn) as answer:
            told = answer.headers.get("Content-Length", "")
    if not told.strip().isdecimal():
        raise ValueError("its storage does not say how long it is")
    return int(told)
