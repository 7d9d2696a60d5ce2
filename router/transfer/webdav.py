"""Storage that speaks HTTP: RFC 4918 for names, RFC 3230 for checksums, a bearer token (RFC 6750) for rights."""

import http.client
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from router.transfer.endpoint import BLOCK, Facts, checked, missing, parts_of
from router.transfer.web import Server, refuse, told

Token = Callable[[], str]
"""Gives the bearer token of the moment, read anew each time; empty: none is sent."""

SECURE = frozenset({"https", "davs"})
DIGEST = re.compile(r"\badler32=([0-9A-Fa-f]{1,8})\b")


class WebDavEndpoint:
    """A directory of an HTTP server as a storage element."""

    def __init__(self, prefix: str, token: Token, timeout_s: float) -> None:
        """Keep files below the URL `prefix`; no answer of the server may take longer than `timeout_s` seconds."""
        self._server, self._token = Server(prefix, SECURE, timeout_s), token
        self._made: set[str] = set()

    def read(self, lfn: str) -> Iterator[bytes]:
        """A file's bytes, block by block."""
        with self._answer("GET", lfn, self._path(parts_of(lfn))) as found, told(lfn):
            if found.status == http.client.NOT_FOUND:
                raise missing(lfn)
            refuse(found, lfn)
            while block := found.read(BLOCK):
                yield block

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write a part."""
        where = parts_of(lfn, part)
        self._make(lfn, where[:-1])
        with self._server.put(lfn, self._path(where), self._headers({}), blocks, size) as found:
            refuse(found, lfn)

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """Size and adler32 as the server computes them; where it does not, all is read."""
        where = self._path(parts_of(lfn, part))
        with self._answer("HEAD", lfn, where, headers={"Want-Digest": "adler32"}) as found:
            if found.status == http.client.NOT_FOUND:
                return None
            refuse(found, lfn)
            digest = DIGEST.search(found.headers.get("Digest", ""))
            if digest and (size := found.headers.get("Content-Length", "")).isdecimal():
                return int(size), digest.group(1).lower().rjust(8, "0")
        with self._answer("GET", lfn, where) as found, told(lfn):
            refuse(found, lfn)
            return checked(iter(lambda: found.read(BLOCK), b""))

    def publish(self, lfn: str, part: str) -> None:
        """Give a part the final name."""
        headers = {"Destination": self._server.url + self._path(parts_of(lfn)), "Overwrite": "T"}
        with self._answer("MOVE", lfn, self._path(parts_of(lfn, part)), headers=headers) as found:
            refuse(found, lfn)

    def remove(self, lfn: str, part: str = "") -> None:
        """Remove a file or a part; what is gone already is gone."""
        with self._answer("DELETE", lfn, self._path(parts_of(lfn, part))) as found:
            if found.status != http.client.NOT_FOUND:
                refuse(found, lfn)

    def _make(self, lfn: str, folders: tuple[str, ...]) -> None:
        """Make directories, each once. Whether that was allowed, writing the file will tell."""
        for depth in range(1, len(folders) + 1):
            path = self._path(folders[:depth])
            if path not in self._made:
                with self._answer("MKCOL", lfn, path):
                    self._made.add(path)

    def _path(self, where: tuple[str, ...]) -> str:
        return self._server.base + quote("/" + "/".join(where), safe="/+=@")

    @contextmanager
    def _answer(
        self, method: str, lfn: str, path: str, headers: dict[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        with self._server.answer(method, lfn, path, self._headers(headers or {})) as found:
            yield found

    def _headers(self, asked: dict[str, str]) -> dict[str, str]:
        token = self._token()
        return {**asked, "Authorization": f"Bearer {token}"} if token else asked
