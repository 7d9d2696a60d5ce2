"""A storage that speaks WebDAV over TLS, wants a token, and can be told to misbehave."""

import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from certificates import certificate

TOKEN = "the.token.of-alice"  # noqa: S105 - nobody's


@dataclass
class DavStorage:
    """What is stored, what is asked, and what goes wrong."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {""})
    asked: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The Authorization of each request."""
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and words for a method; 0: something that is no HTTP."""
    digests: bool = True
    spoils: bool = False
    """Keeps other bytes than it is given."""
    certificate: Path = Path()
    prefix: str = ""


class _Handler(BaseHTTPRequestHandler):
    storage: DavStorage
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        storage, path = self.storage, unquote(urlsplit(self.path).path).strip("/")
        storage.asked.append(f"{self.command} {path.partition('.part-')[0]}")
        storage.shown.append(self.headers.get("Authorization", ""))
        if self.command in storage.faults:
            self.close_connection = True  # as servers do that refuse a body
            self.say(*storage.faults[self.command])
        elif storage.shown[-1] != f"Bearer {TOKEN}":
            self.close_connection = True
            self.say(403, "permission denied")
        else:
            getattr(self, f"on_{self.command.lower()}")(path)

    do_GET = do_HEAD = do_PUT = do_MKCOL = do_MOVE = do_DELETE = handle_one  # noqa: N815 - http.server's names

    def on_get(self, path: str) -> None:
        if path not in self.storage.files:
            self.say(404)
            return
        content = self.storage.files[path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if self.storage.digests and "adler32" in self.headers.get("Want-Digest", ""):
            self.send_header("Digest", f"adler32={zlib.adler32(content):x}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    on_head = on_get

    def on_put(self, path: str) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if path.rpartition("/")[0] not in self.storage.folders:
            self.say(409)
            return
        self.storage.files[path] = content + b"!" if self.storage.spoils else content
        self.say(201)

    def on_mkcol(self, path: str) -> None:
        new = path not in self.storage.folders
        self.storage.folders.add(path)
        self.say(201 if new else 405)

    def on_move(self, path: str) -> None:
        target = unquote(urlsplit(self.headers["Destination"]).path).strip("/")
        if self.headers["Overwrite"] == "F" and target in self.storage.files:
            self.say(412)
            return
        self.storage.files[target] = self.storage.files.pop(path)
        self.say(201)

    def on_delete(self, path: str) -> None:
        self.say(204 if self.storage.files.pop(path, None) is not None else 404)

    def handle_expect_100(self) -> bool:
        """Refuse before the body comes what would be refused after it."""
        if self.command in self.storage.faults or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.handle_one()
            return False
        return super().handle_expect_100()

    def say(self, status: int, words: str = "") -> None:
        if not status:
            self.wfile.write(b"what?\r\n\r\n")
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(words.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(folder: Path) -> Iterator[DavStorage]:
    """A storage of its own, with a certificate that only those trust who are told to."""
    storage = DavStorage(certificate=certificate(folder))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(storage.certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (_Handler,), {"storage": storage})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        storage.prefix = f"davs://127.0.0.1:{server.server_port}/store"
        yield storage
        server.shutdown()
        thread.join()
