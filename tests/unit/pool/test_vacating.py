"""Stopping runs: what is asked of the schedd, in which order, and for which jobs."""

from typing import Any

import pytest

from router.errors import OutcomeUnknown
from router.model.action import Vacate
from router.pool import vacating
from router.testing.build import a_decision

LAST = a_decision("SITE_A")
MADE = a_decision(epoch=2, moves=1, came_from=("SITE_A",), tag="stuck", words="taken away")
STARTED = 1_700_000_000


def decided(made):
    return {
        "Epoch": made.epoch, "Moves": made.moves, "Sites": ",".join(made.sites), "CameFrom": ",".join(made.came_from),
        "Tag": made.tag, "Words": made.words, "At": made.at,
    }  # fmt: skip


def row(proc, made=LAST, sites: str | None = "SITE_A", **changes):
    first = {"ClusterId": 7, "ProcId": proc, "JobCurrentStartDate": STARTED, "RouterDecision": decided(made)}
    return first | ({"DESIRED_Sites": sites} if sites else {}) | changes


class Script:
    """The part of a JobQueue that stopping uses; it answers as the test says and writes down what it is asked."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers, self.asked = list(answers), []
        self.refuses: set[str] = set()

    def query(self, constraint, attributes, limit=-1):
        self.asked.append(("query", constraint, limit))
        return self.answers.pop(0)

    def edit_jobs(self, edits):
        self.asked += [(edit.attribute, edit.jobs) for edit in edits]
        return [edit.attribute not in self.refuses for edit in edits]

    def act(self, action, constraint, reason, code=0):
        self.asked.append((action, constraint))
        return 1


def vacate(*procs):
    return Vacate(7, "t", "b0", "SITE_A", ("SITE_A",), LAST, tuple((proc, STARTED) for proc in procs), MADE)


def test_the_decision_goes_first_then_the_sites_and_then_the_command_that_checks_them():
    queue = Script([row(0), row(1)], [row(0, MADE, None), row(1, MADE, None)])
    assert vacating.vacate_all(queue, [vacate(0, 1)]) == (2,)
    jobs = ((7, 0, 0), (7, 1, 1))
    assert queue.asked[1:3] == [("RouterDecision", jobs), ("DESIRED_Sites", jobs)]
    assert queue.asked[3] == (
        "Vacate",
        "(ClusterId == 7 && JobStatus == 2 && DESIRED_Sites is undefined && RouterDecision.Epoch =?= 2 && "
        f"RouterDecision.At =?= {MADE.at} && ((ProcId == 0 && JobCurrentStartDate == {STARTED}) || "
        f"(ProcId == 1 && JobCurrentStartDate == {STARTED})))",
    )


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [row(0, JobCurrentStartDate=STARTED + 5)],
        [row(0, made=a_decision("SITE_A", epoch=3))],
        [row(0, sites="SITE_B")],
    ],
    ids=["it has ended", "it has started anew", "it was decided on since", "it has other sites"],
)
def test_a_run_that_is_not_as_the_decision_saw_it_is_not_touched(seen):
    queue = Script(seen, seen)
    assert vacating.vacate_all(queue, [vacate(0)]) == (0,)
    assert [each[0] for each in queue.asked] == ["query", "query"]


def test_jobs_whose_decision_could_not_be_written_keep_their_sites():
    queue = Script([row(0)], [row(0)])
    queue.refuses = {"RouterDecision"}
    assert vacating.vacate_all(queue, [vacate(0)]) == (0,)
    assert "DESIRED_Sites" not in [each[0] for each in queue.asked]


def test_nothing_is_asked_for_nothing():
    assert vacating.vacate_all(Script(), []) == ()


def test_a_command_that_is_not_answered_is_an_outcome_that_nobody_knows():
    queue = Script([row(0)])
    queue.act = lambda *_: (_ for _ in ()).throw(OutcomeUnknown("gone"))
    with pytest.raises(OutcomeUnknown):
        vacating.vacate_all(queue, [vacate(0)])


def test_runs_are_read_in_one_bounded_query():
    told = {
        "MachineAttrGLIDEIN_Site0": "SITE_A", "MachineAttrGLIDEIN_ToDie0": STARTED + 99, "MaxWallTimeMins": 10,
        "LastJobLeaseRenewal": STARTED + 9, "RemoteUserCpu": 2.5, "RemoteSysCpu": 1.0, "DiskUsage": 5000,
        "RouterTask": "t", "RouterBatch": "b0", "RouterFixed": True,
    }  # fmt: skip
    queue = Script([row(3, **told)])
    (run,) = vacating.runs(queue, STARTED + 0.5)
    assert (run.key, run.site, run.ends, run.told) == ((7, 3, STARTED), "SITE_A", STARTED + 99, STARTED + 9)
    assert (run.cpu_s, run.disk_mb, run.walltime_s, run.fixed) == (3.5, 4, 600, True)
    ((_, where, limit),) = queue.asked
    assert (f"JobCurrentStartDate < {STARTED}" in where, limit) == (True, vacating.MOST_RUNS)


@pytest.mark.parametrize("value", ["many", None, True, [1]])
def test_a_run_whose_ad_lies_has_done_nothing_and_was_never_heard_of(value):
    told = dict.fromkeys(("RemoteUserCpu", "LastJobLeaseRenewal", "DiskUsage", "MachineAttrGLIDEIN_ToDie0"), value)
    (run,) = vacating.runs(Script([row(0, **told)]), STARTED)
    assert (run.cpu_s, run.told, run.disk_mb, run.ends) == (0.0, 0, 0, 0)
