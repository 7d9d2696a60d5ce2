"""The store's suites, as they are for SQLite, on a real PostgreSQL; and what only a server can do."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from emptied import empty
from fake_organisation import Organisation
from pool_backend import give_up
from postgres_server import server
from sqlalchemy import Connection, text, update
from writers import EACH, WRITERS, write_at_once

from router.errors import RouterError, TemporaryError
from router.model.audit import AuditEntry, AuditQuery
from router.store import migrate, schema
from router.store import server as postgresql
from router.store.namespace import Namespace
from router.store.store import Store
from router.testing.build import a_file
from router.testing.clock import FakeClock

SUITES = (
    *("test_catalogue", "test_metadata", "test_namespace", "test_ledger", "test_decisions", "test_attempts"),
    *("test_productions", "test_mirror_store", "test_dataset_placing"),
)
FIXTURES = ("catalogue", "alice", "bob", "root", "clock", "grid")

for folder in ("loops", "store"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / folder))
pytest.register_assert_rewrite(*(suite for suite in SUITES if suite not in sys.modules))
for suite in SUITES:
    for name, found in vars(importlib.import_module(suite)).items():
        if name.startswith("test_") and callable(found):
            assert name not in globals()
            globals()[name] = found
        elif name in FIXTURES:
            globals()[name] = found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with an empty database."""
    try:
        running = server()
        found = running.__enter__()
    except RouterError as error:
        give_up(str(error))
    try:
        yield found
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def organisation(store: Store) -> Organisation:
    return Organisation(store)


@pytest.fixture(scope="module")
def shared(url: str) -> Iterator[Store]:
    made = Store(url)
    yield made
    made.close()


@pytest.fixture
def store(shared: Store) -> Iterator[Store]:
    """An empty store."""
    yield shared
    empty(shared)


def test_processes_that_write_at_once_take_turns_and_nothing_is_lost(store: Store, url: str) -> None:
    write_at_once(url)
    assert len(store.listing("/demo")) == WRITERS * EACH + 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET who = 'bob'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log VALUES (9, 1, 'a', 'kill', '', 'done', '', '', '', 0, '', '', '')",
        "DELETE FROM audit_start",
        "UPDATE audit_start SET number = number - 1",
    ],
)
def test_the_database_itself_refuses_to_change_the_audit(store: Store, statement: str) -> None:
    written = [AuditEntry(1.0, "alice", act, "task zmumu-1", "done") for act in ("submit", "kill")]
    store.note_audit(written)
    with pytest.raises(RouterError, match="append-only"), store.database.write() as connection:
        connection.execute(text(statement))
    assert [each.entry for each in store.audit(AuditQuery())] == written


def test_a_reader_sees_one_instant_and_waits_for_nobody(store: Store, url: str) -> None:
    store.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    other = Store(url)
    with other.database.read() as reading:
        size = schema.files.select()
        before = reading.execute(size).one().size
        with store.database.write() as connection:
            connection.execute(update(schema.files).values(size=5))
        assert reading.execute(size).one().size == before
    assert other.files(["/demo/a"])[0].file.size == 5
    other.close()


def test_a_writer_that_waits_too_long_is_a_passing_trouble(store: Store, url: str, monkeypatch) -> None:
    other = Store(url)
    monkeypatch.setattr(postgresql, "lock", locked)
    with store.database.write(), pytest.raises(TemporaryError, match=r"does not answer: .*lock timeout"):
        other.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    other.close()


def locked(connection: Connection) -> None:
    """The lock, with a wait of ten milliseconds."""
    connection.execute(text("SET LOCAL lock_timeout = '10ms'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": postgresql.NUMBER})


def test_the_schema_goes_back_and_forward_and_is_what_is_declared(store: Store, url: str) -> None:
    store.register([a_file("/demo/sub/a", "SITE_A")], "alice", 1.0)
    store.describe({"/demo/sub/a": {"run": 5}}, "alice")
    with store.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    for _ in range(2):
        made = schema.Schema(url)
        assert made.downgrade(migrate.FIRST) == made.told()["revision"] == "0001"
        assert made.upgrade() == migrate.HEAD
        made.close()
    with store.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    assert store.files(["/demo/sub/a"]) == (a_file("/demo/sub/a", "SITE_A"),)
    assert Namespace(store.database, store.members, "bob", FakeClock().now).stat("/demo/sub").rights.owner == "alice"


def test_only_who_owns_the_tables_upgrades_them(store: Store, url: str) -> None:
    made = schema.Schema(url)
    made.downgrade(migrate.FIRST)
    with store.database.write() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    try:
        with pytest.raises(
            RouterError, match=rf"revision 0001, this one needs {migrate.HEAD}. It is upgraded when its owner"
        ):
            Store(url.replace("glideroute@", "reader@"))
    finally:
        made.upgrade()
        made.close()
        with store.database.write() as connection:
            connection.execute(text("DROP OWNED BY reader"))
            connection.execute(text("DROP ROLE reader"))


def test_names_come_by_code_points_whatever_the_databases_language(store: Store) -> None:
    names = ["/d/B", "/d/a", "/d/_", "/d/a-b", "/d/aB", "/d/1"]
    store.register([a_file(name, "SITE_A") for name in names], "alice", 1.0)
    assert store.as_user("bob", FakeClock()).below("/d") == sorted(names)
    with store.database.read() as connection:
        told = connection.execute(text("SELECT 'a' < 'B'")).scalar()
    assert told, "this server's own language would not tell"


def test_numbers_beyond_32_bits_fit(store: Store) -> None:
    store.register([a_file("/d/large", "SITE_A", size=5 * 10**12, events=10**10)], "alice", 1.0)
    assert store.files(["/d/large"])[0].file.size == 5 * 10**12
    assert store.stored() == {"SITE_A": {"alice": 5 * 10**12}}


def test_a_server_that_is_away_is_a_passing_trouble_told_in_words() -> None:
    with pytest.raises(TemporaryError, match="Does the server run") as caught:
        Store("postgresql+psycopg://router:hunter2@/x?host=/nonexistent")
    assert "hunter2" not in str(caught.value)
