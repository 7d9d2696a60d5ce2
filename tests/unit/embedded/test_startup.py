"""A pool that does not start says which log tells why, and shows its end."""

import os
from pathlib import Path

import pytest

from router.embedded import processes, startup
from router.embedded.processes import Process
from router.embedded.startup import LogMarks, missing_daemons, wait_until_ready
from router.errors import TemporaryError

GONE = Process(1 << 22, 1, "an earlier boot")


def a_program(folder: Path, text: str) -> Path:
    program = folder / "condor_status"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("printf 'Collector\\nNegotiator\\nScheduler\\nMachine\\n'", ()),
        ("printf 'Collector\\nScheduler\\n'", ("negotiator",)),
        ("exit 1", ("collector", "negotiator", "schedd")),
    ],
)
def test_a_daemon_unknown_to_the_collector_is_missing(tmp_path: Path, said: str, missing: tuple[str, ...]) -> None:
    assert missing_daemons(a_program(tmp_path, said), os.environ) == missing


def test_a_collector_that_does_not_answer_is_missing_with_all_it_would_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "ASK_SECONDS", 0.1)
    assert missing_daemons(a_program(tmp_path, "exec sleep 60"), os.environ) == tuple(startup.LOGS)


def test_waiting_ends_when_nothing_is_missing(tmp_path: Path) -> None:
    answers = iter([("schedd",), ()])
    myself = processes.find(os.getpid())
    assert myself is not None
    wait_until_ready(lambda: next(answers), myself, LogMarks.now(tmp_path), 10)


def test_a_daemon_that_stays_away_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "SchedLog").write_text("an earlier start\n")
    marks = LogMarks.now(tmp_path)
    with (tmp_path / "SchedLog").open("a") as log:
        log.write("ERROR the spool is gone\n")
    myself = processes.find(os.getpid())
    assert myself is not None
    with pytest.raises(TemporaryError, match="no schedd") as raised:
        wait_until_ready(lambda: ("schedd",), myself, marks, 0)
    assert "ERROR the spool is gone" in str(raised.value)
    assert "an earlier start" not in str(raised.value)


def test_an_htcondor_that_ended_is_reported_with_what_it_said_last(tmp_path: Path) -> None:
    marks = LogMarks.now(tmp_path)
    (tmp_path / "startup.log").write_text("Configuration Error Line 1\n")
    with pytest.raises(TemporaryError, match="ended while it started") as raised:
        wait_until_ready(lambda: (), GONE, marks, 10)
    assert "Configuration Error Line 1" in str(raised.value)


def test_an_htcondor_that_ended_without_a_word_suggests_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match="is the disk full"):
        wait_until_ready(lambda: (), GONE, LogMarks.now(tmp_path), 10)


def test_a_log_that_was_rotated_meanwhile_is_shown_from_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "SchedLog").write_text("x" * 100)
    marks = LogMarks.now(tmp_path)
    (tmp_path / "SchedLog").write_text("new\n")
    assert marks.tail("SchedLog") == "  new"
