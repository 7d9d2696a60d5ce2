"""What a job's report says of its run beside how it ended: what it fetched, and what there was on the node.

A report is input from a stranger: what is not as it should be is left out, so that the rest can be told.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.model import names
from router.model.provenance import Use
from router.model.report import MAX_BYTES, MAX_NUMBER

MAX_FACTS = 100
"""Files of code, and facts of a node, that are believed of one report."""
MAX_FACT = 300
"""Characters of a fact."""
HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run in its wrapper's words."""

    started: float = 0.0
    ended: float = 0.0
    """Seconds since the epoch; 0: not told."""
    host: str = ""
    fetched: tuple[Use, ...] = ()
    code: tuple[tuple[str, str], ...] = ()
    """SHA-256 of the files that came with the job, by name."""
    node: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> RunDetails:
    """The details that a report tells; nothing where it is none."""
    if len(text) > MAX_BYTES:
        return RunDetails()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return RunDetails()
    if not isinstance(found, dict) or found.get("version") != 1:
        return RunDetails()
    return RunDetails(
        started=_time(found.get("started")),
        ended=_time(found.get("ended")),
        host=_fact(found.get("host")),
        fetched=tuple(use for each in _list(found.get("inputs")) if (use := _use(each)) is not None),
        code=tuple((name, digest) for name, digest in _facts(found.get("code")) if _is_sha256(digest)),
        node=_facts(found.get("node")),
    )


def _time(told: Any) -> float:
    good = isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told <= MAX_NUMBER
    return float(told) if good else 0.0


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else []


def _fact(told: Any) -> str:
    return names.CONTROL.sub(" ", told[:MAX_FACT]) if isinstance(told, str) else ""


def _facts(told: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(told, Mapping):
        return ()
    found = ((_fact(name), _fact(value)) for name, value in list(told.items())[:MAX_FACTS])
    return tuple(sorted((name, value) for name, value in found if name and value))


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and set(text) <= HEXADECIMAL


def _use(told: Any) -> Use | None:
    """A file that was fetched; None for one that was not, or that has no name."""
    if not isinstance(told, Mapping) or not told.get("se"):
        return None
    try:
        lfn, se = names.lfn(str(told["lfn"])), names.name(str(told["se"]))
        adler32 = names.adler32(str(told["adler32"])) if told.get("adler32") else ""
    except (KeyError, ValueError):
        return None
    size = told.get("bytes")
    return Use(lfn, size if type(size) is int and 0 <= size <= MAX_NUMBER else -1, adler32, se=se)
