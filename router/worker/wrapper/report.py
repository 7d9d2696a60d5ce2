"""The job's report: what is told of the code and of the node, and how it is written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPORT = "job_report.json"
CODE_FILES = 100
"""Files of code whose digests are reported, at most …"""
CODE_BYTES = 200_000_000
"""… and of so many bytes each; a digest of as many takes about half a second."""
NODE_FACTS = (
    *("Name", "Machine", "Arch", "OpSysAndVer", "CondorVersion", "GLIDEIN_Site", "GLIDEIN_Entry_Name"),
    *("ROUTER_PYTHON_VERSION", "ROUTER_MODULE_VERSIONS", "ROUTER_SOFTWARE"),
)
"""Attributes of the slot's ad that are reported: where a job ran, and with what software."""


def code_digests(description: str) -> dict[str, str]:
    """SHA-256 of the files that came with the job beside its description, by name; a large one is left out."""
    found = {}
    for path in sorted(Path().iterdir())[:CODE_FILES]:
        if path.name == description or path.name.startswith((".", "_condor_")):
            continue
        with contextlib.suppress(OSError):
            if not path.is_symlink() and path.is_file() and path.stat().st_size <= CODE_BYTES:
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def node_facts() -> dict[str, str]:
    """What the glidein says of itself and of the node in the slot's ad; nothing where there is none."""
    try:
        ad = Path(os.environ.get("_CONDOR_MACHINE_AD", "")).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    told = re.findall(r'^(\w+) = (?:"((?:[^"\\]|\\.)*)"|(\d+))$', ad, re.MULTILINE)
    return {name: text[:300] or number for name, text, number in told if name in NODE_FACTS}


def elapsed(since: float) -> float:
    """Seconds since a reading of the monotonic clock."""
    return round(time.monotonic() - since, 3)


def write_report(report: Mapping[str, Any]) -> None:
    """Put the report in place, whole or not at all; OSError when that fails."""
    descriptor, part = tempfile.mkstemp(prefix=".job_report-", dir=".")
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        json.dump(report, target, indent=1)
    Path(part).chmod(0o644)
    Path(part).replace(REPORT)
