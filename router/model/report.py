"""Job reports: what the wrapper says of one job, checked as input from a stranger."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from router.model import names
from router.model.files import File, Located, Replica

MAX_BYTES = 10_000_000
MAX_LINE = 4_000
"""Characters kept of what a wrapper says."""
MAX_NUMBER = 2**53
"""What JSON and the database hold exactly."""
WRITTEN = re.compile(r"file:///.*|(https?|davs?)://[^/@?#]+/[^?#]*")
"""What jobs write to: mounted files, and WebDAV."""


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
    program_s: float = 0.0
    """Seconds that the program ran."""
    inputs: tuple[str, ...] = ()
    """Logical names of what it read."""


def parse(text: str) -> JobReport:
    """The report in a JSON text. Raises ValueError where it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"is {len(text):,} characters long; at most {MAX_BYTES:,} are read")
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if not isinstance(found, dict) or found.get("version") != 1:
        raise ValueError("is not a job report of version 1")
    outputs = found.get("outputs")
    if not isinstance(outputs, list | None):
        raise ValueError("has no list as outputs")
    return JobReport(
        task=_line(found, "task"),
        batch=_line(found, "batch"),
        job=_line(found, "job"),
        site=_line(found, "site"),
        exit_code=_count(found, "exit_code"),
        cause=_line(found, "cause"),
        message=_line(found, "message"),
        events=_count(found, "events"),
        outputs=tuple(_output(each) for each in outputs or ()),
        wall_s=_number(found, "ended") - _number(found, "started"),
        program_s=_program_s(found.get("payload")),
        inputs=tuple(_inputs(found.get("inputs"))),
    )


def _program_s(told: Any) -> float:
    return _number(told, "seconds") if isinstance(told, dict) else 0.0


def _inputs(told: Any) -> Iterator[str]:
    """The inputs that were fetched; what is no such list tells of none."""
    for each in told if isinstance(told, list) else ():
        if isinstance(each, dict) and each.get("se") and isinstance(each.get("lfn"), str):
            yield names.lfn(each["lfn"])


def _line(found: dict[str, Any], key: str) -> str:
    return names.CONTROL.sub(" ", _text(found, key)[:MAX_LINE])


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"has no text as {key}")
    return value


def _number(found: dict[str, Any], key: str) -> float:
    value = found.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
        raise ValueError(f"has no number as {key}")
    return value


def _count(found: dict[str, Any], key: str) -> int:
    value = _number(found, key)
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"has no whole number as {key}")
    return value


def _output(each: dict[str, Any]) -> Located:
    if not isinstance(each, dict):
        raise ValueError("has an output that is no mapping")
    checksum = names.adler32(_text(each, "adler32"))
    file = File(names.lfn(_text(each, "lfn")), _count(each, "size"), checksum, _count(each, "events"))
    replica = Replica(names.name(_text(each, "se")), names.name(_text(each, "site")), _pfn(each))
    return Located(file, (replica,))


def _pfn(each: dict[str, Any]) -> str:
    """Where an output is said to lie; whoever believes it asks the rules of the declared storage first (A41)."""
    pfn = names.plain(_text(each, "pfn"))
    if not WRITTEN.fullmatch(pfn):
        raise ValueError(f"has an output that no job can have written: {pfn[:100]!r} is no file, nor on the web")
    return pfn
