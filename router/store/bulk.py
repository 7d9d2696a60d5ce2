"""Many rows and names in few statements, which PostgreSQL gets as arrays.

Of an ordinary bulk insert it parses and plans a statement for each row, and of a long list of names every sign.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Table, any_, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert

from router.store.schema import upsert

TOGETHER = 10_000
"""Rows or names of one statement, some megabytes; of SQLite less: its oldest limit is 999 names."""
FEWER = 400

Row = Mapping[str, object]
T = TypeVar("T")


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, which all have the same columns."""
    for statement, values in _statements(connection, table, rows):
        connection.execute(statement, values)


def put(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, which all have the same columns; one with the key of another takes its place."""
    keys = [each.name for each in table.primary_key]
    for statement, values in _statements(connection, table, rows):
        told = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=told), values)


def _statements(
    connection: Connection, table: Table, rows: Sequence[Row]
) -> Iterator[tuple[Insert, Row | Sequence[Row]]]:
    if connection.dialect.name != "postgresql":
        if rows:
            yield upsert(table), rows
        return
    for part in chunks(rows, TOGETHER):
        arrays = {name: [row[name] for row in part] for name in part[0]}
        yield _from_arrays(table, tuple(arrays)), arrays


def _from_arrays(table: Table, named: tuple[str, ...]) -> Insert:
    given = [bindparam(name, type_=ARRAY(table.c[name].type)) for name in named]
    rows = func.unnest(*given).table_valued(*[column(name) for name in named]).render_derived()
    return upsert(table).from_select(list(named), select(rows))


def chunks(items: Sequence[T], most: int = FEWER) -> Iterator[Sequence[T]]:
    """Items in numbers that one statement takes; without `most`, one of any database."""
    return (items[start : start + most] for start in range(0, len(items), most))


def parts(connection: Connection, names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names in numbers that one statement of this database takes."""
    return chunks(names, TOGETHER if connection.dialect.name == "postgresql" else FEWER)


def among(connection: Connection, of: Column[str], names: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of these names."""
    if connection.dialect.name != "postgresql":
        return of.in_(names)
    return of == any_(bindparam(None, list(names), type_=ARRAY(of.type)))
