"""Leases: which of several daemons of a kind acts. Each change is compared with what was seen, and then swapped."""

from sqlalchemy import Connection, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from router.errors import LeaseLost
from router.model.record import Lease
from router.store.schema import Database, leases


class Leases:
    """Remembers who holds what."""

    def __init__(self, database: Database) -> None:
        """Keep the leases in `database`."""
        self._db = database

    def lease(self, name: str) -> Lease | None:
        """The lease of this name; None where it was never held."""
        with self._db.read() as connection:
            row = connection.execute(select(leases).where(leases.c.name == name)).first()
        return Lease(row.holder, row.term, row.beat) if row else None

    def swap_lease(self, name: str, seen: Lease | None, wanted: Lease) -> bool:
        """Make the lease `wanted` if it still is as `seen`; returns whether it was."""
        values = {"holder": wanted.holder, "term": wanted.term, "beat": wanted.beat}
        if seen is None:
            return self._first(name, values)
        same = and_(
            leases.c.name == name,
            leases.c.holder == seen.holder,
            leases.c.term == seen.term,
            leases.c.beat == seen.beat,
        )
        with self._db.write(fenced=False) as connection:
            return connection.execute(update(leases).where(same).values(values)).rowcount == 1

    def write_only_as(self, holder: str, name: str) -> None:
        """Refuse to write, by LeaseLost, while the lease `name` is another one's: the database is the fence itself.

        A router that was stopped in the midst of a pass would otherwise write what was true before.
        """

        def fence(connection: Connection) -> None:
            found = connection.execute(select(leases.c.holder).where(leases.c.name == name)).scalar()
            if found != holder:
                raise LeaseLost(f"The lease of the {name} is held by {found or 'nobody'}: nothing is written.")

        self._db.fence = fence

    def _first(self, name: str, values: dict[str, object]) -> bool:
        with self._db.write(fenced=False) as connection:
            try:
                connection.execute(insert(leases).values(name=name, **values))
            except IntegrityError:  # another one was first
                return False
        return True
