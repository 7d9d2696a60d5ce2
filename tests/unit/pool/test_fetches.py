"""What jobs tell of copies: as our plug-in writes it, and as a stranger may."""

from pathlib import Path

import classad2
import pytest

from router.errors import OutcomeUnknown, PoolUnreachable
from router.model.fetch import Fetch, Fetches
from router.pool import operations
from router.pool.channel import Refused
from router.pool.fetches import MOST_STARTS, FetchHistory, tries_of
from router.worker import lfn_plugin

ROW = {
    **{"ClusterId": 7, "ProcId": 0, "NumShadowStarts": 2, "EpochWriteDate": 1000, "Owner": "alice"},
    "Fetches": [["lfn:///demo/x", "A_DISK", "missing", "it is not there"], ["lfn:///demo/x", "B_DISK", "", ""]],
}


def test_every_copy_that_was_tried_is_told():
    assert tries_of(ROW) == (
        Fetch(7, 0, 2, 0, "alice", 1000, "/demo/x", "A_DISK", "missing", "it is not there"),
        Fetch(7, 0, 2, 1, "alice", 1000, "/demo/x", "B_DISK"),
    )


def test_what_the_plugin_answers_is_read_as_it_is_meant(tmp_path):
    copy = {"se": "A_DISK", "site": "A", "pfn": "file:///none/such"}
    known = {"/demo/x": {"size": 1, "adler32": "00000001", "replicas": [copy]}}
    answer = lfn_plugin.transfer("lfn:///demo/x", Path(tmp_path / "x"), known, "A")
    ad = classad2.ClassAd(f"[ InputPluginResultList = {{ {lfn_plugin.classad(answer)} }} ]")
    assert tries_of({**ROW, "Fetches": operations._fetches(ad)}) == (
        Fetch(7, 0, 2, 0, "alice", 1000, "/demo/x", "A_DISK", "missing", "it is not there"),
    )


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        [7],
        [["lfn:///x", "A", "missing"]],
        [["lfn:///x", "A,B", "missing", ""]],
        [["lfn:///x", "", "missing", ""]],
        [["lfn:///x", "A", "spite", ""]],
        [["lfn:///x", "A", ["missing"], ""]],
        [["lfn:///x", "A", "missing", 7]],
        [["lfn:///../x", "A", "missing", ""]],
        [[7, "A", "missing", ""]],
    ],
)
def test_what_our_plugin_would_not_say_is_left_out(told):
    assert tries_of({**ROW, "Fetches": told}) == ()


@pytest.mark.parametrize(
    "changes", [{"Owner": 7}, {"ClusterId": -1}, {"EpochWriteDate": 2**40}, {"ProcId": 2**40}, {"EpochWriteDate": "x"}]
)
def test_a_start_of_nobodys_or_of_no_time_is_left_out(changes):
    assert tries_of({**ROW, **changes}) == ()


def test_words_are_short_and_of_one_line():
    [found] = tries_of({**ROW, "Fetches": [["lfn:///x", "A", "down", "a\nb" + "x" * 1000]]})
    assert found.words.startswith("a b") and len(found.words) == 200


@pytest.mark.parametrize(
    "text", ["7", "{ 7 }", "{ [ DeveloperData = 7 ] }", "{ [ DeveloperData = [ Replicas = { 7 } ] ] }", "error", "{}"]
)
def test_an_ad_that_our_plugin_would_not_write_has_no_tries(text):
    assert operations._fetches(classad2.ClassAd(f"[ InputPluginResultList = {text} ]")) == []


def test_an_ad_without_end_is_read_in_part():
    many = ", ".join(['[ DeveloperData = [ Replicas = { [ Se = "A" ], [ Se = "B" ] } ] ]'] * 500)
    assert len(operations._fetches(classad2.ClassAd(f"[ InputPluginResultList = {{ {many} }} ]"))) == 100


class FakeChannel:
    """Answers one question."""

    def __init__(self, answer):
        self.answer, self.asked = answer, {}

    def call(self, operation, deadline, **asked):
        self.asked = {"operation": operation, **asked}
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_only_what_is_new_is_asked_for():
    channel = FakeChannel([ROW])
    assert FetchHistory(channel, 1.0).tries(900, 1000) == Fetches(tries_of(ROW))
    assert channel.asked == {
        "operation": "input_epochs",
        "constraint": "EpochWriteDate > 900 && EpochWriteDate <= 1000",
        "since": "EpochWriteDate <= 900",
        "limit": MOST_STARTS,
    }


def test_too_many_starts_are_told():
    assert FetchHistory(FakeChannel([ROW] * MOST_STARTS), 1.0).tries(0, 1).more


def test_a_schedd_without_epochs_tells_nothing_and_one_without_an_answer_is_told():
    assert FetchHistory(FakeChannel(Refused("no such history")), 1.0).tries(0, 1) == Fetches()
    with pytest.raises(PoolUnreachable):
        FetchHistory(FakeChannel(OutcomeUnknown("no answer")), 1.0).tries(0, 1)
