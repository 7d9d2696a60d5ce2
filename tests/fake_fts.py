"""A stand-in for FTS's REST interface, made after its documentation and code; it copies files."""

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

BASE = uuid.UUID("01874efb-4735-4595-bc9c-591aef8240c9")
ORGANISATION = uuid.uuid5(BASE, "vo.example.org")


@dataclass
class FakeFts:
    """Jobs that were submitted, and what becomes of their files when it is told to run."""

    hosts: Mapping[str, Path]
    """Where the files of each storage element's host lie."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The tokens it was asked with."""
    refuses: tuple[int, str] = (0, "")
    """With which status, and words, it refuses to take jobs."""
    deaf: bool = False
    """It does what it is asked, and closes the connection instead of answering."""
    answers: bytes = b""
    """What it says instead of anything else."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *reasons: str) -> None:
        """Copy what is submitted; the first files fail for `reasons`."""
        left = list(reasons)
        for job in self.jobs.values():
            for each in job["files"]:
                if each["file_state"] == "SUBMITTED":
                    each["file_state"], each["reason"] = self._copied(each, left.pop(0) if left else "")
            states = {each["file_state"] for each in job["files"]}
            job["job_state"] = states.pop() if len(states) == 1 else "FINISHEDDIRTY"

    def _copied(self, each: Mapping[str, Any], reason: str) -> tuple[str, str]:
        if reason:
            return "FAILED", reason
        source, target = self.path(each["source_surl"]), self.path(each["dest_surl"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        return "FINISHED", ""

    def path(self, surl: str) -> Path:
        found = urlsplit(surl)
        return self.hosts[found.hostname or ""] / unquote(found.path).lstrip("/")

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and value, as FTS gives them."""
        parts = [each for each in path.split("/") if each]
        match method, parts:
            case "GET", ["whoami"]:
                return 200, {"vos": ["vo.example.org"], "vos_id": [str(ORGANISATION)], "method": "oauth2"}
            case "POST", ["jobs"]:
                return self._submit(body)
            case "GET", ["jobs", name, "files"] if name in self.jobs:
                return 200, self.jobs[name]["files"]
            case "DELETE", ["jobs", name] if name in self.jobs:
                for each in self.jobs[name]["files"]:
                    if each["file_state"] == "SUBMITTED":
                        each |= {"file_state": "CANCELED", "reason": "Job canceled by the user"}
                return 200, {"job_id": name, "job_state": "CANCELED"}
        return 404, {"status": "404 Not Found", "message": f'No job with the id "{parts[1]}" has been found'}

    def _submit(self, body: Any) -> tuple[int, Any]:
        if self.refuses[0]:
            return self.refuses[0], {"status": str(self.refuses[0]), "message": self.refuses[1]}
        assert body["params"]["id_generator"] == "deterministic"
        name = str(uuid.uuid5(ORGANISATION, body["params"]["sid"]))
        if name in self.jobs:
            return 409, {"status": "409 Conflict", "message": "The sid provided by the user is duplicated"}
        files = []
        for index, each in enumerate(body["files"]):
            [source], [destination] = each["sources"], each["destinations"]
            if "file" in (urlsplit(source).scheme, urlsplit(destination).scheme):
                return 400, {"status": "400 Bad Request", "message": f"Can not transfer local files ({source})"}
            told = {"source_surl": source, "dest_surl": destination, "file_index": index, "job_id": name}
            files.append({**told, "file_state": "SUBMITTED", "reason": None, "checksum": each["checksum"]})
        self.jobs[name] = {"job_state": "SUBMITTED", "files": files}
        self.submitted.append(body)
        return 200, {"job_id": name}


class _Handler(BaseHTTPRequestHandler):
    fts: FakeFts

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = json.loads(self.rfile.read(length)) if length else None
        self.fts.shown.append(self.headers.get("Authorization", ""))
        status, said = self.fts.answer(self.command, self.path, body)
        if self.fts.deaf:
            self.close_connection = True
            return
        text = self.fts.answers or json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that the library looks for

    def log_message(self, *_: Any) -> None:
        pass


class Running:
    """A fake that listens, for as long as the block lasts."""

    def __init__(self, fts: FakeFts) -> None:
        handler = type("Handler", (_Handler,), {"fts": fts})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        fts.port, self._fts = self._server.server_port, fts

    def __enter__(self) -> FakeFts:
        self._thread.start()
        return self._fts

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
