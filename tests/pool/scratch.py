"""Pools for trying policies out, over slots and submitters that are only told, or with slots of their own."""

import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pool_backend

from router.embedded.pool import EmbeddedPool
from router.resources import folder

FRAGMENT = "60-glideroute-shares.config"


@contextmanager
def scratch(settings: str = "") -> Iterator[pool_backend.LivePool]:
    """A pool without our routing rules, with further settings."""
    with pool_backend.home() as home:
        bare = home / "settings"
        bare.mkdir()
        (bare / "embedded").symlink_to(folder("schedd_config") / "embedded")
        pool = EmbeddedPool(home / "pool", bare)
        (pool.home / "config.d").mkdir(parents=True)
        (pool.home / "config.d/10-scratch.config").write_text(textwrap.dedent(settings))
        with pool_backend.running(pool) as live:
            yield live


def advertise(pool: EmbeddedPool, command: str, *found: Mapping[str, object]) -> None:
    """Tell the collector of ads that no daemon stands behind."""
    blocks = ["\n".join(f"{name} = {_text(value)}" for name, value in ad.items()) for ad in found]
    file = pool.home / "ads"
    file.write_text("\n\n".join(blocks) + "\n")
    run(pool, "condor", "condor_advertise", "-multiple", command, str(file))


def run(pool: EmbeddedPool, user: str, *command: str, cwd: Path | None = None) -> str:
    """What a tool of HTCondor's prints for a user."""
    done = subprocess.run(command, env=pool.env(user), cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def _text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
