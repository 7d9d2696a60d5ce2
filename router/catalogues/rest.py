"""HTTP and JSON for plug-ins of data services: with time-outs and bounds, to one host, and without redirects.

A redirect is refused and not followed: what it leads to is not what the settings name, and would be given the token.
"""

import http.client
import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from router.errors import NotFound, PermissionRefused, RouterError, TemporaryError, UserError

LONGEST_LINE = 4 << 20
"""Bytes of one object of a stream; a file with its copies takes a few hundred."""
LONGEST_DOCUMENT = 256 << 20
"""Bytes of one answer in all."""
WORDS = 300
"""Characters of what a service says that are passed on."""

Headers = Callable[[], Mapping[str, str]]
"""What shows who asks, made anew for each question."""


class Refused(RouterError):
    """The service understood, and will not; `status` and `kind` are its own."""

    def __init__(self, words: str, status: int, kind: str = "") -> None:
        """Give the service's answer in words, its HTTP status, and the class of error that it names."""
        super().__init__(words)
        self.status, self.kind = status, kind


class Rest:
    """One service at one address."""

    def __init__(self, url: str, timeout_s: float, headers: Headers = lambda: {}) -> None:
        """Speak to the service at `url`; no read may take longer than `timeout_s` seconds. Raises UserError."""
        found = urlsplit(url)
        if found.scheme not in ("http", "https") or not found.hostname or found.username or found.query:
            raise UserError(f"{url} is no address of a data service: it looks like https://data.example.org/api")
        self._secure, self._host = found.scheme == "https", found.hostname
        self._port = found.port or (443 if self._secure else 80)
        self._base, self._timeout_s, self._headers = found.path.rstrip("/"), timeout_s, headers
        self._context = ssl.create_default_context(capath=os.environ.get("X509_CERT_DIR")) if self._secure else None

    def objects(self, method: str, path: str, body: object = None, **query: str) -> Iterator[dict[str, Any]]:
        """A stream of JSON objects, one a line, as they come."""
        with self._answer(method, path, body, query) as answer:
            left = LONGEST_DOCUMENT
            while line := answer.readline(LONGEST_LINE + 1):
                left -= len(line)
                if len(line) > LONGEST_LINE or left < 0:
                    raise RouterError(f"{self._host} answers with more than is read: {path}")
                if line.strip():
                    yield self._object(line)

    def document(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """One JSON document; None where the answer is empty."""
        with self._answer(method, path, body, query) as answer:
            text = answer.read(LONGEST_DOCUMENT + 1)
        if len(text) > LONGEST_DOCUMENT:
            raise RouterError(f"{self._host} answers with more than is read: {path}")
        return self._json(text) if text.strip() else None

    def send(self, method: str, path: str, body: object = None) -> None:
        """Ask for a change; of the answer only whether it was made counts."""
        with self._answer(method, path, body, {}):
            pass

    def told(self, method: str, path: str, headers: Mapping[str, str]) -> http.client.HTTPMessage:
        """The headers of an answer to a question that has these."""
        with self._answer(method, path, None, {}, headers) as answer:
            return answer.headers

    def _object(self, line: bytes) -> dict[str, Any]:
        found = self._json(line)
        if not isinstance(found, dict):
            raise RouterError(f"{self._host} answers with a line that is no JSON object: {_words(line)}")
        return found

    def _json(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise RouterError(f"{self._host} answers with what is no JSON: {_words(text)}") from None

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, str],
        more: Mapping[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        where = self._base + path + (f"?{urlencode(query)}" if query else "")
        text = None if body is None else json.dumps(body).encode()
        typed = {} if text is None else {"Content-Type": "application/json"}
        connection = self._connection()
        try:
            connection.request(method, where, text, {**self._headers(), **(more or {}), **typed})
            with connection.getresponse() as answer:
                if answer.status >= http.client.MULTIPLE_CHOICES:
                    raise self._refusal(answer, path)
                yield answer
        except TimeoutError:
            raise TemporaryError(f"{self._host} gives no answer in time: {path}") from None
        except (OSError, http.client.HTTPException) as error:
            raise TemporaryError(f"{self._host} cannot be asked: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _refusal(self, answer: http.client.HTTPResponse, path: str) -> RouterError:
        status = answer.status
        said = answer.headers.get("ExceptionMessage", "").encode() or answer.read(WORDS)
        words = f"{self._host} answers {status} {answer.reason} to {path}: {_words(said)}"
        if status == http.client.NOT_FOUND:
            return NotFound(words)
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            return PermissionRefused(words)
        if status >= http.client.INTERNAL_SERVER_ERROR or status in (408, 429):
            return TemporaryError(words)
        return Refused(words, status, answer.headers.get("ExceptionClass", ""))


def _words(said: bytes) -> str:
    text = said[:WORDS].decode("utf-8", "replace")
    return "".join(each if each.isprintable() else " " for each in text).strip()


def part(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def secret(path: str, what: str) -> str:
    """What a file holds that nobody else may read: a token, a password. Raises RouterError."""
    try:
        return Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RouterError(f"The {what} in {path} cannot be read: {error}.") from None
