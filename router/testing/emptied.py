"""A store that a test leaves as empty as it found it."""

from math import inf

from router.store.schema import metadata
from router.store.store import Store

KEPT = ("schema_version", "audit_log", "audit_start")


def empty(store: Store) -> None:
    """Forget all that is remembered; the audit by its own way, since it lets nobody delete."""
    store.forget_audit(inf)
    with store.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(table.delete())
