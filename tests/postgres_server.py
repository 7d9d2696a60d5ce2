"""A PostgreSQL server for tests: the machine's programs, or Debian's package; no rights, one folder, one socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from router.embedded.containment import AS_NOBODY
from router.errors import RouterError

CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
max_connections = 40
"""


def programs() -> Path:
    """The folder of the server's programs."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    from postgres_debian import unpacked

    return unpacked()


def unprivileged() -> list[str]:
    """What a command begins with so that it does not run as root, which PostgreSQL refuses."""
    return ["unshare", *AS_NOBODY] if os.geteuid() == 0 else []


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database whose own language is English; `durable` writes as a real one does."""
    place = programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data = folder / "data"
    run = unprivileged()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    try:
        language = ["--locale-provider=icu", "--icu-locale=en-US", "--encoding=UTF8"]
        told = [
            *run,
            str(place / "initdb"),
            "-D",
            str(data),
            "-U",
            "glideroute",
            "--auth=trust",
            "--no-sync",
            *language,
        ]
        made = subprocess.run(told, capture_output=True, text=True, env=kept, check=False)
        if made.returncode:
            raise RouterError(f"PostgreSQL cannot be set up: {made.stderr.strip()}")
        configuration = CONFIGURATION.format(folder=folder)
        with (data / "postgresql.conf").open("a") as opened:
            opened.write(configuration.replace("= off", "= on") if durable else configuration)
        control = [*run, str(place / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", str(folder / "log")]
        subprocess.run([*control, "start"], check=True, env=kept, stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql+psycopg://glideroute@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, env=kept, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
