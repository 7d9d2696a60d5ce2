"""The load that a pool has had, from the schedd's history."""

from router.model.share_load import Submission
from router.pool import ads
from router.pool.queue import Queue

WANTED = ("QDate", "Owner", "AccountingGroup", "RequestCpus", "RemoteWallClockTime", "EnteredCurrentStatus")
GRAIN_S = 60
"""Jobs submitted within a minute, of one length in minutes, are one submission."""


def load_of(queue: Queue, since: float) -> tuple[Submission, ...]:
    """The jobs that ended after `since`, seconds since the epoch, as submissions counted from then."""
    counted: dict[tuple[str, int, int, int], int] = {}
    for row in queue.history("JobUniverse == 5", WANTED, f"EnteredCurrentStatus < {int(since)}"):
        run_s = ads.number(row, "RemoteWallClockTime")
        if run_s > 0:
            who = ads.text(row, "AccountingGroup").partition("@")[0] or ads.text(row, "Owner")
            at = max(0, ads.number(row, "QDate") - int(since)) // GRAIN_S
            key = (who, at, max(1, round(run_s / GRAIN_S)), ads.amount(row, "RequestCpus", 1))
            counted[key] = counted.get(key, 0) + 1
    return tuple(
        Submission(who, at * GRAIN_S, jobs, length * GRAIN_S, cores)
        for (who, at, length, cores), jobs in sorted(counted.items())
    )
