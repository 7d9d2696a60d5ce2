"""The database itself: readers beside a writer, and words for whatever is wrong with the file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from router.errors import RouterError, TemporaryError
from router.model.query_grammar import parse
from router.store import schema
from router.store.search import hits
from router.store.store import Store
from router.testing.build import a_file


@pytest.fixture
def url(tmp_path: Path) -> str:
    return schema.sqlite_url(tmp_path / "glideroute.db")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store in a file."""
    made = Store(url)
    yield made
    made.close()


def test_readers_are_not_kept_waiting_by_a_writer(store, url):
    store.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    other = Store(url)
    with store.database.write() as connection:
        connection.execute(update(schema.files).values(size=5))
        assert other.files(["/demo/a"])[0].file.size == 1000
    assert other.files(["/demo/a"])[0].file.size == 5
    other.close()


def test_a_failed_write_leaves_nothing_behind(store):
    with pytest.raises(ZeroDivisionError), store.database.write() as connection:
        connection.execute(schema.site_states.insert().values(site="A", status="x", reason="", by="", at=0.0))
        1 / 0  # noqa: B018
    assert store.site_states() == {}


def test_the_log_of_writes_is_beside_the_database(store, url):
    with store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_opening_again_finds_what_was_written(url):
    first = Store(url)
    first.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    first.close()
    again = Store(url)
    assert again.listing("/") == ["/demo/a"]
    again.close()


def test_a_locked_database_is_a_passing_trouble_told_in_words(store, url, tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "BUSY_MS", 1)
    blocked = Store(url)
    holder = sqlite3.connect(tmp_path / "glideroute.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match="does not answer: database is locked"):
        blocked.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    holder.execute("ROLLBACK")
    holder.close()
    blocked.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    assert blocked.listing("/") == ["/demo/a"]
    blocked.close()


def test_a_writer_takes_the_lock_before_it_reads(url, monkeypatch):
    monkeypatch.setattr(schema, "BUSY_MS", 1)
    first, second = Store(url), Store(url)
    with first.database.write(), pytest.raises(TemporaryError, match="database is locked"), second.database.write():
        pytest.fail("two transactions that mean to write were begun at once")
    first.close()
    second.close()


def test_a_full_disk_is_a_passing_trouble_told_in_words(store):
    with store.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(TemporaryError, match=r"database or disk is full. Is its disk full"):
        store.register([a_file(f"/demo/{number}", "SITE_A") for number in range(500)], "alice", 1.0)
    assert store.listing("/") == []


def test_a_read_only_database_is_told_in_words(url, tmp_path):
    Store(url).close()
    read_only = f"sqlite:///file:{tmp_path / 'glideroute.db'}?mode=ro&uri=true"
    with pytest.raises(TemporaryError, match="readonly database") as caught:
        Store(read_only).register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    assert "Is its disk full, or the path not writable?" in str(caught.value)


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path):
    with pytest.raises(TemporaryError, match="unable to open database file"):
        Store(schema.sqlite_url(tmp_path / "none" / "x.db"))


def test_a_file_that_is_no_database_is_told_in_words(tmp_path: Path):
    path = tmp_path / "x.db"
    path.write_text("this is a poem, not a database\n" * 100)
    with pytest.raises(RouterError, match="refused: file is not a database"):
        Store(schema.sqlite_url(path))


@pytest.mark.parametrize("address", ["nonsense", "sqlit://", "://", "oracle+none://x"])
def test_an_address_that_is_none_is_told_in_words(address):
    with pytest.raises(RouterError, match="is not understood"):
        Store(address)


def test_a_password_in_the_address_is_never_told():
    with pytest.raises(RouterError) as caught:
        Store("postgresql://router:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


def test_what_a_file_inherits_is_looked_up_by_name_and_not_by_walking_through_directories(store):
    store.register([a_file("/a/x/f1", "SITE_A")], "alice", 1.0)
    store.describe({"/a": {"n": 1}}, "alice")
    with store.database.read() as connection:
        asked = str(hits(connection, parse("not n = 2")).compile(connection, compile_kwargs={"literal_binds": True}))
        steps = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {asked}"))]
    assert [step for step in steps if "scope_values" in step and "scope=?" in step]
    assert not [step for step in steps if "scope<?" in step]
