"""`glideroute stageout`: how far outputs are, and whether they can be written at all."""

import pytest

from router.api import Router
from router.model.transfer import WriteTest
from router.testing.build import a_transfer
from router.testing.clock import NOON

NO = "403 Forbidden [bold]\x1b[31m"


@pytest.fixture
def tested(router: Router) -> None:
    """Outputs can be written to one storage element, and not to the other."""
    for test in (WriteTest("A_DISK", NOON, NOON, 0.04), WriteTest("B_DISK", NOON, NOON, 0.11, "permission", NO)):
        router.memory.record_write_test(test)  # type: ignore[attr-defined]


def test_where_outputs_can_be_written_is_shown_with_the_reason(run, tested):
    lines = run("stageout", "destinations").out.splitlines()
    assert [line.split()[0] for line in lines] == ["storage", "A_DISK", "B_DISK"]
    assert "can be written" in lines[1]
    assert "permission" in lines[2]
    assert "0.11" in lines[2]
    assert "403 Forbidden [bold]\N{REPLACEMENT CHARACTER}[31m" in lines[2]


def test_programs_get_the_whole_of_it(run, tested):
    first, second = run("stageout", "destinations", "--json").json
    assert (first["se"], first["test"]["cause"], first["copies"]) == ("A_DISK", "", None)
    assert (second["test"]["cause"], second["test"]["words"]) == ("permission", NO)


def test_what_a_storage_said_leads_no_terminal_from_an_error_either(run, router, payload, organisation):
    now = organisation.clock.now()
    router.memory.record_write_test(WriteTest("SITE_B_DISK", now, now, 0.1, "permission", NO))
    payload.write_text(payload.read_text() + "destination: SITE_B_DISK\n")
    answer = run("submit", payload)
    assert (answer.code, "\x1b" in answer.err) == (2, False)
    assert "cannot write to SITE_B_DISK (permission): 403 Forbidden [bold]\N{REPLACEMENT CHARACTER}[31m" in answer.err


def test_where_nothing_was_tested_there_is_nothing_to_show(run):
    assert run("stageout", "destinations", "--json").json == []


def test_outputs_are_shown_by_how_far_they_are(run, router, organisation):
    organisation.store.hand_over([a_transfer()], NOON)
    [line] = run("stageout", "list").out.splitlines()[1:]
    assert "waiting" in line
    assert run("stageout", "list", "--json").json[0]["outputs"] == 1
