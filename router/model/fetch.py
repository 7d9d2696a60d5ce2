"""Tries to fetch copies of inputs, as the file-transfer plug-in of jobs told of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from router.model.event import BUCKET_S

GIVEN = ""
"""The cause of a try that went well."""
FAULTS = frozenset({"missing", "permission", "checksum", "down"})
"""What is held against a storage element …"""
CAUSES = FAULTS | {GIVEN, "unsupported", "node"}
"""… of what the plug-in tells (router/worker/lfn_plugin.py)."""
UNDECLARED = "undeclared"
"""Stands for storage elements of other names: a job may call one as it likes."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """One try at one copy."""

    cluster: int
    proc: int
    start: int
    """Which start of the job it was, from 1."""
    number: int
    """Which try of that start it was, from 0."""
    owner: str
    at: int
    """Seconds since the epoch."""
    lfn: str
    se: str
    cause: str = GIVEN
    words: str = ""


@dataclass(frozen=True, slots=True)
class Fetches:
    """What was read of a history of tries at once."""

    tries: tuple[Fetch, ...] = ()
    more: bool = False
    """Older ones were left out: there were too many."""


@dataclass(frozen=True, slots=True)
class Served:
    """How a storage element served the jobs of one owner in some span of time."""

    se: str
    owner: str
    given: int
    failed: int
    bucket: int = field(default=0, compare=False)
    """When the span begins, seconds since the epoch, where it is one of BUCKET_S."""


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """Tries at copies that failed alike."""

    se: str
    cause: str
    words: str
    count: int
    last: int
    """When the last one was, seconds since the epoch."""


def served(tries: Iterable[Fetch], elements: Collection[str]) -> tuple[Served, ...]:
    """The tries added up by storage element, owner and bucket of time; only declared storage elements count."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for each in tries:
        if each.se in elements and each.cause in FAULTS | {GIVEN}:
            sums = found.setdefault((each.se, each.owner, each.at // BUCKET_S * BUCKET_S), [0, 0])
            sums[each.cause != GIVEN] += 1
    return tuple(Served(se, owner, given, failed, at) for (se, owner, at), (given, failed) in sorted(found.items()))


def alike(failed: Iterable[Fetch]) -> tuple[FetchFailure, ...]:
    """Failed tries by what they say, those that were most often first."""
    found: dict[tuple[str, str, str], list[Fetch]] = {}
    for each in failed:
        found.setdefault((each.se, each.cause, each.words), []).append(each)
    told = []
    for (se, cause, words), tries in found.items():
        told.append(FetchFailure(se, cause, words, len(tries), max(each.at for each in tries)))
    return tuple(sorted(told, key=lambda each: (-each.count, each.se, each.cause, each.words)))
