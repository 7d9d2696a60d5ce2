"""Tables, and the connection to the database that holds them.

SQLite in WAL mode for one access point, PostgreSQL (`server.py`) for several. In SQLite writers take the write lock at
once (BEGIN IMMEDIATE), because a read transaction that turns into a write fails immediately when another writer is
ahead, whatever the busy timeout.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from router.errors import RouterError, TemporaryError
from router.store import migrate, server

UNREAD, READ, UNUSABLE, LOST = 0, 1, 2, 3
"""What is known of an ended job's report; LOST: its outputs are gone, and another job makes them again."""
BUSY_MS = 10_000

metadata = MetaData()

upsert = postgresql.insert
"""An insert that may take the place of a row; SQLite has taken the words from PostgreSQL, and understands it."""

NAME = String(1024).with_variant(String(1024, collation="C"), "postgresql")
"""A text that is compared by code points, whatever the database's language."""
WHOLE = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of up to 64 bits."""

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

files = Table(
    "files",
    metadata,
    Column("lfn", NAME, primary_key=True),
    Column("size", WHOLE, nullable=False),
    Column("adler32", String(8), nullable=False),
    Column("events", WHOLE, nullable=False, default=0),
    Column("owner", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("guid", String(36), nullable=False),
    Column("directory", NAME, nullable=False),
    Column("team", String(64), nullable=False, default=""),
    Column("mode", Integer, nullable=False, default=0o644),
    Index("files_by_guid", "guid", unique=True),
    Index("files_by_directory", "directory", "lfn"),
    Index("files_by_owner", "owner", "size"),
)
"""`team` is the group of the file's rights, `guid` stays when it is renamed."""

FOLLOW = "CASCADE"
"""A renamed file takes with it what is said of it."""

replicas = Table(
    "replicas",
    metadata,
    Column("lfn", ForeignKey("files.lfn", onupdate=FOLLOW), primary_key=True),
    Column("se", String(64), primary_key=True),
    Column("site", String(64), nullable=False),
    Column("pfn", String(2048), nullable=False),
    Column("state", String(16), nullable=False, default="available"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("directory", NAME, nullable=False),
    Column("team", String(64), nullable=False, default=""),
    Column("mode", Integer, nullable=False, default=0o644),
    Column("closed", Float, nullable=True),
    Index("datasets_by_directory", "directory", "name"),
)

dataset_files = Table(
    "dataset_files",
    metadata,
    Column("dataset", ForeignKey("datasets.name", onupdate=FOLLOW), primary_key=True),
    Column("lfn", ForeignKey("files.lfn", onupdate=FOLLOW), primary_key=True),
    Index("dataset_files_by_file", "lfn", "dataset"),
)

keys = Table(
    "metadata_keys",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
)


def _values(name: str, *of: Column[Any]) -> Table:
    """Values of keys: one of the two columns is set; a flag is the number 0 or 1."""
    number, text = Column("number", Float, nullable=True), Column("text", NAME, nullable=True)
    key = Column("key", String(64), primary_key=True)
    made = Table(name, metadata, *of, key, number, text, sqlite_with_rowid=False)
    Index(f"{name}_by_number", key, number, *of)  # whole, so that it finds all that have a key
    told = text.is_not(None)
    Index(f"{name}_by_text", key, text, *of, sqlite_where=told, postgresql_where=told)
    return made


file_values = _values("file_values", Column("lfn", ForeignKey("files.lfn", onupdate=FOLLOW), primary_key=True))
"""What is said of single files."""

scope_values = _values("scope_values", Column("scope", NAME, primary_key=True))
"""What is said of datasets and directories, and holds for their files."""
scope_values_by_key = Index("scope_values_by_key", scope_values.c.key, scope_values.c.scope)

site_states = Table(
    "site_states",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Float, nullable=False),
)

downtimes = Table(
    "downtimes",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("begins", Float, primary_key=True),
    Column("ends", Float, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", Float, nullable=False),
)

site_seen = Table(
    "site_seen",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("seen", Float, nullable=False, default=0),
    Column("asked", Float, nullable=False, default=0),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("directory", String(4096), nullable=False),
    Column("created", Float, nullable=False),
    Column("complete", Integer, nullable=False, default=0),
)

batches = Table(
    "batches",
    metadata,
    Column("task", ForeignKey("tasks.id"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("cluster", Integer, nullable=True),
    Column("jobs", Integer, nullable=False),
    Index("batches_by_cluster", "cluster"),
)

batch_inputs = Table(
    "batch_inputs",
    metadata,
    Column("task", String(96), primary_key=True),
    Column("batch", String(64), primary_key=True),
    Column("lfn", NAME, primary_key=True),
    Index("batch_inputs_by_file", "lfn"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("cluster", Integer, nullable=False),
    Column("task", String(96), nullable=False),
    Column("batch", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("jobs", Integer, nullable=False),
    Column("sites", Text, nullable=False),
    Column("came_from", Text, nullable=False),
    Column("tag", String(64), nullable=False),
    Column("words", Text, nullable=False),
    Column("verdicts", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    Index("decisions_by_cluster", "cluster", "id"),
    Index("decisions_by_task", "task", "id"),
    Index("decisions_by_outcome", "outcome"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(1024), nullable=False),
    Column("term", Integer, nullable=False),
    Column("beat", Integer, nullable=False),
)

ended = Table(
    "ended",
    metadata,
    Column("cluster", Integer, primary_key=True),
    Column("proc", Integer, primary_key=True),
    Column("task", String(96), nullable=False),
    Column("batch", String(64), nullable=False),
    Column("job", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("exit_code", Integer, nullable=True),
    Column("site", String(64), nullable=False),
    Column("ended", Float, nullable=False),
    Column("wall_s", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cpus", Integer, nullable=False, default=1),
    Column("report", Integer, nullable=False, default=0),
    Index("ended_by_task", "task"),
    Index("ended_by_time", "ended"),
)

history_read = Table(
    "history_read",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", Integer, nullable=False),
    Column("proc", Integer, nullable=False),
)

site_outcomes = Table(
    "site_outcomes",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("bucket", Integer, primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("site_outcomes_by_time", "bucket"),
)

site_streaks = Table(
    "site_streaks",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("tasks", Text, nullable=False),
    Column("at", Float, nullable=False),
)

event_log = Table(
    "event_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("position", String(200), nullable=False),
    Column("read", Float, nullable=False),
)


class Database:
    """A connection pool that speaks in RouterErrors."""

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy `url`; new and older ones are brought to the schema that is needed."""
        self.engine = _engine(url)
        self.fence: Callable[[Connection], None] = lambda _: None
        """Asked first in every transaction that writes; raises where nothing may be written."""
        try:
            self._prepare()
        except RouterError:
            self.close()
            raise

    def _prepare(self) -> None:
        with self.write() as connection:
            migrate.bring_up(connection, metadata, _told_url(self.engine))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view."""
        with _told(self.engine), self.engine.connect() as plain:
            yield plain if self._sqlite else plain.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def write(self, fenced: bool = True) -> Iterator[Connection]:
        """A transaction that holds the write lock; all of it happens, or nothing."""
        with _told(self.engine), self.engine.connect() as plain:
            connection = plain.execution_options(immediate=True)
            with connection.begin():
                if not self._sqlite:
                    server.lock(connection)
                if fenced:
                    self.fence(connection)
                yield connection

    @property
    def _sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


class Schema(Database):
    """The database's schema, which may be of another revision than this glideroute needs."""

    def _prepare(self) -> None:
        """Leave it as it is."""

    def told(self) -> dict[str, str]:
        """Which database it is, its revision, and the one that is needed."""
        with self.read() as connection:
            found = migrate.revision(connection) or "none"
        return {"database": _told_url(self.engine), "revision": found, "head": migrate.HEAD}

    def upgrade(self) -> str:
        """Take it to the newest revision, which is returned. Raises RouterError for one that is not known."""
        with self.write() as connection:
            migrate.bring_up(connection, metadata, _told_url(self.engine))
        return migrate.HEAD

    def downgrade(self, wanted: str) -> str:
        """Take it back to a revision. Raises RouterError for one that is not known."""
        with self.write() as connection:
            migrate.refuse_unknown(migrate.revision(connection), _told_url(self.engine))
            migrate.downgrade(connection, wanted)
        return wanted


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite database file."""
    return f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
        engine = create_engine(address, **(server.OPTIONS if address.get_backend_name() == "postgresql" else {}))
    except (SQLAlchemyError, ImportError, ValueError) as error:  # the address may hold a password: it is not told
        raise RouterError(
            f"The database address in the settings is not understood, or its driver is not installed: {error}"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(dbapi: Any, _: Any) -> None:
    dbapi.isolation_level = None  # SQLAlchemy's own BEGIN below replaces the driver's late one
    cursor = dbapi.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS:d}")
    _write_ahead(cursor)
    for pragma in (
        "PRAGMA synchronous=NORMAL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA case_sensitive_like=ON",
    ):
        cursor.execute(pragma)
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Have the database log ahead. While two processes ask that of a new one, SQLite has neither wait for the other."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.005)
        else:
            return


def _sqlite_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _told_url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """Turn the driver's errors into words."""
    where = _told_url(engine)
    try:
        yield
    except OperationalError as error:
        asked = "Is its disk full, or the path not writable?" if engine.dialect.name == "sqlite" else server.ASKED
        raise TemporaryError(f"The database {where} does not answer: {error.orig}. {asked}") from error
    except DatabaseError as error:
        raise RouterError(f"The database {where} refused: {error.orig}") from error
