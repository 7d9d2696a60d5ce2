"""The audit, append-only: the database itself refuses to change or remove an entry, and a chain of digests shows it.

Old entries are removed from the front only, by moving the place where the chain begins.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)

from router.model import names
from router.model.audit import FIELDS, GENESIS, TEXTS, AuditEntry, AuditQuery, AuditState, Sealed, checked, seal
from router.redact import redacted
from router.store.schema import Database, metadata

PAGE = 5000

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("who", String(128), nullable=False),
    Column("act", String(64), nullable=False),
    Column("about", Text, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("words", Text, nullable=False),
    Column("account", String(64), nullable=False),
    Column("task", String(96), nullable=False),
    Column("cluster", Integer, nullable=False),
    Column("request", String(32), nullable=False),
    Column("identity", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("audit_log_by_task", "task", "number"),
    Index("audit_log_by_cluster", "cluster", "number"),
    Index("audit_log_by_time", "at"),
)
LIMITS = {"who": 128, "act": 64, "outcome": 32, "account": 64, "task": 96, "request": 32}
MOST_TEXT = 2000
"""Characters of any other text; what is longer is cut."""

audit_start = Table(
    "audit_start",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)
"""One row: the last entry that was removed for its age. It is also the lock that those who append hold."""

_REFUSALS = (
    """
    CREATE TRIGGER audit_log_changed BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_log_removed BEFORE DELETE ON audit_log
    WHEN OLD.number > (SELECT number FROM audit_start)
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    # INSERT OR REPLACE would remove an entry without asking the trigger above.
    """
    CREATE TRIGGER audit_log_inserted BEFORE INSERT ON audit_log
    WHEN NEW.number <> 1 + coalesce((SELECT max(number) FROM audit_log), (SELECT number FROM audit_start))
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_start_removed BEFORE DELETE ON audit_start
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_start_moved_back BEFORE UPDATE ON audit_start
    WHEN NEW.number <= OLD.number
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
)

_POSTGRESQL_REFUSALS = (
    """
    CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
    """,
    """
    CREATE FUNCTION audit_keep_order() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF TG_TABLE_NAME = 'audit_start' THEN
            IF NEW.number > OLD.number THEN RETURN NEW; END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF OLD.number <= (SELECT number FROM audit_start) THEN RETURN OLD; END IF;
        ELSIF NEW.number = 1 + coalesce((SELECT max(number) FROM audit_log), (SELECT number FROM audit_start)) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'the audit is append-only';
    END $$
    """,
    """
    CREATE TRIGGER audit_log_changed BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_log_ordered BEFORE INSERT OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_keep_order()
    """,
    """
    CREATE TRIGGER audit_start_removed BEFORE DELETE OR TRUNCATE ON audit_start
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_start_moved_back BEFORE UPDATE ON audit_start
    FOR EACH ROW EXECUTE FUNCTION audit_keep_order()
    """,
)


@event.listens_for(audit_start, "after_create")
def _guard(_: Table, connection: Connection, **__: Any) -> None:
    """Begin the chain, and have the database refuse what would break it."""
    connection.execute(insert(audit_start).values(id=1, number=0, digest=GENESIS))
    for statement in _REFUSALS if connection.dialect.name == "sqlite" else _POSTGRESQL_REFUSALS:
        connection.exec_driver_sql(statement)


class Audit:
    """Remembers what was asked, decided and done."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._db = database

    def note_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Append entries; all of them, or none."""
        with self._db.write() as connection:
            append(connection, entries)

    def audit(self, wanted: AuditQuery) -> list[Sealed]:
        """The entries that a query asks for, oldest first."""
        query = _chosen(wanted).order_by(audit_log.c.number.desc()).limit(wanted.most)
        with self._db.read() as connection:
            return [_sealed(row) for row in connection.execute(query)][::-1]

    def audit_state(self) -> AuditState:
        """Whether all entries hang together."""
        with self._db.read() as connection:
            return checked(_start(connection), _all(connection))

    def has_audit_digest(self, digest: str) -> bool:
        """Whether an entry has this digest, or the last one that was removed for its age."""
        with self._db.read() as connection:
            known = connection.execute(select(audit_log.c.number).where(audit_log.c.digest == digest)).first()
            return known is not None or _start(connection)[1] == digest

    def forget_audit(self, before: float) -> int:
        """Remove the entries in front of the first that is of `before` or later; returns how many."""
        with self._db.write() as connection:
            kept = select(func.min(audit_log.c.number)).where(audit_log.c.at >= before).scalar_subquery()
            older = select(audit_log).where(audit_log.c.number < func.coalesce(kept, _last(connection)[0] + 1))
            last = connection.execute(older.order_by(audit_log.c.number.desc()).limit(1)).first()
            if last is None:
                return 0
            connection.execute(update(audit_start).values(number=last.number, digest=last.digest))
            return connection.execute(delete(audit_log).where(audit_log.c.number <= last.number)).rowcount


def append(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    """Append entries in the transaction of what they tell of; no secret and no second line gets in."""
    plain = [_cleaned(entry) for entry in entries]
    if not plain:
        return
    rows = [
        {"number": each.number, "digest": each.digest, **{name: getattr(each.entry, name) for name in FIELDS}}
        for each in seal(_last(connection), plain)
    ]
    connection.execute(insert(audit_log), rows)


def _cleaned(entry: AuditEntry) -> AuditEntry:
    """The entry as it may be written, and as the database gives it back."""
    texts: dict[str, Any] = {name: _clean(getattr(entry, name), LIMITS.get(name, MOST_TEXT)) for name in TEXTS}
    return replace(entry, at=float(entry.at), **texts)


@lru_cache(maxsize=1024)
def _clean(text: str, most: int) -> str:
    """One line without secrets; the decisions of a pass say the same again and again."""
    return names.CONTROL.sub(" ", redacted(text))[:most] if text else text


def _last(connection: Connection) -> tuple[int, str]:
    """The number and digest of the last entry; who asks is the only one that appends until the transaction ends."""
    start = connection.execute(select(audit_start).with_for_update()).one()
    last = connection.execute(select(audit_log).order_by(audit_log.c.number.desc()).limit(1)).first()
    return (last.number, last.digest) if last else (start.number, start.digest or GENESIS)


def _start(connection: Connection) -> tuple[int, str]:
    row = connection.execute(select(audit_start)).one()
    return row.number, row.digest


def _all(connection: Connection) -> Iterator[Sealed]:
    rows = connection.execute(select(audit_log).order_by(audit_log.c.number).execution_options(yield_per=PAGE))
    yield from map(_sealed, rows)


def _chosen(wanted: AuditQuery) -> Select[Any]:
    conditions = []
    if wanted.task:
        # A submission is asked for before its task has a name.
        same = select(audit_log.c.request).where(audit_log.c.task == wanted.task, audit_log.c.request != "")
        conditions.append(or_(audit_log.c.task == wanted.task, audit_log.c.request.in_(same)))
    if wanted.cluster:
        conditions.append(audit_log.c.cluster == wanted.cluster)
    if wanted.user:
        conditions.append(audit_log.c.who == wanted.user)
    if wanted.begins:
        conditions.append(audit_log.c.at >= wanted.begins)
    if wanted.ends:
        conditions.append(audit_log.c.at < wanted.ends)
    return select(audit_log).where(and_(True, *conditions))


def _sealed(row: Row[Any]) -> Sealed:
    return Sealed(row.number, AuditEntry(**{name: getattr(row, name) for name in FIELDS}), row.digest)
