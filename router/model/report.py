"""Job reports: what the wrapper says of one job, checked as input from a stranger."""

import json
from dataclasses import dataclass
from typing import Any

from router.model import names
from router.model.files import File, Located, Replica

MAX_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class JobReport:
    """What became of one job, in its wrapper's words."""

    task: str
    batch: str
    job: str
    site: str
    exit_code: int
    cause: str
    """Stable tag of a failure; empty when there was none."""
    message: str
    events: int
    """Events of the inputs it read."""
    outputs: tuple[Located, ...]
    wall_s: float = 0.0


def parse(text: str) -> JobReport:
    """The report in a JSON text. Raises ValueError where it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"is {len(text):,} characters long; at most {MAX_BYTES:,} are read")
    found = json.loads(text)
    if not isinstance(found, dict) or found.get("version") != 1:
        raise ValueError("is not a job report of version 1")
    return JobReport(
        task=_text(found, "task"),
        batch=_text(found, "batch"),
        job=_text(found, "job"),
        site=_text(found, "site"),
        exit_code=_whole(found, "exit_code"),
        cause=_text(found, "cause"),
        message=_text(found, "message"),
        events=_whole(found, "events"),
        outputs=tuple(_output(each) for each in found.get("outputs") or ()),
        wall_s=float(found.get("ended") or 0) - float(found.get("started") or 0),
    )


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"has no text as {key}")
    return names.CONTROL.sub(" ", value)[:4000]


def _whole(found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"has no whole number as {key}")
    return value


def _output(each: dict[str, Any]) -> Located:
    if not isinstance(each, dict):
        raise ValueError("has an output that is no mapping")
    file = File(names.lfn(_text(each, "lfn")), _whole(each, "size"), _text(each, "adler32"), _whole(each, "events"))
    replica = Replica(names.name(_text(each, "se")), names.name(_text(each, "site")), names.plain(_text(each, "pfn")))
    return Located(file, (replica,))
