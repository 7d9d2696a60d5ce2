"""Speaking HTTP with one storage: its one address, no redirects, and errors as causes."""

import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit
from xml.sax.saxutils import unescape

from router.errors import UserError
from router.model.transfer import TransferCause, TransferError
from router.transfer.address import Plain, Secure

FULL = re.compile(r"quota|no space|disk full|storage ?full", re.IGNORECASE)
LEAVE_S = 1.0
"""So long a server may take to say that it wants a file's bytes; davix and curl wait as long."""
WORDS = 300
"""Characters of what a server says that are passed on …"""
SPOKEN = 4096
"""… and bytes of it that are looked at."""
CODES = {
    "BadDigest": TransferCause.CHECKSUM,
    "XAmzContentSHA256Mismatch": TransferCause.CHECKSUM,
    "RequestTimeout": TransferCause.TIME_OUT,
    "EntityTooLarge": TransferCause.QUOTA,
    "NoSuchBucket": TransferCause.PERMISSION,
}
"""What the codes of S3 mean where the status says less."""


class Server:
    """An HTTP server, and the directory of it that is a storage element."""

    def __init__(
        self, prefix: str, secure: frozenset[str], timeout_s: float, context: ssl.SSLContext | None = None
    ) -> None:
        """The server of the URL `prefix`, spoken to in secret, as `context` says, for the schemes `secure`.

        No answer of it may take longer than `timeout_s` seconds. Raises UserError for what is no such URL.
        """
        found = urlsplit(prefix)
        if found.username or found.query or not found.hostname:
            raise UserError(f"{prefix} is no prefix of a storage element: it has a user, a query or no host")
        self.secure = found.scheme in secure
        self.host, self.port = found.hostname, found.port or (443 if self.secure else 80)
        self.base, self._timeout_s = found.path.rstrip("/"), timeout_s
        self._context = (context or self.trust()) if self.secure else None

    @staticmethod
    def trust() -> ssl.SSLContext:
        """Trust in the machine's authorities and in the grid's."""
        context = ssl.create_default_context()
        if folder := os.environ.get("X509_CERT_DIR"):
            context.load_verify_locations(capath=folder)
        return context

    @property
    def authority(self) -> str:
        """The server as a request names it: without the port that everybody expects."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The server's root."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"

    @contextmanager
    def answer(
        self, method: str, lfn: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The server's answer. No redirect is followed: what it leads to is not what the settings declare."""
        connection = self._connection()
        try:
            with told(lfn):
                connection.request(method, path, body, headers=dict(headers))
                found = connection.getresponse()
            with found:  # the connection may be its own by now, and is not closed with ours
                yield found
        finally:
            connection.close()

    @contextmanager
    def put(
        self, lfn: str, path: str, headers: Mapping[str, str], blocks: Iterable[bytes], size: int
    ) -> Iterator[http.client.HTTPResponse]:
        """The server's answer to `size` bytes, which are sent when it says that it wants them."""
        connection = self._connection()
        try:
            with told(lfn):
                connection.putrequest("PUT", path, skip_host="host" in headers)
                asked = {"Expect": "100-continue"} if size else {}
                for name, value in {**headers, "Content-Length": str(size), **asked}.items():
                    connection.putheader(name, value)
                connection.endheaders()
            if size:
                _refuse_early(connection, lfn)
            for block in blocks:
                with told(lfn):
                    connection.send(block)
            with told(lfn):
                found = connection.getresponse()
            with found:
                yield found
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._context:
            return Secure(self.host, self.port, self._timeout_s, self._context)
        return Plain(self.host, self.port, timeout=self._timeout_s)


def refuse(found: http.client.HTTPResponse, lfn: str) -> None:
    """Raise what a status that is no success means."""
    if not 200 <= found.status < 300:
        with told(lfn):
            raise refusal(found.status, found.reason, found.read(SPOKEN), lfn)


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
                raise refusal(status, words[2].strip() if len(words) > 2 else "", answer.peek(SPOKEN), lfn)
    except TimeoutError:
        return
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(TransferCause.DOWN, f"{lfn}: {error or type(error).__name__}") from None
    finally:
        link.settimeout(patience_s)


def refusal(status: int, reason: str, body: bytes, lfn: str) -> TransferError:
    """What a server that refuses says."""
    text = body.decode("utf-8", "replace")
    code = value("Code", text)
    said = (f"{code}: {value('Message', text)}" if code else text.split("\n")[0].strip())[:WORDS]
    words = f"{lfn}: {status} {reason}{': ' if said else ''}{said}"
    return TransferError(TransferCause.QUOTA if FULL.search(said) else CODES.get(code, cause(status)), words)


def value(name: str, answer: str) -> str:
    """What an element of XML holds; found by its name: a parser would believe what a server defines."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", answer)
    return unescape(found.group(1), {"&quot;": '"', "&apos;": "'", "&#34;": '"'}) if found else ""


def cause(status: int) -> TransferCause:
    """What a status that is no success means."""
    match status:
        case 401 | 403:
            return TransferCause.PERMISSION
        case 408 | 504:
            return TransferCause.TIME_OUT
        case 413 | 507:
            return TransferCause.QUOTA
        case 429:
            return TransferCause.DOWN
    return TransferCause.DOWN if status >= 500 else TransferCause.OTHER


@contextmanager
def told(lfn: str) -> Iterator[None]:
    """Turn the network's errors into causes."""
    try:
        yield
    except TimeoutError:
        raise TransferError(TransferCause.TIME_OUT, f"{lfn}: no answer in time") from None
    except (OSError, socket.gaierror, http.client.HTTPException) as error:
        raise TransferError(TransferCause.DOWN, f"{lfn}: {error or type(error).__name__}") from None
