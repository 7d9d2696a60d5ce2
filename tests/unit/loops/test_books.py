"""Importing usage: again and again, over failures, and never twice."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from router.errors import PoolUnreachable
from router.loops.books import FIRST_S, OVERLAP_S, Books
from router.model.audit import AuditEntry
from router.model.usage import WELL, Run
from router.testing.build import a_run
from router.testing.clock import NOON, FakeClock

DAY_S = 86_400.0


@dataclass
class FakeHistory:
    """Pages of runs; an error in the place of a page is raised."""

    pages: list[list[Run] | Exception] = field(default_factory=list)
    closed: int = 0
    asked: list[float] = field(default_factory=list)

    def runs(self, since: float) -> Iterator[list[Run]]:
        self.asked.append(since)
        for page in self.pages:
            if isinstance(page, Exception):
                raise page
            yield page

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def books(store) -> Books:
    return Books(FakeHistory(), store, FakeClock(NOON + 4000), 600.0, 90 * DAY_S, 400 * DAY_S)


def is_due(books: Books) -> Books:
    """The books after their first minute."""
    books.step()
    assert books.source.asked == []
    books.clock.pass_time(FIRST_S)
    return books


def test_an_import_goes_on_where_the_last_one_ended_with_an_overlap(books):
    books.source.pages = [[a_run()], [a_run(cluster=2)]]
    assert books.update() == 2
    assert books.update() == 0
    assert books.source.asked == [0.0, a_run().ended - OVERLAP_S]
    assert books.today is not None
    assert books.today["SITE_A"].runs == 2


def test_an_import_that_is_cut_short_is_read_again_from_its_beginning(books, caplog):
    books.source.pages = [[a_run()], PoolUnreachable("down")]
    is_due(books).step()
    assert "usage is not imported this time: down" in caplog.text
    assert books.done == 0.0
    books.source.pages = [[a_run()], [a_run(cluster=2, job=WELL)]]
    books.clock.pass_time(599)
    books.step()
    books.clock.pass_time(1)
    books.step()
    assert (books.source.asked, books.source.closed) == ([0.0, 0.0], 2)
    assert books.done == books.clock.now()
    assert sum(cell.usage.runs for cell in books.memory.usage(0, 10**6)) == 2


def test_a_run_of_the_future_does_not_stop_the_next_import(books):
    books.source.pages = [[a_run(ended=int(NOON + 10**8))]]
    books.update()
    books.update()
    assert books.source.asked[-1] == books.clock.now() - OVERLAP_S


def test_what_is_older_than_it_is_kept_is_forgotten(books):
    books.source.pages = [[a_run()]]
    books.memory.note_audit([AuditEntry(1.0, "alice", "kill", "task x", "done")])
    is_due(books).step()
    assert books.memory.audit_state().entries == 0
    books.clock.pass_time(91 * DAY_S)
    books.source.pages = []
    books.step()
    assert books.memory.runs_of(cluster=1) == []
    assert sum(cell.usage.runs for cell in books.memory.usage(0, 10**6)) == 1


def test_the_log_tells_the_audits_digest_each_day_and_a_change_aloud(books, caplog, monkeypatch):
    caplog.set_level("INFO")
    books.memory.note_audit([AuditEntry(books.clock.now(), "alice", "kill", "task x", "done")])
    is_due(books).step()
    state = books.memory.audit_state()
    assert f"digest {state.digest}" in caplog.text
    broken = type(state)(1, 1, "", "entry 1, or the one before it, is not as written")
    monkeypatch.setattr(type(books.memory), "audit_state", lambda _: broken)
    books.clock.pass_time(DAY_S)
    books.step()
    assert "the audit was changed: entry 1" in caplog.text
