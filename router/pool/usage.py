"""What jobs used, from the schedd's two histories: of jobs that left the queue, and of every run (job epochs).

What a run is, whose it was, where and when, is read from attributes that neither a job nor its owner can write
(schedd_config/30-protect.config); RunInstanceID and GlobalJobId, which an owner can, are not used.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from router.errors import OutcomeUnknown, PoolUnreachable
from router.model import names
from router.model.usage import BADLY, EPOCH, HISTORY, UNENDED, WELL, Run
from router.pool import ads
from router.pool.ads import Row
from router.pool.channel import Channel, Refused

PAGE = 20_000
"""Records asked for at once."""
REMOVED = 1023
"""HTCondor's VacateReasonCode of a run that ended because its job was removed."""
LATEST = 2**36
"""Seconds since the epoch that are a time; later is a fault of somebody's clock or a lie."""
LONGEST_S = 400 * 86_400
"""No run is longer: one false clock must not spoil sums for ever."""
MOST_CORES = 4096
MOST_CPU_S = 10**10

SAME = (
    "ClusterId", "ProcId", "QDate", "NumShadowStarts", "Owner", "AcctGroup", "RouterTask", "MachineAttrGLIDEIN_Site0",
    "MachineAttrGLIDEIN_Entry_Name0", "AuthTokenSubject", "AuthTokenIssuer", "AuthTokenId", "CpusProvisioned",
    "RequestCpus", "JobCurrentStartDate", "RemoteUserCpu", "RemoteSysCpu", "ExitCode", "ExitBySignal",
)  # fmt: skip
EPOCHS = (*SAME, "RemoteHost", "EpochWriteDate", "VacateReasonCode", "HoldReasonCode")
JOBS = (*SAME, "LastRemoteHost", "JobStatus", "CompletionDate", "EnteredCurrentStatus", "RemoteWallClockTime")


@dataclass(frozen=True)
class Told:
    """One of the histories."""

    operation: str
    wanted: tuple[str, ...]
    at: str
    """When a record was written; records are in its order, nearly."""
    made: Callable[[Row], Run | None]
    until: Callable[[int], str]
    """The records of vanilla jobs up to a time."""
    before: Callable[[float], str]
    """Where to stop."""


@dataclass(frozen=True)
class Histories:
    """The histories of one schedd."""

    channel: Channel
    read_s: float
    """Each read must end within these many seconds."""

    def runs(self, since: float) -> Iterator[list[Run]]:
        """The runs and ends of jobs since `since` (seconds since the epoch), page by page, newest first."""
        with suppress(Refused):  # it may keep no epochs; the history tells the last run of each job
            yield from self._pages(EPOCH_HISTORY, since)
        yield from self._pages(JOB_HISTORY, since)

    def close(self) -> None:
        """End the child."""
        self.channel.close()

    def _pages(self, told: "Told", since: float) -> Iterator[list[Run]]:
        upper = LATEST
        while True:
            rows = self._read(told.operation, told.until(upper), told.wanted, told.before(since))
            yield [run for run in map(told.made, rows) if run is not None]
            times = [ads.number(row, told.at) for row in rows]
            if len(rows) < PAGE or not min(times):
                return
            # The oldest second may go on behind the page, and is read again; a page of one second is left behind.
            upper = min(times) if min(times) != upper else upper - 1

    def _read(self, operation: str, constraint: str, wanted: tuple[str, ...], since: str) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"constraint": constraint, "attributes": list(wanted), "since": since, "limit": PAGE}
        try:
            rows: list[dict[str, Any]] = self.channel.call(operation, deadline=self.read_s, **asked)
        except OutcomeUnknown as error:
            raise PoolUnreachable(str(error)) from None
        return rows


def epoch_run(row: Row) -> Run | None:
    """A run from an ad of the job epoch history; None where the ad is none of a run."""
    return _run(row, _whole(row, "EpochWriteDate", LATEST), _outcome(row), UNENDED, EPOCH)


def ended_run(row: Row) -> Run | None:
    """The last run of a job that left the queue; None where it never ran."""
    started = _whole(row, "JobCurrentStartDate", LATEST)
    left = _whole(row, "CompletionDate", LATEST) or _whole(row, "EnteredCurrentStatus", LATEST)
    completed = ads.number(row, "JobStatus") == 4
    # One that was held before it was removed ended earlier than it left.
    ended = left if completed else min(left, started + _whole(row, "RemoteWallClockTime"))
    good = completed and _exit_code(row) == 0
    outcome = "well" if good else "failed" if completed else "removed"
    return _run(row, ended, outcome, WELL if good else BADLY, HISTORY)


def _whole(row: Row, name: str, most: int = 2**31 - 1) -> int:
    """A number that can be one; 0 where it cannot."""
    value = ads.real(row, name)
    return int(value) if 0 <= value <= most else 0


def _run(row: Row, ended: int, outcome: str, job: int, teller: int) -> Run | None:
    starts, started = _whole(row, "NumShadowStarts"), _whole(row, "JobCurrentStartDate", LATEST)
    if starts < 1 or started < 1 or not (owner := ads.text(row, "Owner")):
        return None
    host = ads.text(row, "RemoteHost") or ads.text(row, "LastRemoteHost")
    return Run(
        cluster=_whole(row, "ClusterId"),
        proc=_whole(row, "ProcId"),
        queued=_whole(row, "QDate", LATEST),
        number=starts - 1,
        owner=owner[:64],
        group=ads.checked(row, "AcctGroup", names.group)[:128],
        task=ads.text(row, "RouterTask")[:96],
        site=ads.word(row, "MachineAttrGLIDEIN_Site0"),
        entry=ads.word(row, "MachineAttrGLIDEIN_Entry_Name0"),
        node=host[:256],
        subject=ads.text(row, "AuthTokenSubject")[:256],
        issuer=ads.text(row, "AuthTokenIssuer")[:256],
        token=ads.text(row, "AuthTokenId")[:128],
        cores=_bounded(_whole(row, "CpusProvisioned") or _whole(row, "RequestCpus"), 1, MOST_CORES),
        started=started,
        ended=_bounded(ended, started, started + LONGEST_S),
        cpu_ms=_ms(row, "RemoteUserCpu") + _ms(row, "RemoteSysCpu"),
        outcome=outcome,
        exit_code=_exit_code(row),
        teller=teller,
        job=job,
    )


EPOCH_HISTORY = Told(
    "epochs",
    EPOCHS,
    "EpochWriteDate",
    epoch_run,
    lambda at: f"JobUniverse == 5 && EpochWriteDate <= {int(at)}",
    lambda at: f"EpochWriteDate < {int(at)}",
)
JOB_HISTORY = Told(
    "history",
    JOBS,
    "EnteredCurrentStatus",
    ended_run,
    lambda at: f"JobUniverse == 5 && EnteredCurrentStatus <= {int(at)}",
    lambda at: f"EnteredCurrentStatus < {int(at)}",
)


def _outcome(row: Row) -> str:
    if vacated := ads.number(row, "VacateReasonCode"):
        return "removed" if vacated == REMOVED else "evicted"
    if ads.number(row, "HoldReasonCode"):
        return "held"
    return "well" if _exit_code(row) == 0 else "failed"


def _exit_code(row: Row) -> int:
    """-1 where a signal ended it, or nobody knows."""
    code = row.get("ExitCode")
    known = isinstance(code, int) and not isinstance(code, bool) and row.get("ExitBySignal") is not True
    return int(code) if known and isinstance(code, int) and 0 <= code < 2**31 else -1


def _ms(row: Row, name: str) -> int:
    return round(1000 * min(max(ads.real(row, name), 0.0), MOST_CPU_S))


def _bounded(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)
