"""A bookkeeping service like CMS's DBS: files of datasets as JSON, page by page, to who has a token."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2
TOKEN = "a-token"  # noqa: S105 - of a service that lives in a test


class Bookkeeping(BaseHTTPRequestHandler):
    """Answers `GET /files?dataset=…&page=…`, and takes `POST /files`."""

    datasets: dict[str, list[dict[str, Any]]]
    status = 200

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        found = self.datasets.get(asked["dataset"][0])
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(403, "who are you?")
        elif self.status != 200 or found is None:
            self.answer(404 if self.status == 200 else self.status, "no such dataset")
        else:
            start = int(asked["page"][0]) * PAGE
            self.answer(200, json.dumps(found[start : start + PAGE]))

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.datasets.setdefault(told["dataset"], []).extend(told["files"])
        self.answer(201, "")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(kind: type[BaseHTTPRequestHandler], **fields: Any) -> Iterator[type[Any]]:
    """A server on this machine; its handlers' class, with the `url` where it is."""
    made_kind = type("Here", (kind,), fields)
    made = HTTPServer(("127.0.0.1", 0), made_kind)
    made_kind.url = f"http://127.0.0.1:{made.server_port}"  # type: ignore[attr-defined]
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield made_kind
    finally:
        made.shutdown()
        made.server_close()
