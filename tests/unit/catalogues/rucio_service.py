"""A small Rucio: the part of its REST interface that the plug-in uses, as its documentation describes it.

Tokens in `X-Rucio-Auth-Token`, streams of JSON objects one a line, refusals with `ExceptionClass` and
`ExceptionMessage` in headers and body.
"""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

PASSWORD = "secret"  # noqa: S105 - of a service that lives in a test
Name = tuple[str, str]


class Refusal(Exception):
    """What Rucio raises, with its HTTP status."""

    def __init__(self, status: int, kind: str, words: str) -> None:
        super().__init__(words)
        self.status, self.kind = status, kind


def conflict(kind: str) -> Refusal:
    return Refusal(409, kind, f"{kind}: it is there")


class RucioService(BaseHTTPRequestHandler):
    """Answers as Rucio does; what it holds is in its class."""

    content: dict[Name, list[Name]]
    """Files of datasets."""
    files: dict[Name, dict[str, Any]]
    replicas: dict[Name, dict[str, str]]
    """States by RSE."""
    pfns: dict[tuple[Name, str], str]
    rules: list[dict[str, Any]]
    asked: list[str]
    tokens: list[str]
    """Those that are valid."""
    down = False

    def do_GET(self) -> None:
        self.serve(None)

    def do_POST(self) -> None:
        self.serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def serve(self, body: Any) -> None:
        parts = tuple(unquote(each) for each in self.path.strip("/").split("/"))
        self.asked.append(f"{self.command} {self.path}")
        try:
            if self.down:
                raise Refusal(503, "DatabaseException", "An error occurred in the database.")
            if parts[0] == "auth":
                self.answer(200, "", {"X-Rucio-Auth-Token": self.enter()})
                return
            if self.headers["X-Rucio-Auth-Token"] not in self.tokens:
                raise Refusal(401, "CannotAuthenticate", "Cannot authenticate with given credentials")
            self.route(parts)(parts, body)
        except Refusal as error:
            told = {"ExceptionClass": error.kind, "ExceptionMessage": str(error)}
            self.answer(error.status, json.dumps(told), told)

    def route(self, parts: tuple[str, ...]) -> Callable[[tuple[str, ...], Any], None]:
        match (self.command, *parts):
            case ("GET", "dids", _, _, "files"):
                return self.list_files
            case ("POST", "replicas", "list"):
                return self.list_replicas
            case ("POST", "replicas"):
                return self.add_replicas
            case ("POST", "dids", _, _):
                return self.add_did
            case ("POST", "dids", _, _, "dids"):
                return self.attach
            case ("POST", "rules"):
                return self.add_rule
        raise Refusal(404, "NotFound", "no such address")

    def enter(self) -> str:
        told = tuple(self.headers[f"X-Rucio-{each}"] for each in ("Account", "Username", "Password"))
        if told != ("analysis", "robot", PASSWORD):
            raise Refusal(401, "CannotAuthenticate", "Cannot authenticate to account analysis with given credentials")
        self.tokens.append(f"token-{len(self.asked)}")
        return self.tokens[-1]

    def list_files(self, parts: tuple[str, ...], _: Any) -> None:
        name = (parts[1], parts[2])
        if name not in self.content:
            raise Refusal(404, "DataIdentifierNotFound", f"Data identifier '{parts[1]}:{parts[2]}' not found")
        self.stream({"scope": each[0], "name": each[1], **self.files[each]} for each in self.content[name])

    def list_replicas(self, _: tuple[str, ...], body: Any) -> None:
        wanted = [each for did in body["dids"] for each in self.content[did["scope"], did["name"]]]
        self.stream(
            {
                "scope": each[0], "name": each[1], **self.files[each], "states": self.replicas[each],
                "rses": {rse: [f"davs://elsewhere.example/{rse}"] for rse in self.replicas[each]}, "pfns": {},
            }
            for each in wanted
            if self.replicas.get(each)
        )  # fmt: skip

    def add_did(self, parts: tuple[str, ...], body: Any) -> None:
        if body["type"] != "DATASET":
            raise Refusal(400, "UnsupportedOperation", "not here")
        if (parts[1], parts[2]) in self.content:
            raise conflict("DataIdentifierAlreadyExists")
        self.content[parts[1], parts[2]] = []
        self.answer(201, "Created")

    def add_replicas(self, _: tuple[str, ...], body: Any) -> None:
        names = [(each["scope"], each["name"]) for each in body["files"]]
        for name, told in zip(names, body["files"], strict=True):
            if name in self.files and self.files[name]["adler32"] != told["adler32"]:
                raise conflict("FileConsistencyMismatch")
        if any(body["rse"] in self.replicas.get(name, {}) for name in names):
            raise conflict("Duplicate")
        for name, told in zip(names, body["files"], strict=True):
            self.files[name] = {"bytes": told["bytes"], "adler32": told["adler32"], "events": told["meta"]["events"]}
            self.replicas.setdefault(name, {})[body["rse"]] = "AVAILABLE"
            self.pfns[name, body["rse"]] = told["pfn"]
        self.answer(201, "Created")

    def attach(self, parts: tuple[str, ...], body: Any) -> None:
        held = self.content[parts[1], parts[2]]
        names = [(each["scope"], each["name"]) for each in body["dids"]]
        if any(name in held for name in names):
            raise conflict("DuplicateContent")
        held.extend(names)
        self.answer(201, "Created")

    def add_rule(self, _: tuple[str, ...], body: Any) -> None:
        if body in self.rules:
            raise conflict("DuplicateRule")
        self.rules.append(body)
        self.answer(201, '["0123456789abcdef"]')

    def stream(self, objects: Any) -> None:
        self.answer(
            200, "".join(f"{json.dumps(each)}\n" for each in objects), {"Content-Type": "application/x-json-stream"}
        )

    def answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def empty() -> dict[str, Any]:
    """The fields of a Rucio that holds nothing."""
    return {"content": {}, "files": {}, "replicas": {}, "pfns": {}, "rules": [], "asked": [], "tokens": ["given"]}
