"""FTS is asked as its interface wants it, a submission that was not answered is found again, and reasons are causes."""

from collections.abc import Iterator

import pytest
from fake_fts import FakeFts, Running

from router.model.transfer import TransferCause, TransferError
from router.transfer.fts import Fts, Order, meant

ORDER = Order("https://a.test/user/alice/a", "https://b.test/user/alice/.a.part-1", 5, "0badcafe", "eyJsource", "eyJto")
CAUSE = TransferCause


@pytest.fixture(scope="module")
def listening() -> Iterator[FakeFts]:
    with Running(FakeFts({})) as fts:
        yield fts


@pytest.fixture
def server(listening: FakeFts) -> FakeFts:
    """A server that knows nothing yet."""
    fresh = FakeFts({}, port=listening.port)
    vars(listening).update(vars(fresh))
    return listening


@pytest.fixture
def fts(server: FakeFts) -> Fts:
    return Fts(server.url, lambda: "eyJagent", "", 5.0)


def test_files_are_submitted_with_their_sums_and_what_the_storage_elements_are_shown(fts, server):
    fts.submit("glideroute-1", [ORDER], 3600)
    [sent] = server.submitted
    assert sent["files"] == [
        {
            "sources": ["https://a.test/user/alice/a"],
            "destinations": ["https://b.test/user/alice/.a.part-1"],
            "filesize": 5,
            "checksum": "ADLER32:0badcafe",
            "source_tokens": ["eyJsource"],
            "destination_tokens": ["eyJto"],
        }
    ]
    assert (sent["params"]["verify_checksum"], sent["params"]["max_time_in_queue"]) == ("both", "3600s")
    assert set(server.shown) == {"Bearer eyJagent"}


def test_with_a_proxy_no_tokens_are_sent(fts, server):
    fts.submit("glideroute-1", [Order("https://a.test/a", "https://b.test/a", 5, "0badcafe")], 3600)
    assert "source_tokens" not in server.submitted[0]["files"][0]


def test_submitting_twice_is_submitting_once(fts, server):
    fts.submit("glideroute-1", [ORDER], 3600)
    fts.submit("glideroute-1", [ORDER], 3600)
    assert len(server.jobs) == 1


def test_a_submission_that_was_not_answered_is_found_by_its_name(fts, server):
    assert fts.files("glideroute-1") is None
    server.deaf = True
    with pytest.raises(TransferError) as error:
        fts.submit("glideroute-1", [ORDER], 3600)
    assert error.value.cause is CAUSE.DOWN
    server.deaf = False
    assert [each.state for each in fts.files("glideroute-1") or ()] == ["SUBMITTED"]


def test_a_job_that_is_not_there_or_over_is_cancelled_without_complaint(fts, server):
    fts.cancel("glideroute-1")
    fts.submit("glideroute-1", [ORDER], 3600)
    fts.cancel("glideroute-1")
    fts.cancel("glideroute-1")
    assert [each.state for each in fts.files("glideroute-1") or ()] == ["CANCELED"]


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (403, CAUSE.PERMISSION, "not yours"),
        (419, CAUSE.PERMISSION, "fts-rest-delegate"),
        (400, CAUSE.OTHER, "not yours"),
        (503, CAUSE.DOWN, "not yours"),
    ],
)
def test_a_refusal_is_told_in_its_words(fts, server, status, cause, words):
    server.refuses = (status, "not yours")
    with pytest.raises(TransferError, match=words) as error:
        fts.submit("glideroute-1", [ORDER], 3600)
    assert error.value.cause is cause


@pytest.mark.parametrize("said", [b"<html>", b"[5]", b'{"vos_id": []}', b'{"vos_id": ["no"]}', b"null", b'"x"'])
def test_an_answer_of_another_form_is_no_traceback(fts, server, said):
    server.answers = said
    with pytest.raises(TransferError, match="not understood"):
        fts.files("glideroute-1")


def test_a_proxy_that_cannot_be_read_is_told(tmp_path, server):
    asked = Fts(server.url, lambda: "", str(tmp_path / "none"), 5.0)
    with pytest.raises(TransferError, match=r"proxy for FTS cannot be used: .*No such file") as error:
        asked.files("glideroute-1")
    assert error.value.cause is CAUSE.PERMISSION


def test_tokens_do_not_show_in_what_is_printed():
    assert "eyJ" not in repr(ORDER)


REASONS = {
    "TRANSFER [5] Copy failed (3rd pull). Last attempt: copy HTTP 507 : Insufficient Storage": CAUSE.QUOTA,
    "DESTINATION [122] Disk quota exceeded": CAUSE.QUOTA,
    "TRANSFER [28] Transfer failed": CAUSE.QUOTA,
    "Job has been canceled because it stayed in the queue for too long (max-time-in-queue timeout)": CAUSE.TIME_OUT,
    "DESTINATION [1] HTTP 403 : Permission refused": CAUSE.PERMISSION,
    "SOURCE [1] HTTP 403 : Permission refused": CAUSE.PERMISSION,
    "TRANSFER [5] Copy failed (3rd pull). Last attempt: copy HTTP 500 : Unexpected server error": CAUSE.OTHER,
    "SOURCE [112] Result curl error (56): Failure when receiving data from the peer": CAUSE.SOURCE_DOWN,
    "DESTINATION [112] Result curl error (56): Failure when receiving data from the peer": CAUSE.DOWN,
    "SOURCE [2] HTTP 404 : File not found": CAUSE.SOURCE_MISSING,
    "SOURCE [2] Gone": CAUSE.SOURCE_MISSING,
    "DESTINATION [2] HTTP 404 : File not found": CAUSE.DOWN,
    "TRANSFER [70] DESTINATION CHECKSUM MISMATCH User defined checksum and destination checksum": CAUSE.CHECKSUM,
    "TRANSFER [110] Operation timed out": CAUSE.TIME_OUT,
    "TRANSFER [111] Connection refused": CAUSE.OTHER,
    "": CAUSE.OTHER,
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_of_ftss_is_a_cause_of_ours(reason):
    assert meant(reason) is REASONS[reason]
