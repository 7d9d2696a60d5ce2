"""A store that a test leaves as empty as it found it."""

from functools import cache
from math import inf
from typing import Any

from sqlalchemy import CompoundSelect, Table, literal, select, union_all

from router.store.schema import metadata
from router.store.store import Store

KEPT = ("schema_version", "audit_log", "audit_start")


def empty(store: Store) -> None:
    """Forget all that is remembered; the audit by its own way, since it lets nobody delete."""
    store.forget_audit(inf)
    with store.database.write() as connection:
        found = set(connection.execute(_filled()).scalars())
        for table in _tables():
            if table.name in found:
                connection.execute(table.delete())


@cache
def _tables() -> tuple[Table, ...]:
    return tuple(table for table in reversed(metadata.sorted_tables) if table.name not in KEPT)


@cache
def _filled() -> CompoundSelect[Any]:
    """The names of the tables that hold rows: one look, since most tests write into a few of very many."""
    return union_all(*(select(literal(table.name)).where(select(table).exists()) for table in _tables()))
