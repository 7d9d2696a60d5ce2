"""The facts of a checkup: what the schedd says of itself, and what lies in files and behind ports here."""

import base64
import binascii
import json
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from router.model.checkup import TokenFact
from router.pool.channel import Channel

CONNECT_S = 2.0


def schedd(channel: Channel, settings: Sequence[str]) -> Mapping[str, Any]:
    """The schedd's `version`, `time`, `settings` by name, and the `bindings`' version. Raises RouterError."""
    found: Mapping[str, Any] = channel.call("examine_schedd", settings=list(settings))
    return found


def rights(channel: Channel, levels: Iterable[str]) -> Mapping[str, bool]:
    """Which authorisation levels the schedd grants the channel's identity. Raises RouterError."""
    found: Mapping[str, bool] = channel.call("granted", levels=list(levels))
    return found


def tokens(folders: Iterable[Path]) -> tuple[TokenFact, ...]:
    """Every token in the folders; files that cannot be read or are no tokens are left out."""
    found: list[TokenFact] = []
    for folder in folders:
        for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else ():
            with suppress(OSError, ValueError):
                found.extend(_token(path, line) for line in path.read_text().split())
    return tuple(found)


def _token(path: Path, text: str) -> TokenFact:
    claims = _claims(text)
    expires = claims.get("exp")
    return TokenFact(
        str(path),
        path.stat().st_mode & 0o777,
        str(claims.get("sub", "")),
        float(expires) if isinstance(expires, int | float) else None,
    )


def _claims(text: str) -> dict[str, Any]:
    """What a token says of itself. Raises ValueError for text that is none."""
    try:
        body = text.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no token") from error
    if not isinstance(found, dict):
        raise ValueError("no token")
    return found


def exposed(paths: Iterable[Path]) -> tuple[str, ...]:
    """Which of the files others than their owner may read or write."""
    found = [path for path in paths if path.is_file() and path.stat().st_mode & 0o077]
    return tuple(map(str, found))


def free_mb(folders: Iterable[Path]) -> Mapping[str, int]:
    """The space left for each folder that is there, in MB."""
    return {str(folder): shutil.disk_usage(folder).free // 10**6 for folder in folders if folder.is_dir()}


def answering(addresses: Mapping[str, Path]) -> Mapping[str, str]:
    """Why each daemon's metrics do not answer at the address in its file; empty where they do."""
    return {name: _silence(path.read_text().strip()) for name, path in addresses.items() if path.is_file()}


def _silence(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, ValueError) as error:
        return f"{address}: {error}"
    return ""
