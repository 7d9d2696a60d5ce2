"""Usage: single runs of jobs, for a while, and their sums by day, for ever."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    and_,
    delete,
    insert,
    select,
    tuple_,
)

from router.model.usage import EPOCH, SUMS, Cell, Run, Usage, changes, merged
from router.store.bulk import chunks
from router.store.schema import Database, metadata, upsert

AT_ONCE = 200
"""Runs looked up in one statement."""

usage_runs = Table(
    "usage_runs",
    metadata,
    Column("cluster", Integer, primary_key=True),
    Column("proc", Integer, primary_key=True),
    Column("queued", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("group", String(128), nullable=False),
    Column("task", String(96), nullable=False),
    Column("site", String(64), nullable=False),
    Column("entry", String(64), nullable=False),
    Column("node", String(256), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("issuer", String(256), nullable=False),
    Column("token", String(128), nullable=False),
    Column("cores", Integer, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("cpu_ms", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("exit_code", Integer, nullable=False),
    Column("teller", Integer, nullable=False),
    Column("job", Integer, nullable=False),
    Index("usage_runs_by_task", "task"),
    Index("usage_runs_by_end", "ended"),
    Index("usage_runs_by_subject", "subject"),
)

usage_days = Table(
    "usage_days",
    metadata,
    Column("user", String(64), primary_key=True),
    Column("group", String(128), primary_key=True),
    Column("site", String(64), primary_key=True),
    Column("day", Integer, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
    Index("usage_days_by_day", "day"),
)

usage_marks = Table(
    "usage_marks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("read", Float, nullable=False),
    Column("closed", Float, nullable=False),
)
"""One row: up to when the histories were read whole, and up to when runs were forgotten."""

_KEY = tuple_(usage_runs.c.cluster, usage_runs.c.proc, usage_runs.c.queued, usage_runs.c.number)
_KEYS = ("cluster", "proc", "queued", "number")


class UsageBook:
    """Remembers what jobs used."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._db = database

    def usage_read(self) -> float:
        """Up to when the histories were read whole, seconds since the epoch; 0: never."""
        with self._db.read() as connection:
            return _marks(connection)[0]

    def record_runs(self, runs: Iterable[Run], read: float = 0.0) -> int:
        """Book runs; each is booked once however often it is told. Returns how many were not known as they are.

        `read` is up to when the histories were read whole by now, in seconds since the epoch. What may be one of the
        runs that were forgotten is left out: it was booked.
        """
        with self._db.write() as connection:
            mark, closed = _marks(connection)
            told = _each_once(runs)
            known = _known(connection, list(told))
            kept = {key: run for key, run in told.items() if key in known or _since(run) >= closed}
            pairs = [(known.get(key), merged(known.get(key, run), run)) for key, run in kept.items()]
            fresh = [(old, new) for old, new in pairs if old != new]
            _write(connection, [new for _, new in fresh])
            _book(connection, changes(fresh))
            if read > mark:
                _mark(connection, read, closed)
            return len(fresh)

    def forget_runs(self, before: float) -> int:
        """Forget single runs that ended before `before`, seconds since the epoch; what they used stays booked."""
        with self._db.write() as connection:
            mark, closed = _marks(connection)
            if before <= closed:
                return 0
            _mark(connection, mark, before)
            return connection.execute(delete(usage_runs).where(usage_runs.c.ended < before)).rowcount

    def usage(self, first: int, last: int) -> list[Cell]:
        """What was used on days from `first` to `last`, both included, in days since 1970-01-01."""
        query = select(usage_days).where(and_(usage_days.c.day >= first, usage_days.c.day <= last))
        with self._db.read() as connection:
            return [_cell(row) for row in connection.execute(query)]

    def runs_of(self, task: str = "", cluster: int = 0, proc: int = -1, most: int = 1000) -> list[Run]:
        """The newest runs of a task, a cluster or a job, oldest first."""
        wanted = usage_runs.c.task == task if task else usage_runs.c.cluster == cluster
        if proc >= 0:
            wanted = and_(wanted, usage_runs.c.proc == proc)
        query = (
            select(usage_runs)
            .where(wanted)
            .order_by(*(usage_runs.c[name].desc() for name in ("ended", *_KEYS)))
            .limit(most)
        )
        with self._db.read() as connection:
            return [_run(row) for row in connection.execute(query)][::-1]


def _since(run: Run) -> int:
    """The earliest that a run may have ended: of one that was held, the history of jobs does not know it well."""
    return run.ended if run.teller == EPOCH else run.started


def _each_once(runs: Iterable[Run]) -> dict[tuple[int, int, int, int], Run]:
    found: dict[tuple[int, int, int, int], Run] = {}
    for run in runs:
        found[run.key] = merged(found.get(run.key, run), run)
    return found


def _known(connection: Connection, keys: Sequence[tuple[int, int, int, int]]) -> dict[tuple[int, int, int, int], Run]:
    found = {}
    for part in chunks(keys, AT_ONCE):
        for row in connection.execute(select(usage_runs).where(_KEY.in_(part))):
            run = _run(row)
            found[run.key] = run
    return found


def _write(connection: Connection, runs: Sequence[Run]) -> None:
    if runs:
        statement = upsert(usage_runs)
        told = {each.name: statement.excluded[each.name] for each in fields(Run) if each.name not in _KEYS}
        connection.execute(
            statement.on_conflict_do_update(index_elements=_KEYS, set_=told),
            [{each.name: getattr(run, each.name) for each in fields(Run)} for run in runs],
        )


def _book(connection: Connection, cells: Sequence[Cell]) -> None:
    if cells:
        statement = upsert(usage_days)
        sums = {name: usage_days.c[name] + statement.excluded[name] for name in SUMS}
        places = ("user", "group", "site", "day")
        rows = [
            {**dict(zip(places, cell.place, strict=True)), **dict(zip(SUMS, astuple(cell.usage), strict=True))}
            for cell in cells
        ]
        connection.execute(statement.on_conflict_do_update(index_elements=places, set_=sums), rows)


def _marks(connection: Connection) -> tuple[float, float]:
    row = connection.execute(select(usage_marks)).first()
    return (row.read, row.closed) if row else (0.0, 0.0)


def _mark(connection: Connection, read: float, closed: float) -> None:
    connection.execute(delete(usage_marks))
    connection.execute(insert(usage_marks).values(id=1, read=read, closed=closed))


def _run(row: Row[Any]) -> Run:
    return Run(**{each.name: getattr(row, each.name) for each in fields(Run)})


def _cell(row: Row[Any]) -> Cell:
    return Cell(row.user, row.group, row.site, row.day, Usage(*(getattr(row, name) for name in SUMS)))
