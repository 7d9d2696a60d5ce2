"""What jobs told of the copies of their inputs: how storage elements served them, and which tries failed."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, fields

from sqlalchemy import Column, Connection, Index, Integer, String, Table, and_, delete, func, insert, select

from router.model.fetch import GIVEN, Fetch, Served, served
from router.store.schema import NAME, WHOLE, Database, metadata, upsert

KEEP_S = 86_400
"""Older tries are forgotten."""
MOST_FAILED = 10_000
"""Failed tries that are kept."""
MOST_TOLD = 200
"""Failed tries of a cluster that are told."""

served_copies = Table(
    "served_copies",
    metadata,
    Column("se", String(64), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("bucket", WHOLE, primary_key=True, autoincrement=False),
    Column("given", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Index("served_copies_by_bucket", "bucket"),
)

failed_copies = Table(
    "failed_copies",
    metadata,
    Column("cluster", Integer, primary_key=True, autoincrement=False),
    Column("proc", Integer, primary_key=True, autoincrement=False),
    Column("start", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(64), nullable=False),
    Column("at", WHOLE, nullable=False),
    Column("lfn", NAME, nullable=False),
    Column("se", String(64), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("words", String(200), nullable=False),
    Index("failed_copies_by_time", "at"),
)

copies_read = Table(
    "copies_read", metadata, Column("id", Integer, primary_key=True), Column("upto", WHOLE, nullable=False)
)
"""One row: up to when the tries were read."""


class Fetched:
    """Remembers how copies were fetched."""

    _db: Database

    def fetches_read(self) -> int:
        """Up to when the tries were read, in whole seconds since the epoch; 0: never."""
        with self._db.read() as connection:
            return int(connection.execute(select(copies_read.c.upto)).scalar() or 0)

    def record_fetches(self, tries: Sequence[Fetch], elements: Collection[str], read: int) -> None:
        """Add up tries at declared storage elements, keep those that failed, and remember up to when they were read.

        All of it happens, or nothing.
        """
        with self._db.write() as connection:
            _add(connection, served(tries, elements))
            _keep(connection, [each for each in tries if each.cause != GIVEN][:MOST_FAILED])
            connection.execute(delete(served_copies).where(served_copies.c.bucket < read - KEEP_S))
            connection.execute(delete(failed_copies).where(failed_copies.c.at < read - KEEP_S))
            connection.execute(delete(copies_read))
            connection.execute(insert(copies_read).values(id=1, upto=read))

    def served(self, since: float) -> Sequence[Served]:
        """How storage elements served each owner's jobs after `since`."""
        sums = (func.sum(served_copies.c[name]).label(name) for name in ("given", "failed"))
        query = select(served_copies.c.se, served_copies.c.owner, *sums).where(served_copies.c.bucket >= int(since))
        with self._db.read() as connection:
            rows = connection.execute(query.group_by(served_copies.c.se, served_copies.c.owner))
            return [Served(row.se, row.owner, int(row.given), int(row.failed)) for row in rows]

    def failed_fetches(self, cluster: int) -> Sequence[Fetch]:
        """The remembered tries of a cluster's jobs that failed, newest first."""
        query = select(failed_copies).where(failed_copies.c.cluster == cluster)
        order = (failed_copies.c[name].desc() for name in ("at", "proc", "start", "number"))
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(*order).limit(MOST_TOLD))
            return [Fetch(**{each.name: getattr(row, each.name) for each in fields(Fetch)}) for row in rows]


def _add(connection: Connection, sums: Sequence[Served]) -> None:
    if sums:
        statement = upsert(served_copies)
        more = {name: served_copies.c[name] + statement.excluded[name] for name in ("given", "failed")}
        told = [dict(zip(("se", "owner", "given", "failed", "bucket"), astuple(each), strict=True)) for each in sums]
        connection.execute(statement.on_conflict_do_update(index_elements=["se", "owner", "bucket"], set_=more), told)


def _keep(connection: Connection, failed: Sequence[Fetch]) -> None:
    if not failed:
        return
    statement = upsert(failed_copies).on_conflict_do_nothing()
    connection.execute(statement, [{each.name: getattr(one, each.name) for each in fields(Fetch)} for one in failed])
    if connection.execute(select(func.count()).select_from(failed_copies)).scalar_one() > MOST_FAILED:
        newest = select(failed_copies.c.at).order_by(failed_copies.c.at.desc()).offset(MOST_FAILED).limit(1)
        connection.execute(delete(failed_copies).where(and_(failed_copies.c.at <= newest.scalar_subquery())))
