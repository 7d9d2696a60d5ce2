"""An HTCondor pool in a folder: started, watched and ended; several can stand side by side.

The folder holds everything: settings, queue, logs, keys. Whoever may read it may act as anyone in this pool.
"""

import fcntl
import os
import shlex
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from router.embedded import containment, prefix, processes, rotation
from router.embedded.programs import call, complaint
from router.embedded.startup import LOGS, LogMarks, missing_daemons, wait_until_ready
from router.embedded.state import State, load, save
from router.embedded.tokens import GLIDEIN, Tokens, write_private
from router.errors import PoolUnreachable, RouterError, TemporaryError
from router.render.pool_config import (
    Daemon,
    PoolLayout,
    condor_value,
    render_client_config,
    render_pool_config,
)

FOLDERS = ("config.d", "credentials", "daemons", "execute", "keys", "log", "run", "spool", "tokens")
# Who may change others' jobs; QUEUE_SUPER_USERS in the template names the same.
SUPER_USERS = ("router",)
# A unix socket's whole name has 108 bytes at most, and TMPDIR may be long.
SHORT_FOLDER = "/tmp"  # noqa: S108 - what is made in it is made anew, and for its owner alone
READY_SECONDS = 30.0
# HTCondor gives its daemons SHUTDOWN_GRACEFUL_TIMEOUT and then SHUTDOWN_FAST_TIMEOUT; what has not ended by then is
# killed.
STOP_SECONDS = 8.0
KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How the pool is: `state` is "up", "partial" (some daemons do not answer) or "down"."""

    state: str
    home: Path
    port: int | None
    pid: int | None
    version: str | None
    missing: tuple[str, ...]


class EmbeddedPool:
    """The pool in `home`; `schedd_config` is the folder with its templates and the production fragments."""

    def __init__(
        self,
        home: Path,
        schedd_config: Path,
        daemons: Sequence[Daemon] = (),
        cache: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.home = home.absolute()
        self._schedd_config = schedd_config.absolute()
        self._daemons = tuple(daemons)
        self._cache = cache or prefix.cache_folder(os.environ)
        self._progress = progress

    def install(self) -> prefix.Installation:
        """Find an HTCondor for the pool, or fetch one. Raise RouterError when neither is possible."""
        return prefix.provide(self._cache, self._progress)

    def up(self) -> None:
        """Start the pool and wait until it answers; do nothing if it does already.

        A pool that is up in part is given the chance to mend itself, and otherwise ended and started anew.
        Raise RouterError with the end of the log that tells why it does not start; nothing is left running then.
        """
        with _explained(self.home):
            for folder in FOLDERS:
                (self.home / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.chmod(0o700)
        with _explained(self.home), self._locked():
            state = load(self.home)
            if state and self._answers(state):
                return
            if state and state.holder:
                self._stop(state)
            self._start(state)

    def down(self) -> None:
        """End the pool with all its jobs' processes; the queue stays. Raise RouterError if a process survives."""
        if not self.home.is_dir():
            return
        with _explained(self.home), self._locked():
            if state := load(self.home):
                self._stop(state)

    def status(self) -> PoolStatus:
        """Say which of the pool's daemons answer."""
        with _explained(self.home):
            state = load(self.home)
        version = state.installation.version if state else None
        if state is None or state.holder is None or not processes.alive(state.holder):
            return PoolStatus("down", self.home, None, None, version, tuple(LOGS))
        missing = self._missing(state)
        return PoolStatus("partial" if missing else "up", self.home, state.port, state.holder.pid, version, missing)

    def token(self, user: str) -> Path:
        """Return the file with the token of this user of the pool. Raise UserError for an impossible name."""
        with _explained(self.home):
            return self._tokens(self._state()).folder(user) / "token"

    def rotate(self) -> tuple[str, ...]:
        """Sign all tokens with a new key, and return whose they are; those of before stay valid. Nothing restarts."""
        with _explained(self.home), self._locked():
            state = self._state()
            running = state.holder is not None and processes.alive(state.holder)
            return rotation.rotate(self._tokens(state), state.installation.programs, self.env("admin"), running)

    def retire_keys(self) -> None:
        """Take away all keys before the last rotation, and so their tokens. Raise UserError where there was none."""
        with _explained(self.home), self._locked():
            self._tokens(self._state()).retire()

    def glidein_token(self, site: str) -> Path:
        """Return the file with the token of a site's glideins, good for no other site."""
        return self.token(f"{GLIDEIN}{site}")

    def env(self, user: str) -> dict[str, str]:
        """Return what to set in a process's environment for it to use the pool as this user."""
        with _explained(self.home):
            state = self._state()
            folder = self._tokens(state).folder(user)
        return {
            "CONDOR_CONFIG": str(self.home / "client.config"),
            "_CONDOR_SEC_TOKEN_DIRECTORY": condor_value(folder),
            "PATH": f"{state.installation.programs}:{os.environ.get('PATH', os.defpath)}",
        }

    def _state(self) -> State:
        if state := load(self.home):
            return state
        raise PoolUnreachable(f"There is no pool in {self.home} yet. Start it: glideroute pool up")

    def _answers(self, state: State) -> bool:
        if state.holder is None or not processes.alive(state.holder):
            return False
        if not self._missing(state):
            return True
        self._progress("the pool is up in part only; giving it time to mend itself")
        marks = LogMarks.now(self.home / "log")
        with suppress(TemporaryError):
            wait_until_ready(lambda: self._missing(state), state.holder, marks, READY_SECONDS / 2)
            return True
        return False

    def _start(self, before: State | None) -> None:
        command = containment.choose(os.geteuid() == 0, containment.refusal)
        installation = self.install()
        state = State(
            domain=before.domain if before else f"pool-{os.urandom(4).hex()}",
            port=_free_port(before.port if before else 0),
            sockets=Path(tempfile.mkdtemp(prefix="glideroute-", dir=SHORT_FOLDER)),
            installation=installation,
            holder=None,
        )
        try:
            save(self.home, state)
            self._write_settings(state)
            marks = LogMarks.now(self.home / "log")
            self._progress(f"starting HTCondor {installation.version} at 127.0.0.1:{state.port}")
            with _uninterrupted():
                holder = self._spawn(state, command)
                state = replace(state, holder=holder)
                save(self.home, state)
            wait_until_ready(lambda: self._missing(state), holder, marks, READY_SECONDS)
            self._register_super_users(state)
        except BaseException:
            self._stop(state)
            raise

    def _register_super_users(self, state: State) -> None:
        # A super user of whom the schedd has no record, having submitted nothing yet, may not edit anything.
        for user in SUPER_USERS:
            qusers = state.installation.programs / "condor_qusers"
            finished = call([qusers, "-add", user], self.env("admin"), 30)
            if finished.returncode != 0:
                raise TemporaryError(
                    f"The schedd took no record of the user {user!r}: {complaint(finished)}. Its log "
                    f"{self.home / 'log/SchedLog'} says more; correct what it names, then start the pool again."
                )

    def _spawn(self, state: State, holder: Sequence[str]) -> processes.Process:
        command = [*holder, str(state.installation.release.sbin / "condor_master"), "-f"]
        # Nothing of an outer HTCondor may leak in, so the environment is made from nothing.
        environment = {
            "CONDOR_CONFIG": str(self.home / "condor_config"),
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
        }
        log = str(self.home / "log/startup.log")
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=files,
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTERM),
        )
        started = processes.find(pid)
        if started is None:
            raise TemporaryError(f"HTCondor ended at once. Look into {log}, then try again.")
        return started

    def _write_settings(self, state: State) -> None:
        layout = PoolLayout(
            home=self.home,
            release=state.installation.release,
            domain=state.domain,
            port=state.port,
            sockets=state.sockets,
            uid=os.getuid(),
            gid=os.getgid(),
            daemons=self._daemons,
            fragments=tuple(sorted(self._schedd_config.glob("*.config"))),
            vocabulary=tuple(sorted(self._schedd_config.glob("*-vocabulary.config"))),
        )
        templates = self._schedd_config / "embedded"
        write_private(self.home / "condor_config", render_pool_config(layout, templates))
        write_private(self.home / "client.config", render_client_config(layout, templates))
        for daemon in self._daemons:
            script = self.home / "daemons" / daemon.name
            write_private(script, _daemon_script(daemon, self.home / "log" / f"{daemon.name}.log"))
            script.chmod(0o700)
        tokens = self._tokens(state)
        tokens.make_key()
        tokens.folder("condor")

    def _stop(self, state: State) -> None:
        if state.holder and processes.alive(state.holder):
            self._progress("ending the pool")
            everything = {state.holder} | processes.descendants(state.holder)
            for master in processes.children(state.holder):
                processes.send(master, signal.SIGTERM)
            left = processes.wait_until_gone(everything, STOP_SECONDS)
            left |= {each for one in left for each in processes.descendants(one)}
            for process in left:
                processes.send(process, signal.SIGKILL)
            _refuse_survivors(processes.wait_until_gone(left, KILL_SECONDS))
        shutil.rmtree(state.sockets, ignore_errors=True)
        save(self.home, replace(state, holder=None))

    def _missing(self, state: State) -> tuple[str, ...]:
        return missing_daemons(state.installation.programs / "condor_status", self.env("admin"))

    def _tokens(self, state: State) -> Tokens:
        create = state.installation.release.bin / "condor_token_create"
        return Tokens(self.home, state.domain, create)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.home / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._progress("another command starts or ends this pool; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RouterError(
            f"The pool's folder {home} cannot be used: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}. "
            "It needs some free space and must be yours; another folder is named with --home or GLIDEROUTE_HOME."
        ) from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off, so that no process is started without being remembered."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _refuse_survivors(survivors: frozenset[processes.Process]) -> None:
    if survivors:
        raise RouterError(
            f"These processes of the pool do not end, not even when killed: "
            f"{' '.join(str(process.pid) for process in survivors)}. "
            "They are likely to wait for a disk or a network file system; look with ps, then try again."
        )


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            # As HTCondor itself does: a port that was just left may be taken again.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise TemporaryError("No TCP port is free at 127.0.0.1. End some programs that listen there, then try again.")


# condor_master hands its children the key of the daemons' own session: with it, our programs would be a daemon
# of the pool, whatever their tokens say.
FORGET_CONDOR = r"""for name in $(env | sed -n 's/^\(_\{0,1\}CONDOR_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done"""


def _daemon_script(daemon: Daemon, log: Path) -> str:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(daemon.environment.items())]
    run = f"exec {shlex.join(daemon.argv)} >>{shlex.quote(str(log))} 2>&1"
    return "\n".join(["#!/bin/sh", "# Written anew at every start of the pool.", FORGET_CONDOR, *exports, run, ""])
