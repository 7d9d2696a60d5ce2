"""The audit: what was asked, decided and done, in an order that nobody changes without its showing."""

from dataclasses import replace
from math import inf

import pytest
from sqlalchemy import text

from router.errors import RouterError
from router.model.audit import AuditEntry, AuditQuery
from router.store.store import Store
from router.testing.build import a_place

ENTRY = AuditEntry(5.0, "alice", "kill", "task zmumu-1", "done", "7 jobs", "alice", "zmumu-1")


def entries(*acts: str) -> list[AuditEntry]:
    return [replace(ENTRY, act=act, at=float(at)) for at, act in enumerate(acts)]


def acts(store: Store, **wanted: object) -> list[str]:
    return [each.entry.act for each in store.audit(AuditQuery(**wanted))]


@pytest.fixture
def fresh(tmp_path):
    """A store that a test may spoil."""
    made = Store(f"sqlite:///{tmp_path / 'audit.db'}")
    yield made
    made.close()


def test_entries_are_told_back_oldest_first_and_hang_together(store):
    store.note_audit(entries("submit", "kill"))
    store.note_audit([replace(ENTRY, who="bob", act="drain", at=9, task="", cluster=7)])
    assert acts(store) == ["submit", "kill", "drain"]
    assert acts(store, user="alice") == acts(store, task="zmumu-1") == ["submit", "kill"]
    assert acts(store, cluster=7) == acts(store, begins=2.0) == ["drain"]
    assert acts(store, ends=1.0) == ["submit"]
    assert acts(store, most=1) == ["drain"]
    state = store.audit_state()
    assert (state.entries, state.fault) == (3, "")
    assert state.last == store.audit(AuditQuery())[-1].number


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET who = 'bob'",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
        "DELETE FROM audit_start",
        "UPDATE audit_start SET number = number - 1",
    ],
)
def test_the_database_itself_refuses_to_change_the_audit(fresh, statement):
    fresh.note_audit(entries("submit", "kill"))
    with pytest.raises(RouterError, match="append-only"), fresh.database.write() as connection:
        connection.execute(text(statement))
    assert [each.entry for each in fresh.audit(AuditQuery())] == entries("submit", "kill")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_log SET who = 'bob' WHERE number = 2", "entry 2, or the one before it, is not as written"),
        ("DELETE FROM audit_log WHERE number = 2", "entries 2 to 2 are missing"),
        ("DELETE FROM audit_log WHERE number = 1", "entries 1 to 1 are missing"),
    ],
)
def test_a_change_that_somebody_made_without_the_triggers_shows(fresh, statement, fault):
    fresh.note_audit(entries("submit", "kill", "retry"))
    with fresh.database.write() as connection:
        for name in ("audit_log_changed", "audit_log_removed"):
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))
    assert fresh.audit_state().fault == fault


def test_an_end_that_was_cut_off_shows_in_the_digest_that_was_kept(fresh):
    fresh.note_audit(entries("submit", "kill"))
    kept = fresh.audit_state().digest
    with fresh.database.write() as connection:
        connection.execute(text("DROP TRIGGER audit_log_removed"))
        connection.execute(text("DELETE FROM audit_log WHERE number = 2"))
    assert fresh.audit_state().fault == ""
    assert fresh.audit_state().digest != kept


def test_what_is_old_is_removed_from_the_front_and_the_rest_still_hangs_together(store):
    store.note_audit(entries("submit", "kill", "retry"))
    assert store.forget_audit(1.0) == 1
    store.note_audit(entries("drain"))
    assert acts(store) == ["kill", "retry", "drain"]
    assert store.audit_state().fault == ""
    assert store.forget_audit(inf) == 3
    store.note_audit(entries("resume"))
    assert (acts(store), store.audit_state().fault) == (["resume"], "")


def test_no_secret_and_no_second_line_gets_into_the_audit(store):
    store.note_audit([replace(ENTRY, words="no\nroot@x: done\x1b[31m postgresql://u:hunter2@db/x", who="a" * 999)])
    (found,) = store.audit(AuditQuery())
    assert found.entry.words == "no root@x: done [31m postgresql://u:[secret]@db/x"
    assert found.entry.who == "a" * 128
    assert store.audit_state().fault == ""


def test_what_became_of_a_decision_stands_in_the_audit(store):
    number = store.note(a_place(7), 5.0)
    assert acts(store) == []
    store.settle(number, "unknown")
    store.settle(number, "applied")
    found = [each.entry for each in store.audit(AuditQuery(cluster=7))]
    assert [(each.who, each.act, each.outcome, each.at) for each in found] == [
        ("router", "place", "unknown", 5.0),
        ("router", "place", "applied", 5.0),
    ]
    assert found[0].about == "10 job(s) of cluster 7 for SITE_A"


def test_what_is_not_written_is_not_audited(store):
    with pytest.raises(ZeroDivisionError), store.database.write() as connection:
        from router.store.audit import append

        append(connection, entries("kill"))
        raise ZeroDivisionError
    assert acts(store) == []
