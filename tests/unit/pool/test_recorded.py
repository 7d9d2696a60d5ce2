"""The schedd's history becomes a load."""

from collections.abc import Sequence
from typing import Any

from router.model.share_load import Submission
from router.pool.recorded import load_of


class History:
    """A queue that has only a past."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows, self.since = rows, ""

    def history(self, constraint: str, attributes: Sequence[str], since: str = "") -> list[dict[str, Any]]:
        self.since = since
        return list(self.rows)


def a_job(**given: Any) -> dict[str, Any]:
    return {"QDate": 10_000, "Owner": "eve", "RequestCpus": 2, "RemoteWallClockTime": 600.0, **given}


def test_alike_jobs_of_one_minute_are_one_submission() -> None:
    queue = History(a_job(), a_job(QDate=10_010), a_job(AccountingGroup="a.b.eve@vo"), a_job(QDate=3))
    assert load_of(queue, 9_960) == (  # type: ignore[arg-type]
        Submission("a.b.eve", 0, 1, 600, 2),
        Submission("eve", 0, 3, 600, 2),
    )
    assert queue.since == "EnteredCurrentStatus < 9960"


def test_jobs_that_never_ran_are_no_load() -> None:
    assert load_of(History(a_job(RemoteWallClockTime=0), a_job(RemoteWallClockTime=None)), 0) == ()  # type: ignore[arg-type]
