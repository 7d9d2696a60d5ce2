"""A real storage element: Debian's XRootD, which speaks its own protocol and HTTP, and believes tokens of an issuer."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from certificates import certificate
from issuer import ISSUER, Issuer

from router.embedded.containment import AS_NOBODY
from router.embedded.debian import LIBRARIES, LOADER, unpack
from router.embedded.prefix import cache_folder

PACKAGES = ("xrootd-server", "xrootd-server-plugins", "xrootd-scitokens-plugins")
NOT_LOADED = re.compile(
    r"(lib)?perl.*|systemd|libsystemd-shared|tzdata|debconf|cron.*|logrotate|tcl.*|expect|libtcl.*|readline-common"
    r"|sensible-utils|libdb5.*|libpam.*|libaudit.*|adduser|passwd"
)
AUDIENCE = "https://se.test"
CONFIGURATION = """
xrd.port {port}
xrd.network nodnr
all.adminpath {folder}/admin
all.pidpath {folder}/run
oss.localroot {folder}/data
all.export /
ofs.authorize 1
ofs.authlib ++ libXrdAccSciTokens.so config={folder}/scitokens.cfg
acc.authdb {folder}/authdb
xrootd.chksum max 64 adler32
xrd.protocol http:{port} libXrdHttp.so
http.httpsmode auto
xrd.tls {folder}/storage.pem {folder}/storage.pem
xrd.tlsca noverify
http.header2cgi Authorization authz
"""
RIGHTS = "u * /demo rl\n"
"""What needs no token: everybody may read open data."""
TRUST = """
[Global]
audience = {audience}

[Issuer test]
issuer = {issuer}
base_path = /
map_subject = False
default_user = nobody
"""


@dataclass
class StorageElement:
    """A running XRootD server with an empty storage."""

    folder: Path
    port: int
    issuer: Issuer

    @property
    def data(self) -> Path:
        """Where the server keeps its files."""
        return self.folder / "data"

    def prefix(self, scheme: str) -> str:
        """How its files are named in a protocol."""
        return f"{scheme}://127.0.0.1:{self.port}/" + ("/" if scheme == "root" else "")

    def token(self, name: str, scope: str, **claims: object) -> Path:
        """A file with a token for `scope`."""
        path = self.folder / f"{name}.token"
        path.write_text(self.issuer.token("agent", scope=scope, aud=AUDIENCE, **claims))
        return path


@contextmanager
def running(folder: Path) -> Iterator[StorageElement]:
    """A server of its own; it ends with the block."""
    prefix = unpack(cache_folder(os.environ), PACKAGES, NOT_LOADED, lambda _: None)
    for name in ("data", "run", "admin", "cache"):
        (folder / name).mkdir()
    certificate(folder)
    issuer = Issuer()
    issuer.publish(folder / "cache")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "xrootd.cfg").write_text(CONFIGURATION.format(port=port, folder=folder))
    (folder / "authdb").write_text(RIGHTS)
    (folder / "scitokens.cfg").write_text(TRUST.format(audience=AUDIENCE, issuer=ISSUER))
    # The server refuses to be root.
    before = (shutil.which("unshare") or "unshare", *AS_NOBODY) if os.geteuid() == 0 else ()
    loader = (str(prefix / LOADER), "--library-path", str(prefix / LIBRARIES))
    command = [*before, *loader, str(prefix / "usr/bin/xrootd"), "-c", str(folder / "xrootd.cfg")]
    environment = {"XDG_CACHE_HOME": str(folder / "cache"), "PATH": os.defpath}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait(server, port, folder / "log")
        yield StorageElement(folder, port, issuer)
    finally:
        server.terminate()
        server.wait(10)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"XRootD did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return
