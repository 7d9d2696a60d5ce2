"""A job's sandbox and two sites' storage in a temporary directory, to run the wrapper as the program it is."""

import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from web_storage import WebStorage

from router.packages.zipapps import zip_application

WRAPPER = "run_job.pyz"


@dataclass(frozen=True)
class Ended:
    """How a wrapper ended, and what it reported."""

    code: int
    report: dict[str, Any]
    output: str
    errors: str


class Sandbox:
    """Everything one job sees: its directory, the storage of SITE_A (its own site) and of SITE_B."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.scratch = top / "scratch"
        self.scratch.mkdir()
        (self.scratch / WRAPPER).write_bytes(zip_application(WRAPPER))
        self.described: dict[str, Any] = a_description()
        self.environment = {**os.environ, "GLIDEIN_Site": "SITE_A", "GLIDEROUTE_STORAGE": str(top / "storage.json")}
        self.environment.pop("http_proxy", None)
        (top / "storage.json").write_text(json.dumps([self.volume("SITE_A"), self.volume("SITE_B")]))

    def volume(self, site: str) -> dict[str, Any]:
        protocol = {"protocol": "file", "access": "global-rw", "prefix": f"file://{self.storage(site)}"}
        return {
            "site": site,
            "volume": "disk",
            "protocols": [protocol],
            "type": "DISK",
            "rse": f"{site}_DISK",
        }

    def storage(self, site: str) -> Path:
        return self.top / site

    def payload(self, script: str) -> None:
        """The program of the job, without the execute bit: a transfer may lose it."""
        (self.scratch / "analyse.sh").write_text("#!/bin/sh\n" + script)

    def replica(self, lfn: str, content: bytes, site: str = "SITE_A") -> dict[str, str]:
        path = self.storage(site) / lfn[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"se": f"{site}_DISK", "site": site, "pfn": f"file://{path}"}

    def reads(self, lfn: str, content: bytes, *replicas: dict[str, str], events: int = 192) -> None:
        """Give the job one more input, as the catalogue would know it."""
        sized = {"lfn": lfn, "size": len(content), "adler32": f"{zlib.adler32(content):08x}"}
        self.described["inputs"].append({**sized, "first_event": 0, "events": events, "replicas": list(replicas)})

    def describe(self, **changes: Any) -> None:
        self.described.update(changes)

    def start(self) -> "subprocess.Popen[bytes]":
        (self.scratch / "b0-0.json").write_text(json.dumps(self.described))
        return subprocess.Popen(
            [sys.executable, "-S", WRAPPER, "b0-0.json", "0003"],
            cwd=self.scratch,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self, wrapper: "subprocess.Popen[bytes]") -> Ended:
        """Wait for the wrapper and for everything that holds its output open, so for all it started."""
        output, errors = wrapper.communicate(timeout=20)
        report = json.loads((self.scratch / "job_report.json").read_bytes())
        assert report["exit_code"] == wrapper.returncode
        return Ended(wrapper.returncode, report, output.decode(), errors.decode())

    def run(self) -> Ended:
        return self.end(self.start())


def a_description() -> dict[str, Any]:
    """A part with one job, which adds nothing to what its jobs have in common."""
    return {
        "version": 2,
        "task": "zmumu-3f9c2a",
        "batch": "b0",
        "executable": "analyse.sh",
        "arguments": [],
        "environment": {},
        "inputs": [],
        "outputs": [{"name": "hist.root", "lfn": "/user/alice/zmumu-3f9c2a/hist_0003.root"}],
        "jobs": {"0003": {}},
    }


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.fixture
def http_storage() -> Iterator[str]:
    """The address of a storage that speaks HTTP."""
    with HTTPServer(("127.0.0.1", 0), WebStorage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
