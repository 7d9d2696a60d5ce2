"""The schema forward and back: old databases keep what they hold, and a new one is what the revisions make."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from router.errors import RouterError
from router.model.entry import Kind
from router.model.query_grammar import parse
from router.store import migrate, schema
from router.store.store import Store
from router.testing.build import a_file
from router.testing.clock import FakeClock


@pytest.fixture
def url(tmp_path: Path) -> str:
    return schema.sqlite_url(tmp_path / "glideroute.db")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database from before revisions were counted: alice's and bob's files, without directories."""
    path = tmp_path_factory.mktemp("first") / "glideroute.db"
    engine = create_engine(schema.sqlite_url(path))
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), migrate.FIRST)
        for line in (
            "INSERT INTO files VALUES ('/demo/a', 5, '00000001', 7, 'alice', 3.0)",
            "INSERT INTO files VALUES ('/demo/sub/b', 5, '00000002', 0, 'alice', 2.0)",
            "INSERT INTO files VALUES ('/shared/c', 5, '00000003', 0, 'alice', 2.0)",
            "INSERT INTO files VALUES ('/shared/d', 5, '00000003', 0, 'bob', 2.0)",
            "INSERT INTO files VALUES ('/user/bob/task/e', 5, '00000004', 0, 'bob', 2.0)",
            "INSERT INTO replicas VALUES ('/demo/a', 'SITE_A_DISK', 'SITE_A', 'file:///srv/SITE_A/demo/a')",
            "INSERT INTO datasets VALUES ('/demo/all', 'alice', 4.0)",
            "INSERT INTO dataset_files VALUES ('/demo/all', '/demo/a')",
            "INSERT INTO metadata_keys VALUES ('run', 'number')",
            "INSERT INTO file_values VALUES ('/demo/a', 'run', 5.0, NULL)",
            "INSERT INTO schema_version VALUES (1)",
            "DROP TABLE alembic_version",
            "DROP TABLE leases",  # databases may be older than some tables
        ):
            connection.execute(text(line))
    engine.dispose()
    return path


@pytest.fixture
def old(first: Path, url: str, tmp_path: Path) -> str:
    """A copy of it."""
    shutil.copy(first, tmp_path / "glideroute.db")
    return url


def test_an_old_database_is_upgraded_when_it_is_first_used_and_keeps_all(old):
    store = Store(old)
    bob = store.as_user("bob", FakeClock())
    assert bob.find(parse("run = 5")) == ["/demo/a"]
    assert [(each.name, each.rights.owner, each.kind) for each in bob.entries("/")] == [
        ("/demo", "alice", Kind.DIRECTORY), ("/shared", "", Kind.DIRECTORY), ("/user", "", Kind.DIRECTORY),
    ]  # fmt: skip
    assert bob.stat("/user/bob").rights.owner == "bob"
    assert bob.stat("/shared").rights.mode == 0o1777
    assert [each.replica.se for each in bob.copies("/demo/a")] == ["SITE_A_DISK"]
    assert bob.dataset("/demo/all").files[0].file.events == 7
    assert len({bob.stat(name).guid for name in bob.below("/")}) == 5
    assert store.lease("router") is None
    store.close()


def test_upgraded_taken_back_or_new_a_database_has_the_schema_that_is_declared(old, tmp_path):
    upgraded, new = Store(old), Store(schema.sqlite_url(tmp_path / "new.db"))
    for store in (upgraded, new):
        with store.database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    with new.database.write() as connection:
        migrate.downgrade(connection, migrate.FIRST)
        migrate.upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert migrate.revision(connection) == migrate.HEAD == migrate.known()[-1]
    upgraded.close()
    new.close()


def test_taken_back_it_is_as_an_older_glideroute_made_it(old, tmp_path):
    def tables() -> dict[str, list[tuple[object, ...]]]:
        with sqlite3.connect(tmp_path / "glideroute.db") as connection:
            told = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in told}  # noqa: S608

    before = tables()
    store = Store(old)
    with store.database.write() as connection:
        migrate.downgrade(connection, migrate.FIRST)
    store.close()
    after = tables()
    assert after.pop("leases") == []
    assert {name: sorted(map(repr, rows)) for name, rows in after.items()} == {
        name: sorted(map(repr, rows)) for name, rows in before.items()
    }


def test_what_everybody_may_change_nobody_may_take_from_another(old):
    store = Store(old)
    store.register([a_file("/shared/mine", "SITE_A")], "mallory", 1.0)
    with pytest.raises(RouterError, match="may not take /shared/c out of its directory"):
        store.as_user("mallory", FakeClock()).remove(["/shared/c"])
    store.close()


def test_only_the_databases_owner_upgrades_it_and_others_are_told(old, monkeypatch):
    monkeypatch.setitem(migrate.OWNED, "sqlite", lambda _: False)
    with pytest.raises(RouterError, match=r"revision 0001, this one needs .* runs `glideroute store upgrade`"):
        Store(old)
    monkeypatch.undo()
    Store(old).close()


def test_a_database_of_a_newer_glideroute_is_refused_in_words_and_left_alone(url):
    store = Store(url)
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RouterError, match="has schema revision 9999, this glideroute needs"):
        Store(url)
    with store.database.read() as connection:
        assert migrate.revision(connection) == "9999"
    store.close()


def test_an_older_glideroute_refuses_what_this_one_has_made(url):
    store = Store(url)
    with store.database.read() as connection:
        told = connection.execute(text("SELECT version FROM schema_version")).scalar()
    assert told != migrate.UNCOUNTED
    store.close()


def test_an_upgrade_that_fails_changes_nothing(old, monkeypatch, tmp_path):
    def fail(*_: object) -> None:
        raise RuntimeError("the machine stopped")

    monkeypatch.setattr("alembic.command.upgrade", fail)
    before = sqlite3.connect(tmp_path / "glideroute.db").execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(RuntimeError):
        Store(old)
    assert sqlite3.connect(tmp_path / "glideroute.db").execute("SELECT sql FROM sqlite_master").fetchall() == before
