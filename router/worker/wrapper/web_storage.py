"""Outputs written to storage that speaks HTTP: RFC 4918 for names, RFC 3230 for checksums.

A module of its own, since half of the wrapper's start-up time goes into what it imports, and few jobs need it.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from router.worker.wrapper.reading import CHUNK, NETWORK_TIMEOUT_S, adler32_copy, http_url, open_regular, trust
from router.worker.wrapper.stage_out import refuse_other
from router.worker.wrapper.token import shown_to

DIGEST = re.compile(r"\badler32=([0-9A-Fa-f]{1,8})\b")
WORDS = 300
"""Characters of what a server says that are passed on."""
LEAVE_S = 1.0
"""So long a server may take to say that it wants a file's bytes; davix and curl wait as long."""
DISCARD_S = 3.0
"""A job that is told to stop has little time left to tidy up."""
MISSING = (404, 409)
"""What a server says where the directory is not there (RFC 4918, 9.7.1), or the file."""


class Refused(OSError):
    """The server says no; `status` is its number for it."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class StagedOnWeb:
    """An output that lies verified beside its place."""

    part: str
    final: str
    own: bool
    """Whether the name is this task's: an earlier try of the same job may have written it, and is replaced."""
    told: dict[str, Any]

    def refuse_taken(self) -> None:
        """ValueError where the place is taken by another file, which is not this task's to replace."""
        if not self.own and (there := facts(self.final)):
            refuse_other(there, self.told)

    def put_in_place(self) -> None:
        """Give the complete file its name; OSError, or ValueError where it is taken."""
        headers = {"Destination": self.final, "Overwrite": "T" if self.own else "F"}
        try:
            done("MOVE", self.part, headers)
        except Refused as why:
            if self.own or why.status != http.client.PRECONDITION_FAILED:
                raise
            self.refuse_taken()
            self.discard()

    def discard(self) -> None:
        """Remove what is not in place; a part that stays is never taken for the file."""
        with contextlib.suppress(OSError):
            done("DELETE", self.part, timeout_s=DISCARD_S)


def write_beside(source: Path, pfn: str, own: bool, told: Mapping[str, Any]) -> StagedOnWeb:
    """Write a file beside its final place and read it back; OSError or ValueError, and no file, when that fails."""
    final = http_url(pfn)
    staged: StagedOnWeb | None = None
    try:
        with open_regular(source) as content:
            size, adler = adler32_copy(content, None)
            part = f"{final}.part-{uuid.uuid4().hex}"
            staged = StagedOnWeb(part, final, own, {**told, "size": size, "adler32": adler})
            _put(part, content, size)
        if facts(part) != (size, adler):
            raise ValueError("the storage gives back other bytes than were written")
        staged.refuse_taken()
    except BaseException:
        if staged:
            staged.discard()
        raise
    return staged


def facts(url: str) -> tuple[int, str] | None:
    """Size and adler32 as the server computes them, or as they are read; None where there is no such file."""
    try:
        with answer("HEAD", url, {"Want-Digest": "adler32"}) as found:
            digest = DIGEST.search(found.headers.get("Digest", ""))
            size = found.headers.get("Content-Length", "")
            if digest and size.isdecimal():
                return int(size), digest.group(1).lower().rjust(8, "0")
        with answer("GET", url) as found:
            return adler32_copy(found, None)
    except Refused as why:
        if why.status == http.client.NOT_FOUND:
            return None
        raise


def done(method: str, url: str, headers: Mapping[str, str] | None = None, timeout_s: float = NETWORK_TIMEOUT_S) -> None:
    """Have the server do something; OSError where it does not."""
    with answer(method, url, headers, timeout_s=timeout_s) as found:
        found.read()


@contextlib.contextmanager
def answer(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: IO[bytes] | None = None,
    timeout_s: float = NETWORK_TIMEOUT_S,
) -> Iterator[http.client.HTTPResponse]:
    """The server's answer; Refused for one that is no success, OSError for none. No redirect is followed."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout_s, context=trust(), blocksize=CHUNK
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s, blocksize=CHUNK)
    shown = shown_to(url)
    try:
        connection.putrequest(method, f"{parts.path}?{parts.query}" if parts.query else parts.path)
        for name, value in {**shown, **(headers or {}), **({"Expect": "100-continue"} if body else {})}.items():
            connection.putheader(name, value)
        connection.endheaders()
        if body:
            _wait_for_leave(connection, bool(shown))
            connection.send(body)
        with connection.getresponse() as found:
            if not 200 <= found.status < 300:
                raise _refused(found.status, found.reason, found.read(4096), bool(shown))
            yield found
    except http.client.HTTPException as why:
        raise OSError(str(why) or repr(why)) from None
    finally:
        connection.close()


def _wait_for_leave(connection: http.client.HTTPConnection, shown: bool) -> None:
    """Wait for the server's leave to send a body (RFC 9110, 10.1.1); Refused where it says something else.

    Without it a server that refuses closes the connection while we write, and why is lost. One that does not know of
    leaves says nothing, and gets the body after a while.
    """
    connection.sock.settimeout(LEAVE_S)
    try:
        with connection.sock.makefile("rb") as answer:
            words = answer.readline(4096).decode("latin-1").split(None, 2)
            if len(words) < 2 or not words[1].isdecimal():
                raise OSError("the server gave no answer")
            http.client.parse_headers(answer)
            if (status := int(words[1])) != http.client.CONTINUE:
                raise _refused(status, words[2].strip() if len(words) > 2 else "", answer.peek(4096), shown)
    except TimeoutError:
        return
    finally:
        connection.sock.settimeout(NETWORK_TIMEOUT_S)


def _refused(status: int, reason: str, body: bytes, shown: bool) -> Refused:
    said = body.decode("utf-8", "replace").split("\n")[0].strip()[:WORDS]
    without = "" if shown or status not in (401, 403) else " (no token was shown)"
    return Refused(status, f"{status} {reason}{': ' if said else ''}{said}{without}")


def _put(url: str, content: IO[bytes], size: int) -> None:
    """Write a file; its directories are made where they are missing."""
    for again in (False, True):
        content.seek(0)
        try:
            with answer("PUT", url, {"Content-Length": str(size)}, content if size else None) as found:
                found.read()
        except Refused as why:
            if again or why.status not in MISSING:
                raise
            _make_directories(url)
        else:
            return


def _make_directories(url: str) -> None:
    """Make the directories of a file. Whether each was there, or may be made, writing the file will tell."""
    root, _, path = url.partition("://")
    host, *folders = path.split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        with contextlib.suppress(Refused):
            done("MKCOL", f"{root}://{'/'.join([host, *folders[:depth]])}")
