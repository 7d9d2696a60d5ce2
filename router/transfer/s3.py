"""Storage that speaks S3: a bucket, and in it a beginning of names; `s3s` over TLS, `s3` without.

An object appears whole when the last of its parts was taken, so nobody ever reads half of one. It gets its final name
by a copy that the server makes.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import NOT_FOUND, HTTPResponse
from itertools import count
from xml.sax.saxutils import escape

from router.errors import UserError
from router.model.transfer import TransferCause, TransferError
from router.transfer.endpoint import BLOCK, Facts, checked, missing, parts_of
from router.transfer.signing import Keys, escaped, query_of, signed
from router.transfer.web import Server, refusal, refuse, told, value

SECURE = frozenset({"s3s"})
PIECE = 16 << 20
"""Bytes of one part of an upload; S3 takes no less than 5 MiB, but for the last …"""
PIECES = 10_000
"""… and no more parts than these …"""
COPIED = 5 << 30
"""… and copies no more bytes than these at once ("Amazon S3 multipart upload limits")."""
ANSWER = 1 << 20
"""Bytes of an answer that are read."""
EMPTY = hashlib.sha256(b"").hexdigest()


class S3Endpoint:
    """A bucket as a storage element."""

    def __init__(self, prefix: str, keys: Callable[[], str], timeout_s: float) -> None:
        """Keep files in the bucket of `prefix`, such as `s3s://s3.example.org/bucket/users`.

        `keys` gives the text of a credentials file, anew each time. Raises UserError for a prefix without a bucket.
        """
        self._server, self._keys = Server(prefix, SECURE, timeout_s), keys
        if not self._server.base.strip("/"):
            raise UserError(f"{prefix} names no bucket: it has to be s3s://HOST/BUCKET, or end with more of the name")
        bucket, _, self._below = self._server.base.lstrip("/").partition("/")
        self._bucket = "/" + escaped(bucket)

    def read(self, lfn: str) -> Iterator[bytes]:
        """A file's bytes, block by block."""
        return self._blocks(lfn, "")

    def _blocks(self, lfn: str, part: str) -> Iterator[bytes]:
        with self._answer("GET", lfn, self._path(lfn, part)) as found, told(lfn):
            if found.status == NOT_FOUND:
                raise _absent(found, lfn)
            refuse(found, lfn)
            while block := found.read(BLOCK):
                yield block

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write a part, in pieces; the server compares the sum of each."""
        path = self._path(lfn, part)
        pieces = _pieces(blocks, max(PIECE, -(-size // PIECES)))
        if size <= PIECE:
            self._put(lfn, path, {}, next(pieces, b""))
            for _ in pieces:
                raise TransferError(TransferCause.CHECKSUM, f"{lfn} is longer than {size} bytes")
            return
        with self._upload(lfn, path) as upload:
            sums = [
                (number, self._put(lfn, path, {**upload, "partNumber": str(number)}, piece))
                for number, piece in zip(count(1), pieces, strict=False)
            ]
            self._complete(lfn, path, upload, sums)

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """Size and adler32, read anew: the server knows other sums only."""
        try:
            return checked(self._blocks(lfn, part))
        except TransferError as error:
            if error.cause is TransferCause.SOURCE_MISSING:
                return None
            raise

    def publish(self, lfn: str, part: str) -> None:
        """Have the server copy a part to the final name, and remove the part."""
        source, path = self._path(lfn, part), self._path(lfn)
        with self._answer("HEAD", lfn, source) as found:
            if found.status == NOT_FOUND:
                raise missing(lfn)
            refuse(found, lfn)
            size = int(found.headers.get("Content-Length", "0"))
        if size <= COPIED:
            self._copied(lfn, path, {}, {"x-amz-copy-source": source})
        else:
            self._publish_large(lfn, source, path, size)
        self.remove(lfn, part)

    def _publish_large(self, lfn: str, source: str, path: str, size: int) -> None:
        with self._upload(lfn, path) as upload:
            sums = []
            for number, first in enumerate(range(0, size, COPIED), 1):
                span = f"bytes={first}-{min(first + COPIED, size) - 1}"
                headers = {"x-amz-copy-source": source, "x-amz-copy-source-range": span}
                sums.append((number, self._copied(lfn, path, {**upload, "partNumber": str(number)}, headers)))
            self._complete(lfn, path, upload, sums)

    def _copied(self, lfn: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
        with self._answer("PUT", lfn, path, query, headers) as found:
            return value("ETag", _said(found, lfn))

    def remove(self, lfn: str, part: str = "") -> None:
        """Remove a file or a part, and what was uploaded of it and is no object yet; what is gone already is gone."""
        path = self._path(lfn, part)
        with self._answer("DELETE", lfn, path) as found:
            if found.status != NOT_FOUND:
                refuse(found, lfn)
        if part:
            for upload in self._uploads(lfn, part):
                self._abort(lfn, path, upload)

    def _uploads(self, lfn: str, part: str) -> list[str]:
        name = self._name(lfn, part)
        with self._answer("GET", lfn, self._bucket, {"uploads": "", "prefix": name}) as found:
            listed = re.findall(r"<Upload>.*?</Upload>", _said(found, lfn), re.DOTALL)
        return [value("UploadId", upload) for upload in listed if value("Key", upload) == name]

    @contextmanager
    def _upload(self, lfn: str, path: str) -> Iterator[dict[str, str]]:
        """An upload in pieces, of which nothing is left where it does not come to its end."""
        with self._answer("POST", lfn, path, {"uploads": ""}) as found:
            upload = value("UploadId", _said(found, lfn))
        try:
            yield {"uploadId": upload}
        except BaseException:
            self._abort(lfn, path, upload)
            raise

    def _abort(self, lfn: str, path: str, upload: str) -> None:
        with self._answer("DELETE", lfn, path, {"uploadId": upload}) as found:
            if found.status != NOT_FOUND:
                refuse(found, lfn)

    def _complete(self, lfn: str, path: str, upload: Mapping[str, str], sums: list[tuple[int, str]]) -> None:
        pieces = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>" for number, tag in sums
        )
        body = f"<CompleteMultipartUpload>{pieces}</CompleteMultipartUpload>".encode()
        with self._answer("POST", lfn, path, upload, body=body) as found:
            _said(found, lfn)

    def _put(self, lfn: str, path: str, query: Mapping[str, str], piece: bytes) -> str:
        """Send bytes; returns what the server calls them."""
        text = query_of(query)
        headers = self._signed("PUT", path, text, {}, hashlib.sha256(piece).hexdigest())
        with self._server.put(lfn, _address(path, text), headers, [piece] if piece else [], len(piece)) as found:
            refuse(found, lfn)
            return found.headers.get("ETag", "")

    @contextmanager
    def _answer(
        self,
        method: str,
        lfn: str,
        path: str,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Iterator[HTTPResponse]:
        text = query_of(query)
        sent = self._signed(method, path, text, headers, hashlib.sha256(body).hexdigest() if body else EMPTY)
        with self._server.answer(method, lfn, _address(path, text), sent, body) as found:
            yield found

    def _signed(self, method: str, path: str, query: str, headers: Mapping[str, str], body_sum: str) -> dict[str, str]:
        host = {"host": self._server.authority}
        return signed(Keys.of(self._keys()), method, path, query, {**headers, **host}, body_sum)

    def _name(self, lfn: str, part: str) -> str:
        return "/".join(each for each in (self._below, *parts_of(lfn, part)) if each)

    def _path(self, lfn: str, part: str = "") -> str:
        return f"{self._bucket}/{escaped(self._name(lfn, part), safe='/')}"


def _address(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _pieces(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of `size`, the last one shorter."""
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def _said(found: HTTPResponse, lfn: str) -> str:
    """A server's answer. Raises TransferError for a failure, which may come with a status that says success."""
    refuse(found, lfn)
    with told(lfn):
        answer = found.read(ANSWER)
    if b"<Error>" in answer:
        raise refusal(found.status, found.reason, answer, lfn)
    return answer.decode("utf-8", "replace")


def _absent(found: HTTPResponse, lfn: str) -> TransferError:
    """That there is no such object, or not even such a bucket."""
    with told(lfn):
        answer = found.read(ANSWER)
    return refusal(found.status, found.reason, answer, lfn) if b"NoSuchBucket" in answer else missing(lfn)
