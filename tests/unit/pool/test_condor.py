"""The real Pool over a queue that writes down what it is asked: the calls, their order, and what is made of answers."""

from collections.abc import Sequence
from typing import Any

import pytest

from router.errors import UserError
from router.pool.condor import CondorPool


class Script:
    """A JobQueue that answers as the test says."""

    def __init__(self, rows: Sequence[dict[str, Any]] = (), matched: int = 10) -> None:
        self.rows, self.matched = list(rows), matched
        self.asked: list[tuple[str, ...]] = []

    def count(self, constraint, attributes):
        self.asked.append(("count", constraint))
        return self.rows

    def query(self, constraint, attributes, limit=-1):
        self.asked.append(("query", constraint))
        return self.rows

    def history(self, constraint, attributes, since=""):
        self.asked.append(("history", constraint, since))
        return self.rows

    def parse(self, text, attributes):
        return self.rows

    def ads(self, kind, constraint, attributes):
        self.asked.append(("ads", kind, constraint))
        return self.rows

    def act(self, action, constraint, reason, code=0):
        self.asked.append(("act", action, constraint, reason))
        return self.matched

    def submit(self, text, items):
        self.asked.append(("submit", text))
        return 17


@pytest.mark.parametrize("call", ["remove", "retry"])
def test_a_task_name_cannot_widen_what_is_changed(call):
    queue = Script()
    getattr(CondorPool(queue), call)('x" || true || "', "because")
    assert 'RouterTask =?= "x\\" || true || \\""' in queue.asked[0][2]
    with pytest.raises(UserError):
        getattr(CondorPool(queue), call)("x\\", "because")


def test_a_retry_leaves_jobs_that_were_submitted_on_hold():
    queue = Script()
    CondorPool(queue).retry("zmumu-1", "because")
    assert queue.asked == [
        ("act", "Release", 'RouterTask =?= "zmumu-1" && JobStatus == 5 && HoldReasonCode =!= 15', "because")
    ]


def test_jobs_of_one_submission_are_one_group_in_whatever_second_each_came():
    row = {"ClusterId": 7, "Owner": "alice", "JobStatus": 1}
    rows = [
        {**row, "JobCount": 2, "QDate": 1002},
        {**row, "JobCount": 3, "QDate": 1001},
        {**row, "JobCount": 1, "ClusterId": 8},
    ]
    assert [(each.cluster, each.count, each.oldest) for each in CondorPool(Script(rows)).jobs()] == [
        (7, 5, 1001),
        (8, 1, 0),
    ]


def test_history_is_read_back_a_minute_further():
    queue = Script()
    CondorPool(queue).ended(1000.9)
    assert queue.asked == [("history", "JobUniverse == 5", "EnteredCurrentStatus < 940")]


def test_history_is_read_on_from_a_job_whatever_the_times_say():
    queue = Script()
    CondorPool(queue).ended(1000.9, after=(7, 2))
    assert queue.asked == [("history", "JobUniverse == 5", "ClusterId == 7 && ProcId == 2")]


def test_a_cluster_that_is_in_the_queue_counts_more_than_one_in_the_history():
    queue = Script()
    queue.history = lambda *_: [{"RouterBatch": "b0", "ClusterId": 1}]
    queue.rows = [{"RouterBatch": "b0", "ClusterId": 2}]
    assert CondorPool(queue).clusters("zmumu-1", "alice") == {"b0": 2}


def test_a_held_job_tells_why_it_is_held_and_any_other_what_the_router_said():
    row = {"ClusterId": 1, "ProcId": 2, "JobStatus": 5, "HoldReason": "exit code 71", "RouterReason": "placed at A"}
    queue = Script([row, {**row, "JobStatus": 1}, {**row, "JobStatus": 77}])
    lines = CondorPool(queue).task_lines("zmumu-1")
    assert [(line.id, line.state, line.reason) for line in lines] == [
        ("1.2", "held", "exit code 71"),
        ("1.2", "idle", "placed at A"),
        ("1.2", "unknown", "placed at A"),
    ]


def test_refusing_glideins_are_asked_for_apart_from_working_ones():
    queue = Script([{"GLIDEIN_Site": "SITE_A"}, {"GLIDEIN_Site": "no name!"}])
    pool = CondorPool(queue)
    assert [failure.site for failure in pool.failures()] == ["SITE_A"]
    pool.slots()
    assert [call[1:] for call in queue.asked] == [
        ("Startd", "GLIDEIN_Failed =?= true"),
        ("Startd", "GLIDEIN_Failed =!= true"),
    ]
