"""Reading copies where the user is: only from storage elements that the settings declare, and below their prefixes.

A physical name in the catalogue may have come from a job's report, and so from a stranger. Attack case A41: such a name
sends nobody to another server, to another part of one, or on to where a server redirects.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from router.errors import RouterError, TemporaryError
from router.model.files import Replica, StorageElement
from router.transfer.endpoint import BLOCK, Endpoint
from router.transfer.endpoints import speaking, wants_keys

TIMEOUT_S = 60.0
LOCAL = "file://"


@dataclass(frozen=True)
class Reader:
    """What one user may read, and with which token."""

    elements: Mapping[str, StorageElement] = field(default_factory=dict)
    """The declared storage elements by name; without any only what is mounted here can be read."""
    token: Callable[[], str] = lambda: ""
    """The user's bearer token; empty: none is shown."""
    keys: Callable[[], str] = lambda: ""
    """The text of the user's file of keys for S3."""

    @staticmethod
    def of(
        elements: Iterable[StorageElement], token: Callable[[], str], keys: Callable[[], str] = lambda: ""
    ) -> "Reader":
        """What reads from these storage elements."""
        return Reader({each.name: each for each in elements}, token, keys)

    def blocks(self, lfn: str, replica: Replica) -> Iterator[bytes]:
        """A copy's bytes, block by block. Raises RouterError or OSError."""
        if path := self._mounted(replica):
            return _of_regular(path)
        storage, name = self._declared(lfn, replica)
        return storage.read(name)

    def has(self, lfn: str, replica: Replica) -> bool:
        """Whether a copy is there. Raises TemporaryError where its storage does not say."""
        try:
            if path := self._mounted(replica):
                return path.exists() or self._is_missing(replica)
            storage, name = self._declared(lfn, replica)
            return storage.facts(name) is not None
        except (OSError, TemporaryError) as error:
            raise TemporaryError(f"Whether {replica.pfn} is there cannot be said: {error}.") from None

    def _mounted(self, replica: Replica) -> Path | None:
        """Where a copy lies on this machine's disks; None where it is to be asked for by network."""
        element = self.elements.get(replica.se)
        if not replica.pfn.startswith(LOCAL) or (element and not element.prefix.startswith(LOCAL)):
            return None
        return _path(replica.pfn)

    def _is_missing(self, replica: Replica) -> bool:
        """False. Raises TemporaryError where the storage element is not mounted here, and so all of it is missing."""
        element = self.elements.get(replica.se)
        if element and not _path(element.prefix).exists():
            raise TemporaryError(f"{element.prefix} is not mounted here")
        return False

    def _declared(self, lfn: str, replica: Replica) -> tuple[Endpoint, str]:
        """What speaks to the storage element of a copy, and the copy's name there."""
        element = self.elements.get(replica.se)
        if element is None:
            raise RouterError(f"{replica.pfn} is not read: the settings declare no storage element {replica.se}")
        prefix = element.pfn("/")
        if replica.pfn.startswith(LOCAL):  # as the site's own jobs name it
            name = lfn
        elif replica.pfn.startswith(prefix):
            name = "/" + unquote(replica.pfn.removeprefix(prefix))
        else:
            raise RouterError(f"{replica.pfn} is not read: it is not below {element.prefix}, which is {replica.se}")
        return speaking(element, self.keys if wants_keys(element) else self.token, TIMEOUT_S), name


MOUNTED = Reader()
"""Reads what this machine mounts, and nothing else."""


def _path(pfn: str) -> Path:
    rest = unquote(pfn.removeprefix(LOCAL))
    return Path(rest[rest.find("/") :])


def _of_regular(path: Path) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RouterError(f"{path} is no regular file")
        while block := source.read(BLOCK):
            yield block


def own_token(environment: Mapping[str, str], uid: int) -> str:
    """The bearer token of whoever asks, found as WLCG's Bearer Token Discovery says (v1.0); empty where there is none.

    Raises RouterError for a token that cannot be read.
    """
    if token := environment.get("BEARER_TOKEN", "").strip():
        return token
    named = environment.get("BEARER_TOKEN_FILE", "")
    places = [Path(each) / f"bt_u{uid}" for each in (environment.get("XDG_RUNTIME_DIR", ""), "/tmp") if each]  # noqa: S108
    for path in [Path(named)] if named else places:
        try:
            return _private(path, uid)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RouterError(f"the token in {path} cannot be read: {error.strerror}") from None
    return ""


def own_keys(environment: Mapping[str, str], uid: int) -> str:
    """The text of the asking user's file of keys for S3, where AWS's own clients look for it.

    Raises RouterError where there is none, or it cannot be read.
    """
    path = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or Path("~/.aws/credentials").expanduser())
    try:
        return _private(path, uid)
    except OSError as error:
        raise RouterError(f"the keys for S3 cannot be read: {error.strerror}: {path}") from None


def _private(path: Path, uid: int) -> str:
    """A secret in a file that nobody else may have put there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (uid, 0):
            raise RouterError(f"{path} is not used: it is somebody else's file")
        return file.read(100_000).strip()
