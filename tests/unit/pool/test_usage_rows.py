"""Runs from the schedd's histories, and what a job's owner may have written into them."""

from typing import Any

import pytest

from router.errors import OutcomeUnknown, PoolUnreachable
from router.model.usage import BADLY, HISTORY, WELL
from router.pool import usage
from router.pool.channel import Refused
from router.pool.usage import Histories, ended_run, epoch_run

EPOCH_ROW = {
    "ClusterId": 1, "ProcId": 3, "QDate": 900, "NumShadowStarts": 2, "Owner": "alice", "AcctGroup": "higgs.zz",
    "RouterTask": "zmumu-1", "MachineAttrGLIDEIN_Site0": "SOUTH", "MachineAttrGLIDEIN_Entry_Name0": "s",
    "RemoteHost": "slot1_1@glidein_b654@node7", "AuthTokenSubject": "alice@vo", "AuthTokenIssuer": "https://vo/",
    "AuthTokenId": "ca1c", "CpusProvisioned": 4, "RequestCpus": 1, "JobCurrentStartDate": 1000, "EpochWriteDate": 1016,
    "RemoteUserCpu": 10.5, "RemoteSysCpu": 0.25, "ExitCode": 0, "ExitBySignal": False,
}  # fmt: skip
JOB_ROW = {
    **{name: value for name, value in EPOCH_ROW.items() if name not in ("RemoteHost", "EpochWriteDate")},
    "LastRemoteHost": "slot1_1@glidein_b654@node7", "JobStatus": 4, "CompletionDate": 1016,
    "EnteredCurrentStatus": 1016, "RemoteWallClockTime": 23.0,
}  # fmt: skip


def test_a_run_is_traced_from_the_tokens_subject_to_the_node():
    run = epoch_run(EPOCH_ROW)
    assert run is not None
    assert run.key == (1, 3, 900, 1)
    assert (run.subject, run.issuer, run.token, run.owner) == ("alice@vo", "https://vo/", "ca1c", "alice")
    assert (run.site, run.entry, run.node) == ("SOUTH", "s", "slot1_1@glidein_b654@node7")
    assert (run.wall_s, run.cores, run.cpu_ms, run.outcome, run.group) == (16, 4, 10_750, "well", "higgs.zz")


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"ExitCode": 4}, "failed"),
        ({"ExitCode": 0, "ExitBySignal": True}, "failed"),
        ({"ExitCode": None}, "failed"),
        ({"ExitCode": 143, "VacateReasonCode": 1022}, "evicted"),
        ({"ExitCode": 143, "VacateReasonCode": 1023}, "removed"),
        ({"ExitCode": 71, "HoldReasonCode": 3}, "held"),
    ],
)
def test_how_a_run_ended_is_read_from_its_epoch(told, outcome):
    run = epoch_run({**EPOCH_ROW, **told})
    assert run is not None
    assert run.outcome == outcome


@pytest.mark.parametrize(
    ("told", "outcome", "job", "ended"),
    [
        ({}, "well", WELL, 1016),
        ({"ExitCode": 3}, "failed", BADLY, 1016),
        ({"JobStatus": 3, "CompletionDate": 0, "EnteredCurrentStatus": 1005}, "removed", BADLY, 1005),
        ({"JobStatus": 3, "CompletionDate": 0, "EnteredCurrentStatus": 9000}, "removed", BADLY, 1023),
    ],
)
def test_the_history_of_jobs_tells_the_last_run_and_the_end_of_the_job(told, outcome, job, ended):
    run = ended_run({**JOB_ROW, **told})
    assert run is not None
    assert (run.key, run.outcome, run.job, run.ended, run.teller) == ((1, 3, 900, 1), outcome, job, ended, HISTORY)


@pytest.mark.parametrize("name", ["NumShadowStarts", "JobCurrentStartDate", "Owner"])
@pytest.mark.parametrize("value", [None, 0, "", True])
def test_a_job_that_never_ran_or_is_nobodys_has_no_run(name, value):
    assert epoch_run({**EPOCH_ROW, name: value}) is None


@pytest.mark.parametrize("name", sorted(EPOCH_ROW))
def test_no_value_of_any_attribute_breaks_an_import(name):
    for value in (None, True, -1, 2**63, 1e308, -1e300, "=cmd()", "a\nb", "\x1b[2J", "x" * 10**5, [1], {"a": 1}):
        told = (epoch_run({**EPOCH_ROW, name: value}), ended_run({**JOB_ROW, name: value}))
        for run in filter(None, told):
            texts = (run.owner, run.group, run.task, run.site, run.node, run.subject, run.issuer, run.token)
            assert all(len(text) <= 256 and text.isprintable() for text in texts)
            assert 1 <= run.cores <= 4096
            assert run.wall_s >= 0 and run.cpu_ms >= 0
            assert all(abs(number) < 2**63 for number in (*run.key, run.started, run.ended, run.exit_code))


def test_what_an_owner_may_write_into_a_job_does_not_make_it_another_run():
    assert epoch_run({**EPOCH_ROW, "RunInstanceID": 77, "GlobalJobId": "evil"}) == epoch_run(EPOCH_ROW)


class FakeChannel:
    """Answers like a schedd's history: the newest first, back to where `since` holds, at most `limit`."""

    def __init__(self, times: list[int], refuse: str = "") -> None:
        self.times, self.refuse = times, refuse

    def call(self, operation: str, *, deadline: float, **asked: Any) -> list[dict[str, Any]]:
        if operation == self.refuse:
            raise Refused("no such history")
        if operation == "history":
            return []
        upper = asked["constraint"].partition(" <= ")[2]
        since = int(asked["since"].rpartition(" ")[2])
        found = [at for at in sorted(self.times, reverse=True) if at >= since and (not upper or at <= int(upper))]
        return [
            {**EPOCH_ROW, "ClusterId": number, "EpochWriteDate": at}
            for number, at in enumerate(found[: asked["limit"]])
        ]

    def close(self) -> None:
        pass


def test_a_long_history_is_read_page_by_page(monkeypatch):
    monkeypatch.setattr(usage, "PAGE", 4)
    times = [1000 + each // 2 for each in range(20)]
    pages = list(Histories(FakeChannel(times), 1.0).runs(1003.0))  # type: ignore[arg-type]
    assert {run.ended for page in pages for run in page} == set(range(1003, 1010))
    assert all(len(page) <= 4 for page in pages)


def test_a_page_of_one_second_does_not_read_for_ever(monkeypatch):
    monkeypatch.setattr(usage, "PAGE", 4)
    pages = list(Histories(FakeChannel([1000] * 9 + [900]), 1.0).runs(0.0))  # type: ignore[arg-type]
    assert {run.ended for page in pages for run in page} == {1000}  # 900 is before the run began


def test_a_schedd_without_epochs_tells_what_its_history_has():
    assert list(Histories(FakeChannel([], "epochs"), 1.0).runs(0.0)) == [[]]  # type: ignore[arg-type]


def test_a_history_that_does_not_answer_is_temporary():
    channel = FakeChannel([])

    def hang(*_: Any, **__: Any) -> Any:
        raise OutcomeUnknown("no answer")

    channel.call = hang  # type: ignore[method-assign]
    with pytest.raises(PoolUnreachable, match="no answer"):
        list(Histories(channel, 1.0).runs(0.0))  # type: ignore[arg-type]
