"""The event log: read once and wholly, whatever happens to its files meanwhile."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from router.errors import TemporaryError
from router.model.event import EventKind
from router.model.job import JobState
from router.pool.eventlog import TOLD, EventLog
from router.resources import folder

SUBMIT, EXECUTE, EVICTED, TERMINATED, HELD, TRANSFER = 0, 1, 4, 5, 12, 40


def a_row(kind: int, proc: int = 0, **changes: object) -> dict[str, object]:
    """What HTCondor 25 writes beside an event, without what nobody reads."""
    row = {
        "Cluster": 7,
        "Proc": proc,
        "EventTime": "2026-11-22T00:07:54.500Z",
        "EventTypeNumber": 28,
        "TriggerEventTypeNumber": kind,
        "JobUniverse": 5,
        "JobStatus": 2,
        "LastJobStatus": 1,
        "NumJobStarts": 0,
        "Owner": "alice",
        "QDate": 1795306070,
        "JobCurrentStartDate": 1795306073,
        "MachineAttrGLIDEIN_Site0": "SITE_A",
        "RouterTask": "zmumu-1",
        "DESIRED_Sites": "SITE_A,SITE_B",
    }
    return {name: value for name, value in {**row, **changes}.items() if value is not None}


def a_header(told: str) -> str:
    return json.dumps({"Info": f"Global JobLog: {told}".ljust(256), "EventTypeNumber": 8}, indent=2) + "\n"


@dataclass
class Schedd:
    """Writes and rotates a log as HTCondor does."""

    path: Path
    keep: int = 3
    reader: EventLog = field(init=False)

    def __post_init__(self) -> None:
        self.reader = EventLog(self.path)
        self.begin()

    def begin(self) -> None:
        self.path.write_text(a_header("ctime=1795300000 id=1.2 sequence=1"))

    def write(self, *rows: dict[str, object]) -> None:
        with self.path.open("a") as log:
            for row in rows:
                plain = {name: row[name] for name in ("Cluster", "Proc", "EventTime") if name in row}
                log.write(json.dumps({**plain, "EventTypeNumber": row["TriggerEventTypeNumber"]}, indent=2) + "\n")
                log.write(json.dumps(row, indent=2) + "\n")

    def rotate(self) -> None:
        for number in range(self.keep, 0, -1):
            older = self.path.with_name(f"EventLog.{number}")
            if older.exists():
                older.rename(self.path.with_name(f"EventLog.{number + 1}")) if number < self.keep else older.unlink()
        with self.path.open("r+") as log:
            log.write(a_header("ctime=1795309999 id= sequence=0"))  # HTCondor does not know its own header again
        self.path.rename(self.path.with_name("EventLog.1"))
        self.begin()


@pytest.fixture
def schedd(tmp_path: Path) -> Schedd:
    return Schedd(tmp_path / "EventLog")


def procs(events) -> list[int]:
    return [event.proc for event in events.events]


def test_each_event_is_read_once_however_often_one_looks(schedd):
    schedd.write(a_row(EXECUTE, 0))
    first = schedd.reader.read("")
    schedd.write(a_row(EXECUTE, 1), a_row(EXECUTE, 2))
    second = schedd.reader.read(first.position)
    assert (procs(first), procs(second), procs(schedd.reader.read(second.position))) == ([0], [1, 2], [])


def test_an_event_tells_the_job_as_it_is_after_it_and_where_it_ran(schedd):
    schedd.write(a_row(EXECUTE))
    (event,) = schedd.reader.read("").events
    assert (event.kind, event.at, event.site, event.first) == (EventKind.STARTED, 1795306074.5, "SITE_A", True)
    like = event.like
    assert (like.cluster, like.state, like.site, like.task) == (7, JobState.RUNNING, "SITE_A", "zmumu-1")
    assert (like.sites, like.oldest, event.began) == (("SITE_A", "SITE_B"), 1795306070, 1795306073.0)


@pytest.mark.parametrize(
    ("row", "kind", "cause"),
    [
        (a_row(TERMINATED, TerminatedNormally=True, ReturnValue=0), EventKind.FINISHED, ""),
        (a_row(TERMINATED, TerminatedNormally=True, ReturnValue=4), EventKind.FINISHED, "exit-4"),
        (a_row(TERMINATED, TerminatedNormally=False, TerminatedBySignal=9), EventKind.FINISHED, "signal-9"),
        (
            a_row(HELD, HoldReasonCode=3, HoldReasonSubCode=71, LastJobStatus=2, RouterWrapper=1),
            EventKind.HELD,
            "hold-3.71",
        ),
        (a_row(HELD, HoldReasonCode=3, HoldReasonSubCode=71, LastJobStatus=2), EventKind.HELD, "hold-3"),
        (a_row(HELD, HoldReasonCode=13, HoldReasonSubCode=256, LastJobStatus=2), EventKind.HELD, "hold-13"),
        (a_row(HELD, HoldReasonCode=1, LastJobStatus=2), EventKind.HELD, ""),
        (a_row(EVICTED), EventKind.EVICTED, ""),
        (a_row(SUBMIT, JobStatus=1), EventKind.SUBMITTED, ""),
    ],
)
def test_how_a_job_ended_is_told_by_its_class(schedd, row, kind, cause):
    schedd.write(row)
    (event,) = schedd.reader.read("").events
    assert (event.kind, event.cause) == (kind, cause)


def test_a_job_that_is_held_while_it_waits_is_no_failure_of_where_it_ran_before(schedd):
    schedd.write(a_row(HELD, HoldReasonCode=3, LastJobStatus=1))
    assert schedd.reader.read("").events[0].site == ""


def test_other_universes_and_events_that_change_no_state_are_passed_over(schedd):
    schedd.write(a_row(EXECUTE, JobUniverse=12), a_row(TRANSFER), a_row(EXECUTE, 5))
    assert procs(schedd.reader.read("")) == [5]


def test_a_log_that_is_rotated_between_two_looks_loses_nothing(schedd):
    schedd.write(a_row(EXECUTE, 0))
    position = schedd.reader.read("").position
    schedd.write(a_row(EXECUTE, 1))
    schedd.rotate()
    schedd.write(a_row(EXECUTE, 2))
    schedd.rotate()
    schedd.write(a_row(EXECUTE, 3))
    found = schedd.reader.read(position)
    assert (procs(found), found.lost) == ([1, 2, 3], False)
    assert procs(schedd.reader.read(found.position)) == []


def test_a_log_that_was_empty_when_it_was_looked_at_loses_nothing(schedd):
    position = schedd.reader.read("").position
    schedd.write(a_row(EXECUTE, 0))
    schedd.rotate()
    found = schedd.reader.read(position)
    assert (procs(found), found.lost) == ([0], False)


def test_a_new_log_in_the_place_of_an_old_one_is_read_from_its_beginning(schedd):
    schedd.write(a_row(EXECUTE, 0))
    position = schedd.reader.read("").position
    schedd.begin()  # the same inode
    schedd.write(a_row(EXECUTE, 1), a_row(EXECUTE, 2), a_row(EXECUTE, 3))
    found = schedd.reader.read(position)
    assert (procs(found), found.lost) == ([1, 2, 3], True)


def test_a_log_that_is_rotated_in_the_midst_of_a_look_tells_the_rest_at_the_next(schedd, monkeypatch):
    schedd.write(a_row(EXECUTE, 0))
    opened = Path.open

    def rotate_after_opening(path, *arguments):
        content = opened(path, *arguments)
        if path == schedd.path:
            monkeypatch.setattr(Path, "open", opened)
            schedd.rotate()
            schedd.write(a_row(EXECUTE, 1))
        return content

    monkeypatch.setattr(Path, "open", rotate_after_opening)
    first = schedd.reader.read("")
    assert (procs(first), procs(schedd.reader.read(first.position))) == ([0], [1])


def test_a_log_that_was_rotated_away_says_that_events_are_lost(schedd):
    schedd.write(a_row(EXECUTE, 0))
    position = schedd.reader.read("").position
    for proc in range(1, 6):
        schedd.rotate()
        schedd.write(a_row(EXECUTE, proc))
    found = schedd.reader.read(position)
    assert (found.lost, procs(found)) == (True, [2, 3, 4, 5])


def test_half_an_event_is_left_until_it_is_whole(schedd):
    schedd.write(a_row(EXECUTE, 0), a_row(EXECUTE, 1))
    whole = schedd.path.read_bytes()
    schedd.path.write_bytes(whole[:-40])
    first = schedd.reader.read("")
    with schedd.path.open("ab") as log:
        log.write(whole[-40:])
    assert (procs(first), procs(schedd.reader.read(first.position))) == ([0], [1])


def test_an_event_that_was_cut_off_for_good_hides_none_of_the_next_file(schedd):
    schedd.write(a_row(EXECUTE, 0), a_row(EXECUTE, 1))
    os.truncate(schedd.path, schedd.path.stat().st_size - 40)
    schedd.rotate()
    schedd.write(a_row(EXECUTE, 2))
    assert procs(schedd.reader.read("")) == [0, 2]


def test_what_is_no_event_is_counted_and_passed_over(schedd):
    schedd.write(a_row(EXECUTE, 0))
    with schedd.path.open("a") as log:
        log.write('{\n "TriggerEventTypeNumber": 1\n garbage\n}\n')
    schedd.write(a_row(EXECUTE, 1), a_row(EXECUTE, EventTime="yesterday"), a_row(EXECUTE, Cluster=None))
    found = schedd.reader.read("")
    assert (procs(found), found.skipped) == ([0, 1], 3)


def test_a_job_whose_words_look_like_an_event_is_no_event(schedd):
    schedd.write(a_row(TRANSFER, RouterTask='x"\n}\n{ "TriggerEventTypeNumber": 1 }'))
    found = schedd.reader.read("")
    assert (found.events, found.skipped) == ((), 0)


def test_a_long_log_is_read_in_parts_none_twice(schedd):
    for proc in range(6):
        schedd.write(a_row(EXECUTE, proc))
        if proc == 2:
            schedd.rotate()
    reader, position, seen = EventLog(schedd.path, most_bytes=2500), "", []
    for _ in range(20):
        found = reader.read(position)
        seen, position = seen + procs(found), found.position
    assert (seen, found.behind) == ([0, 1, 2, 3, 4, 5], False)


@pytest.mark.parametrize("position", ["nonsense", "1:2:3", "1:2:-3"])
def test_a_position_of_another_log_says_that_events_are_lost(schedd, position):
    schedd.write(a_row(EXECUTE, 0))
    found = schedd.reader.read(position)
    assert (found.lost, procs(found)) == (True, [0])


def test_a_missing_log_is_told_with_what_to_do(tmp_path):
    with pytest.raises(TemporaryError, match=r"cannot be read: No such file or directory\. Is schedd_config/50-events"):
        EventLog(tmp_path / "none").read("")


def test_the_schedd_is_asked_to_tell_all_that_makes_a_group():
    text = (folder("schedd_config") / "50-events.config").read_text()
    asked = text.partition("EVENT_LOG_JOB_AD_INFORMATION_ATTRS =")[2].replace("\\", " ").split()
    assert set(TOLD) <= set(asked)
    assert {"JobStatus", "LastJobStatus", "JobCurrentStartDate", "NumJobStarts", "RouterJob"} <= set(asked)
