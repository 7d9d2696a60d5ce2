"""The configuration texts of the embedded pool, from the templates in schedd_config/embedded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from router.errors import UserError
from router.render.templates import environment


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that condor_master starts, restarts and stops; it runs in the foreground and ends on SIGTERM."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Release:
    """The folders of an HTCondor installation."""

    bin: Path
    sbin: Path
    lib: Path
    libexec: Path


@dataclass(frozen=True, slots=True)
class PoolLayout:
    """Everything in which one embedded pool differs from another.

    `domain` ends every identity of the pool; `port` is the one TCP port it listens on, at 127.0.0.1;
    `sockets` is short, as the kernel allows 108 bytes for a unix socket's whole name; `uid` and `gid` own the files;
    `fragments` are read after our own settings, in this order; `vocabulary` are those that users' tools read as well.
    """

    home: Path
    release: Release
    domain: str
    port: int
    sockets: Path
    uid: int
    gid: int
    daemons: tuple[Daemon, ...] = ()
    fragments: tuple[Path, ...] = ()
    vocabulary: tuple[Path, ...] = ()


def render_pool_config(pool: PoolLayout, templates: Path) -> str:
    """Return the configuration of the pool's daemons. Raise UserError for a value HTCondor cannot read."""
    return _render("pool.config.j2", pool, templates)


def render_client_config(pool: PoolLayout, templates: Path) -> str:
    """Return the configuration of the pool's users. Raise UserError for a value HTCondor cannot read."""
    return _render("client.config.j2", pool, templates)


def _render(template: str, pool: PoolLayout, templates: Path) -> str:
    return environment(templates, condor_value).get_template(template).render(pool=pool)


def condor_value(value: object) -> str:
    """Encode a value for the right-hand side of an HTCondor setting. Raise UserError if none can hold it."""
    text = str(value)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise UserError(
            f"HTCondor's configuration cannot hold {text!r}: it has a line break or another control "
            "character. Choose a folder or a name without it."
        )
    if text.endswith("\\"):
        raise UserError(
            f"HTCondor's configuration cannot hold {text!r}: a backslash at the end joins it with the "
            "next line. Choose a folder or a name without it."
        )
    return text.replace("$", "$(DOLLAR)")
