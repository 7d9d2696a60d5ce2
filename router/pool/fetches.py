"""What the file-transfer plug-in of jobs told of each copy, from the schedd's history of job epochs.

Whose job it was, and when, is the shadow's word. The rest is that of a program which came with the job, and so of a
stranger: what does not look as our plug-in writes it is left out.
"""

from dataclasses import dataclass
from typing import Any

from router.errors import OutcomeUnknown, PoolUnreachable
from router.model import names
from router.model.fetch import CAUSES, Fetch, Fetches
from router.pool import ads
from router.pool.ads import Row
from router.pool.channel import Channel, Refused

MOST_STARTS = 1_000
"""Starts of jobs that are looked at in one read."""
MOST_WORDS = 200
SCHEME = "lfn://"


@dataclass(frozen=True)
class FetchHistory:
    """The tries of one schedd's jobs."""

    channel: Channel
    read_s: float
    """Each read must end within these many seconds."""

    def tries(self, after: int, upto: int) -> Fetches:
        """The tries after a time and up to another, in whole seconds since the epoch. Raises TemporaryError."""
        asked: dict[str, Any] = {
            "constraint": f"EpochWriteDate > {int(after)} && EpochWriteDate <= {int(upto)}",
            "since": f"EpochWriteDate <= {int(after)}",
            "limit": MOST_STARTS,
        }
        try:
            rows: list[Row] = self.channel.call("input_epochs", deadline=self.read_s, **asked)
        except Refused:  # it keeps no epochs
            return Fetches()
        except OutcomeUnknown as error:
            raise PoolUnreachable(str(error)) from None
        return Fetches(tuple(each for row in rows for each in tries_of(row)), len(rows) == MOST_STARTS)

    def close(self) -> None:
        """End the child."""
        self.channel.close()


def tries_of(row: Row) -> tuple[Fetch, ...]:
    """The tries of one start of a job; none where it is not said whose job it was, or when."""
    cluster, proc = ads.number(row, "ClusterId"), ads.number(row, "ProcId")
    start, at = ads.number(row, "NumShadowStarts"), ads.number(row, "EpochWriteDate")
    owner, told = ads.text(row, "Owner")[:64], row.get("Fetches")
    if not owner or not isinstance(told, list) or not (0 < cluster < 2**31 and 0 <= proc < 2**31 and 0 < at < 2**36):
        return ()
    found = (_fetch((cluster, proc, min(max(start, 1), 2**31 - 1), number), owner, at, each)
             for number, each in enumerate(told))  # fmt: skip
    return tuple(each for each in found if each is not None)


def _fetch(key: tuple[int, int, int, int], owner: str, at: int, told: Any) -> Fetch | None:
    """One try; None where it is none of our plug-in's."""
    try:
        url, se, cause, words = told
        lfn = names.lfn(url.removeprefix(SCHEME))
        se, line = names.name(se), names.CONTROL.sub(" ", words)[:MOST_WORDS]
        known = cause in CAUSES
    except (ValueError, TypeError, AttributeError):
        return None
    return Fetch(*key, owner, at, lfn, se, cause, line) if known else None
