"""FTS, which copies between storage elements for an organisation: its REST interface, and what its reasons mean.

Source: "FTS REST API" and the code of cern-fts/fts-rest-flask (3.13): `jobs.submit` with the parameters `id_generator`
and `sid`, by which the same submission gets the same job, and is refused (409) the second time.
"""

import errno
import http.client
import json
import re
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.model.transfer import TransferCause, TransferError
from router.transfer.local import CAUSES
from router.transfer.web import WORDS, Server, cause, told

SECURE = frozenset({"https"})
ANSWER = 64 << 20
"""Bytes of an answer that are read: a job's files, some kB each."""
SAYS = (
    (re.compile(r"quota|no space|storage full|insufficient storage|HTTP 507", re.IGNORECASE), TransferCause.QUOTA),
    (re.compile(r"checksum", re.IGNORECASE), TransferCause.CHECKSUM),
    (re.compile(r"HTTP 40[13]|permission|authori[sz]|credential|certificate|proxy", re.IGNORECASE),
     TransferCause.PERMISSION),
    (re.compile(r"^SOURCE .*(HTTP 404|no such file|not found)", re.IGNORECASE), TransferCause.SOURCE_MISSING),
    (re.compile(r"timed? ?-?out|time-?out|stayed in the queue|HTTP (408|504)", re.IGNORECASE), TransferCause.TIME_OUT),
)  # fmt: skip
"""What the words of a reason mean, the first that fits; the commonest ones are listed in dmwm/CRABServer#9363."""
SCOPED = re.compile(r"^(SOURCE|DESTINATION|TRANSFER|STAGING|GENERAL_FAILURE|AGENT)\s+\[(\d+)\]")
"""Where it failed, and with which number of the system's errors."""


@dataclass(frozen=True, slots=True)
class Order:
    """One file that FTS is to copy."""

    source: str
    destination: str
    size: int
    adler32: str
    source_token: str = field(default="", repr=False)
    destination_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far FTS is with a file."""

    destination: str
    state: str
    reason: str


class Fts:
    """One FTS server, asked with a token or a proxy."""

    def __init__(self, url: str, token: Callable[[], str], proxy: str, timeout_s: float) -> None:
        """Ask the server at `url` with the bearer token of the moment, or with the certificate in the file `proxy`."""
        self._url, self._token, self._proxy, self._timeout_s = url, token, proxy, timeout_s
        self._organisation: uuid.UUID | None = None

    def submit(self, name: str, wanted: Sequence[Order], queued_s: float) -> None:
        """Have files copied as the job of this name; one that is there already stays as it is. Raises TransferError."""
        parameters = {
            "id_generator": "deterministic",
            "sid": name,
            "verify_checksum": "both",
            "overwrite": True,  # it writes parts, whose names are ours
            "retry": 0,
            "max_time_in_queue": f"{int(queued_s)}s",
            "job_metadata": {"glideroute": name},
        }
        body = {"files": [_file(each) for each in wanted], "params": parameters}
        status, said = self._ask("POST", "/jobs", body)
        if status == http.client.CONFLICT:
            return
        _refuse(status, said)

    def files(self, name: str) -> tuple[Progress, ...] | None:
        """How far the files of a job are; None where there is no such job. Raises TransferError."""
        status, said = self._ask("GET", f"/jobs/{self._job(name)}/files")
        if status == http.client.NOT_FOUND:
            return None
        _refuse(status, said)
        if not isinstance(said, list):
            raise _strange(said)
        return tuple(_progress(each) for each in said)

    def cancel(self, name: str) -> None:
        """Have no more of a job copied; one that is over or not there is well. Raises TransferError."""
        status, said = self._ask("DELETE", f"/jobs/{self._job(name)}")
        if status != http.client.NOT_FOUND:
            _refuse(status, said)

    def _job(self, name: str) -> uuid.UUID:
        """The identifier that FTS makes of a name and the organisation that asks."""
        if self._organisation is None:
            status, said = self._ask("GET", "/whoami")
            _refuse(status, said)
            try:
                self._organisation = uuid.UUID(said["vos_id"][0])
            except (TypeError, KeyError, IndexError, ValueError, AttributeError):
                raise _strange(said) from None
        return uuid.uuid5(self._organisation, name)

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status and the value of an answer."""
        server = Server(self._url, SECURE, self._timeout_s, self._certificate())
        headers = {"Accept": "application/json"}
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        sent = None
        if body is not None:
            sent, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        with server.answer(method, "FTS", server.base + path, headers, sent) as found:
            with told("FTS"):
                text = found.read(ANSWER)
            try:
                return found.status, json.loads(text) if text else None
            except ValueError:
                if 200 <= found.status < 300:
                    raise _strange(text.decode("utf-8", "replace")) from None
                return found.status, text.decode("utf-8", "replace")

    def _certificate(self) -> ssl.SSLContext | None:
        if not self._proxy:
            return None
        context = Server.trust()
        try:
            context.load_cert_chain(self._proxy)
        except (OSError, ssl.SSLError) as error:
            words = f"the proxy for FTS cannot be used: {error}: {self._proxy}"
            raise TransferError(TransferCause.PERMISSION, words) from None
        return context


def _file(order: Order) -> dict[str, object]:
    made: dict[str, object] = {
        "sources": [order.source],
        "destinations": [order.destination],
        "filesize": order.size,
        "checksum": f"ADLER32:{order.adler32}",
    }
    if order.source_token and order.destination_token:
        made |= {"source_tokens": [order.source_token], "destination_tokens": [order.destination_token]}
    return made


def _progress(said: object) -> Progress:
    if not isinstance(said, Mapping):
        raise _strange(said)
    return Progress(*(str(said.get(name) or "") for name in ("dest_surl", "file_state", "reason")))


def _refuse(status: int, said: object) -> None:
    """Raise what a status that is no success means."""
    if 200 <= status < 300:
        return
    message = said.get("message", "") if isinstance(said, Mapping) else said
    words = f"FTS: {status}: {str(message or '').strip()[:WORDS]}"
    if status == 419:  # its own: there is no delegated proxy, or it ends soon
        raise TransferError(TransferCause.PERMISSION, f"{words} Delegate one with fts-rest-delegate.")
    raise TransferError(cause(status), words)


def _strange(said: object) -> TransferError:
    return TransferError(TransferCause.OTHER, f"FTS answers what is not understood: {str(said)[:WORDS]}")


def meant(reason: str) -> TransferCause:
    """What FTS's reason for a file that was not copied means."""
    for pattern, found in SAYS:
        if pattern.search(reason):
            return found
    scoped = SCOPED.search(reason)
    if scoped is None:
        return TransferCause.OTHER
    where, number = scoped.group(1), int(scoped.group(2))
    if where == "SOURCE":
        return TransferCause.SOURCE_MISSING if number == errno.ENOENT else TransferCause.SOURCE_DOWN
    found = CAUSES.get(number, TransferCause.DOWN)
    # What fails between the two may be either's fault.
    return TransferCause.OTHER if found is TransferCause.DOWN and where != "DESTINATION" else found


def ended(progress: Sequence[Progress]) -> Iterator[tuple[Progress, bool]]:
    """The files that FTS is done with, and whether it copied them."""
    for each in progress:
        if each.state in ("FINISHED", "FAILED", "CANCELED"):
            yield each, each.state == "FINISHED"
