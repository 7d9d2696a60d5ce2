"""A pool whose daemons run as root and whose jobs run as their owners, as on a production access point.

Its people are users of its own mount namespace: a private /etc/passwd, over the machine's, that ends with the pool.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from organisation import until

from router.embedded import containment, prefix, processes
from router.embedded.tokens import Tokens, write_private
from router.render.pool_config import PoolLayout, render_client_config, render_pool_config
from router.resources import folder

DOMAIN = "pool-rooted"
PEOPLE = {"grcondor": 61_100, "alice": 61_101, "bob": 61_102, "carol": 61_103}
"""Users of the namespace, with their uids; the first runs what of HTCondor needs no root."""
CONDOR = PEOPLE["grcondor"]

ENTER = r"""
set -e
home=$1 release=$2 hidden=$3; shift 3
for file in passwd group; do mount --bind "$home/$file" "/etc/$file"; done
if [ -n "$hidden" ]; then # the programs lie where only root looks
  mkdir "$home/release"
  mount --bind "$release" "$home/release"
  mount -t tmpfs -o mode=755 tmpfs "$hidden"
  mkdir -p "$release"
  mount --bind "$home/release" "$release"
fi
exec "$@"
"""
"""Run a command where PEOPLE are users, and where they can run HTCondor's programs."""
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

OWN = (
    "log",
    "spool",
    "execute",
    "run",
    "sockets",
    "glidein",
    *(f"glidein/{part}" for part in ("log", "spool", "execute")),
)
"""Folders that HTCondor's own user writes."""
GLIDEIN = """
LOCAL_DIR = {home}/glidein
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
LOCK = $(LOCAL_DIR)/log
RUN = $(LOCAL_DIR)/log
LOCAL_CONFIG_DIR =
DAEMON_SOCKET_DIR = {home}/glidein/sockets
USE_SHARED_PORT = False
DAEMON_LIST = MASTER STARTD
MASTER_NAME = glidein
STARTD_NAME = glidein
SEC_USE_FAMILY_SESSION = False
SEC_TOKEN_POOL_SIGNING_KEY_FILE = {home}/glidein/none
SEC_PASSWORD_DIRECTORY = {home}/glidein/none.d
SEC_TOKEN_SYSTEM_DIRECTORY = {home}/glidein/tokens
SEC_TOKEN_DIRECTORY = {home}/glidein/tokens
GLIDEIN_Site = "NORTH"
STARTD_ATTRS = GLIDEIN_Site
MASTER_ATTRS = GLIDEIN_Site
START = stringListIMember(GLIDEIN_Site, TARGET.DESIRED_Sites) =?= true
NUM_CPUS = 4
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
UPDATE_INTERVAL = 2
CREATE_CORE_FILES = False
# It would hide this pool's own folder, and it is the uids that are to do so.
MOUNT_UNDER_SCRATCH =
"""
"""A worker node of the same kind: its daemons are root's, and its jobs their owners'."""


def refusal() -> str:
    """Why no such pool can be had here; empty where it can."""
    if os.geteuid() != 0:
        return "HTCondor gives jobs the uids of their owners only when it is root's; these tests are not run as root"
    why = containment.refusal((*APART, "sh", "-c", 'mount -t tmpfs tmpfs /mnt && exec "$@"', "sh"))
    return f"no users can be made in a mount namespace of its own: {why}" if why else ""


@dataclass(frozen=True)
class Rooted:
    """The running pool."""

    home: Path
    installation: prefix.Installation

    @property
    def pool(self) -> "Rooted":
        """What tells how to speak to the pool."""
        return self

    @property
    def tokens(self) -> Tokens:
        """Who is who."""
        return Tokens(self.home, DOMAIN, self.installation.release.bin / "condor_token_create")

    def env(self, user: str) -> dict[str, str]:
        """What makes HTCondor's tools speak to the pool as somebody."""
        return {
            "CONDOR_CONFIG": str(self.home / "client.config"),
            "_CONDOR_SEC_TOKEN_DIRECTORY": str(self.tokens.folder(user)),
            "PATH": f"{self.installation.programs}:{os.environ['PATH']}",
        }

    def run(self, user: str, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """A tool of HTCondor's, as somebody of the pool."""
        words = [str(word) for word in command]
        environment = {**os.environ, **self.env(user)}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def submit(self, user: str, script: str, **more: str) -> tuple[str, Path]:
        """Submit a shell script; returns the cluster, and the folder with its `out`."""
        folder = Path(tempfile.mkdtemp(dir=self.home / "people" / user))
        (folder / "job.sh").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "job.sh").chmod(0o755)
        lines = {
            "executable": str(folder / "job.sh"), "output": "out", "error": "out", "initialdir": str(folder),
            "request_memory": "50", "request_disk": "1M", "should_transfer_files": "YES", **more,
        }  # fmt: skip
        (folder / "job.sub").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()) + "queue\n")
        for each in (folder, *folder.iterdir()):
            os.chown(each, PEOPLE[user], PEOPLE[user])
        done = self.run(user, "condor_submit", "-terse", folder / "job.sub")
        assert done.returncode == 0, done.stderr
        return done.stdout.partition(".")[0], folder

    def place(self, cluster: str) -> None:
        """Name the site of a job, as the router does."""
        assert self.run("router", "condor_qedit", cluster, "DESIRED_Sites", '"NORTH"').returncode == 0


@contextmanager
def running(home: Path, port: int) -> Iterator[Rooted]:
    """The pool and one worker node while they are up; their end leaves no process behind."""
    installation = prefix.provide(prefix.cache_folder(os.environ), lambda _: None)
    _lay_out(home, installation, port)
    hidden = next((each for each in reversed(installation.programs.parents) if not each.stat().st_mode & 0o001), None)
    master = str(installation.release.sbin / "condor_master")
    both = f"CONDOR_CONFIG={home}/glidein.config {master} -f & CONDOR_CONFIG={home}/condor_config exec {master} -f"
    command = [*APART, "sh", "-c", ENTER, "sh", home, installation.programs.parent, hidden or "", "sh", "-c", both]
    with (home / "startup.log").open("w") as log:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        holder = subprocess.Popen([str(each) for each in command], env=environment, stdout=log, stderr=log)
    try:
        made = Rooted(home, installation)
        until(lambda: "NORTH" in made.run("admin", "condor_status", "-af", "GLIDEIN_Site").stdout, 60)
        assert made.run("admin", "condor_qusers", "-add", "router").returncode == 0
        yield made
    finally:
        top = processes.find(holder.pid)
        for first in processes.children(top) if top else ():
            processes.send(first, signal.SIGKILL)  # the first process of a namespace takes all others with it
        holder.wait(timeout=30)


def _lay_out(home: Path, installation: prefix.Installation, port: int) -> None:
    home.chmod(0o755)
    for part in (
        "log",
        "spool",
        "execute",
        "run",
        "sockets",
        "glidein",
        "glidein/log",
        "glidein/spool",
        "glidein/execute",
    ):
        (home / part).mkdir(mode=0o755)
        os.chown(home / part, CONDOR, CONDOR)
    for part in ("config.d", "keys", "tokens"):
        (home / part).mkdir(mode=0o700)
    (home / "people").mkdir()
    for name, uid in PEOPLE.items():
        (home / "people" / name).mkdir(mode=0o700)
        os.chown(home / "people" / name, uid, uid)
    users = (f"{name}:x:{uid}:{uid}::{home}/people/{name}:/bin/sh" for name, uid in PEOPLE.items())
    groups = (f"{name}:x:{uid}:" for name, uid in PEOPLE.items())
    for file, lines in (("passwd", users), ("group", groups)):
        (home / file).write_text(Path("/etc", file).read_text() + "".join(f"{line}\n" for line in lines))
        (home / file).chmod(0o644)
    fragments = tuple(sorted(folder("schedd_config").glob("*.config")))
    layout = PoolLayout(
        home=home, release=installation.release, domain=DOMAIN, port=port, sockets=home / "sockets",
        uid=CONDOR, gid=CONDOR, fragments=fragments,
    )  # fmt: skip
    templates = folder("schedd_config") / "embedded"
    daemons = render_pool_config(layout, templates) + f"\nCONDOR_IDS = {CONDOR}.{CONDOR}\n"
    write_private(home / "condor_config", daemons)
    write_private(home / "glidein.config", daemons + GLIDEIN.format(home=home))
    (home / "client.config").write_text(render_client_config(layout, templates))
    for each in ("condor_config", "glidein.config"):
        (home / each).chmod(0o644)
    tokens = Tokens(home, DOMAIN, installation.release.bin / "condor_token_create")
    tokens.make_key()
    tokens.folder("condor")
    shutil.copytree(tokens.folder("glidein-NORTH"), home / "glidein/tokens")
