"""The audit: who asked for what, what was decided, and what became of it.

Entries hang together: each has a digest over itself and the digest of the one before, so that an entry that is changed,
left out or put in later shows.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

GENESIS = ""
"""What the first entry hangs on."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was asked, decided or done. A request has two: as it begins, and what became of it."""

    at: float
    """Seconds since the epoch; of a decision, when it was made."""
    who: str
    """The user, or the daemon."""
    act: str
    """What was asked (`submit`, `kill`, …) or decided (`place`, `move`, …)."""
    about: str
    """A task, a site, a dataset, a policy, in a word or two."""
    outcome: str
    """`asked`, `done`, `refused`, `failed`; of decisions as in the decision log; `unknown` where nobody knows."""
    words: str = ""
    account: str = ""
    """The account of the operating system that a command ran under; empty: a daemon."""
    task: str = ""
    cluster: int = 0
    """0: none, or several."""
    request: str = ""
    """The same in both entries of a request."""
    identity: str = ""
    """As whom the schedd authenticated who asked; empty where the schedd was not asked for anything."""


FIELDS = tuple(each.name for each in fields(AuditEntry))
TEXTS = tuple(each.name for each in fields(AuditEntry) if each.type is str)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry in its place."""

    number: int
    entry: AuditEntry
    digest: str


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are wanted; what is empty does not matter."""

    task: str = ""
    cluster: int = 0
    user: str = ""
    begins: float = 0.0
    """Seconds since the epoch."""
    ends: float = 0.0
    most: int = 1000
    """The newest so many."""


@dataclass(frozen=True, slots=True)
class AuditState:
    """What checking the whole audit came to."""

    entries: int
    last: int
    """The number of the last entry; 0: there was never one."""
    digest: str
    """Of the last entry. Kept elsewhere, it shows later whether the end of the audit was cut off or made anew."""
    fault: str = ""
    """What is wrong, in words; empty: nothing."""


def digest_of(previous: str, number: int, entry: AuditEntry) -> str:
    """The digest of an entry behind one with the digest `previous`: SHA-256 over both as JSON."""
    told = [previous, number, *(getattr(entry, name) for name in FIELDS)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def seal(last: tuple[int, str], entries: Iterable[AuditEntry]) -> list[Sealed]:
    """New entries behind the `last` one, which is given by its number and digest."""
    number, digest = last
    found = []
    for number, entry in enumerate(entries, number + 1):  # noqa: B020 - goes on from the last
        digest = digest_of(digest, number, entry)
        found.append(Sealed(number, entry, digest))
    return found


def checked(start: tuple[int, str], entries: Iterable[Sealed]) -> AuditState:
    """Whether the entries hang together behind `start`, up to the first that does not."""
    count, (number, digest) = 0, start
    for each in entries:
        if each.number != number + 1:
            return AuditState(count, number, digest, f"entries {number + 1} to {each.number - 1} are missing")
        if digest_of(digest, each.number, each.entry) != each.digest:
            return AuditState(count, number, digest, f"entry {each.number}, or the one before it, is not as written")
        count, number, digest = count + 1, each.number, each.digest
    return AuditState(count, number, digest)
