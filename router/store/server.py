"""PostgreSQL: how it is connected to, and what makes it write as SQLite does, one transaction after the other.

Every write of the store reads first and writes what follows from that, so it must see what the one before has written.
The store writes a few times a second; a lock costs less than transactions that are told to begin again.
"""

from typing import Any

from sqlalchemy import Connection, text

WAIT_S = 10
"""Seconds that a writer waits for the one before it; as long as in SQLite."""

OPTIONS: dict[str, Any] = {
    # A server that was restarted is met by a fresh connection, not by a failed pass.
    "pool_pre_ping": True,
    # Compiling a query takes longer than ours run; and a plan from when a table was empty walks through a full one.
    "connect_args": {
        "connect_timeout": WAIT_S,
        "options": "-c jit=off -c plan_cache_mode=force_custom_plan",
        "prepare_threshold": None,
    },
}
ASKED = "Does the server run, is its disk full, is the password right? It may stand in ~/.pgpass (libpq)."
NUMBER = 7_157_340
"""Which advisory lock of the database is the store's."""


def lock(connection: Connection) -> None:
    """Wait until no other transaction writes, and keep others from it until this one ends."""
    connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{WAIT_S}s"})
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": NUMBER})
