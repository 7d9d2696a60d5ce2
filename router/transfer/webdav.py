"""Storage that speaks HTTP: RFC 4918 for names, RFC 3230 for checksums, a bearer token (RFC 6750) for rights."""

import http.client
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from router.errors import UserError
from router.model.transfer import TransferCause, TransferError
from router.transfer.address import Plain, Secure
from router.transfer.endpoint import BLOCK, Facts, checked, missing, parts_of

Token = Callable[[], str]
"""Gives the bearer token of the moment, read anew each time; empty: none is sent."""

FULL = re.compile(r"quota|no space|disk full", re.IGNORECASE)
DIGEST = re.compile(r"\badler32=([0-9A-Fa-f]{1,8})\b")
LEAVE_S = 1.0
"""So long a server may take to say that it wants a file's bytes; davix and curl wait as long."""
WORDS = 300
"""Characters of what a server says that are passed on."""


class WebDavEndpoint:
    """A directory of an HTTP server as a storage element."""

    def __init__(self, prefix: str, token: Token, timeout_s: float) -> None:
        """Keep files below the URL `prefix`; no answer of the server may take longer than `timeout_s` seconds."""
        found = urlsplit(prefix)
        if found.username or found.query or not found.hostname:
            raise UserError(f"{prefix} is no prefix of a storage element: it has a user, a query or no host")
        self._secure = found.scheme in ("https", "davs")
        self._host, self._port = found.hostname, found.port or (443 if self._secure else 80)
        self._base, self._token, self._timeout_s = found.path.rstrip("/"), token, timeout_s
        self._made: set[str] = set()
        self._context = ssl.create_default_context(capath=os.environ.get("X509_CERT_DIR")) if self._secure else None

    def read(self, lfn: str) -> Iterator[bytes]:
        """A file's bytes, block by block."""
        with self._answer("GET", lfn, self._path(parts_of(lfn))) as found, _told(lfn):
            if found.status == http.client.NOT_FOUND:
                raise missing(lfn)
            _refuse(found, lfn)
            while block := found.read(BLOCK):
                yield block

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write a part."""
        where = parts_of(lfn, part)
        self._make(lfn, where[:-1])
        connection = self._connection()
        try:
            with _told(lfn):
                connection.putrequest("PUT", self._path(where))
                asked = {"Expect": "100-continue"} if size else {}
                for name, value in self._headers({"Content-Length": str(size), **asked}).items():
                    connection.putheader(name, value)
                connection.endheaders()
            if size:
                _refuse_early(connection, lfn)
            for block in blocks:
                with _told(lfn):
                    connection.send(block)
            with _told(lfn):
                found = connection.getresponse()
            with found:
                _refuse(found, lfn)
        finally:
            connection.close()

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """Size and adler32 as the server computes them; where it does not, all is read."""
        where = self._path(parts_of(lfn, part))
        with self._answer("HEAD", lfn, where, headers={"Want-Digest": "adler32"}) as found:
            if found.status == http.client.NOT_FOUND:
                return None
            _refuse(found, lfn)
            digest = DIGEST.search(found.headers.get("Digest", ""))
            if digest and (size := found.headers.get("Content-Length", "")).isdecimal():
                return int(size), digest.group(1).lower().rjust(8, "0")
        with self._answer("GET", lfn, where) as found, _told(lfn):
            _refuse(found, lfn)
            return checked(iter(lambda: found.read(BLOCK), b""))

    def publish(self, lfn: str, part: str) -> None:
        """Give a part the final name."""
        scheme = "https" if self._secure else "http"
        target = f"{scheme}://{self._host}:{self._port}{self._path(parts_of(lfn))}"
        headers = {"Destination": target, "Overwrite": "T"}
        with self._answer("MOVE", lfn, self._path(parts_of(lfn, part)), headers=headers) as found:
            _refuse(found, lfn)

    def remove(self, lfn: str, part: str = "") -> None:
        """Remove a file or a part; what is gone already is gone."""
        with self._answer("DELETE", lfn, self._path(parts_of(lfn, part))) as found:
            if found.status != http.client.NOT_FOUND:
                _refuse(found, lfn)

    def _make(self, lfn: str, folders: tuple[str, ...]) -> None:
        """Make directories, each once. Whether that was allowed, writing the file will tell."""
        for depth in range(1, len(folders) + 1):
            path = self._path(folders[:depth])
            if path not in self._made:
                with self._answer("MKCOL", lfn, path):
                    self._made.add(path)

    def _path(self, where: tuple[str, ...]) -> str:
        return self._base + quote("/" + "/".join(where), safe="/+=@")

    @contextmanager
    def _answer(
        self,
        method: str,
        lfn: str,
        path: str,
        headers: dict[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """The server's answer. No redirect is followed: what it leads to is not what the settings declare."""
        connection = self._connection()
        try:
            with _told(lfn):
                connection.request(method, path, headers=self._headers(headers or {}))
                found = connection.getresponse()
            with found:  # the connection may be its own by now, and is not closed with ours
                yield found
        finally:
            connection.close()

    def _headers(self, told: dict[str, str]) -> dict[str, str]:
        token = self._token()
        return {**told, "Authorization": f"Bearer {token}"} if token else told

    def _connection(self) -> http.client.HTTPConnection:
        if self._context:
            return Secure(self._host, self._port, self._timeout_s, self._context)
        return Plain(self._host, self._port, timeout=self._timeout_s)


def _refuse(found: http.client.HTTPResponse, lfn: str) -> None:
    """Raise what a status that is no success means."""
    if not 200 <= found.status < 300:
        with _told(lfn):
            raise _refusal(found.status, found.reason, found.read(WORDS), lfn)


def _refuse_early(connection: http.client.HTTPConnection, lfn: str) -> None:
    """Wait for the server's leave to send a body (RFC 9110, 10.1.1), and raise what it says instead.

    Without it a server that refuses closes the connection while we write, and why is lost. One that does not know of
    leaves says nothing, and gets the body after a while.
    """
    link = connection.sock
    patience_s = link.gettimeout()
    link.settimeout(LEAVE_S)
    try:
        with link.makefile("rb") as answer:
            words = answer.readline(4096).decode("latin-1").split(None, 2)
            if len(words) < 2 or not words[1].isdecimal():
                raise TransferError(TransferCause.DOWN, f"{lfn}: the server gave no answer")
            http.client.parse_headers(answer)
            if (status := int(words[1])) != http.client.CONTINUE:
                raise _refusal(status, words[2].strip() if len(words) > 2 else "", answer.peek(WORDS), lfn)
    except TimeoutError:
        return
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(TransferCause.DOWN, f"{lfn}: {error or type(error).__name__}") from None
    finally:
        link.settimeout(patience_s)


def _refusal(status: int, reason: str, body: bytes, lfn: str) -> TransferError:
    said = body[:WORDS].decode("utf-8", "replace").split("\n")[0].strip()
    words = f"{lfn}: {status} {reason}{': ' if said else ''}{said}"
    full = status == http.client.INSUFFICIENT_STORAGE or FULL.search(said)
    return TransferError(TransferCause.QUOTA if full else _cause(status), words)


def _cause(status: int) -> TransferCause:
    match status:
        case 401 | 403:
            return TransferCause.PERMISSION
        case 408 | 504:
            return TransferCause.TIME_OUT
        case 413:
            return TransferCause.QUOTA
        case 429:
            return TransferCause.DOWN
    return TransferCause.DOWN if status >= 500 else TransferCause.OTHER


@contextmanager
def _told(lfn: str) -> Iterator[None]:
    """Turn the network's errors into causes."""
    try:
        yield
    except TimeoutError:
        raise TransferError(TransferCause.TIME_OUT, f"{lfn}: no answer in time") from None
    except (OSError, socket.gaierror, http.client.HTTPException) as error:
        raise TransferError(TransferCause.DOWN, f"{lfn}: {error or type(error).__name__}") from None
