"""What runs had done when they were last seen to do something: over restarts of the router, and for a standby."""

from collections.abc import Collection, Mapping

from sqlalchemy import Column, Float, Integer, Table, delete, insert, select

from router.model.attempt import Activity
from router.store.schema import WHOLE, Database, metadata, upsert

run_activity = Table(
    "run_activity",
    metadata,
    Column("cluster", Integer, primary_key=True, autoincrement=False),
    Column("proc", Integer, primary_key=True, autoincrement=False),
    Column("started", WHOLE, primary_key=True, autoincrement=False),
    Column("told", WHOLE, nullable=False),
    Column("cpu_s", Float, nullable=False),
    Column("disk_mb", WHOLE, nullable=False),
)

run_look = Table(
    "run_look",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
)


class AttemptBook:
    """Remembers the runs that last a while."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._db = database

    def activities(self) -> Mapping[tuple[int, int, int], Activity]:
        """What each run that was there at the last look had done, by its key."""
        with self._db.read() as connection:
            found = (Activity(*row) for row in connection.execute(select(run_activity)))
            return {each.key: each for each in found}

    def last_look(self) -> float:
        """When the runs were looked at last, seconds since the epoch; 0: never."""
        with self._db.read() as connection:
            return float(connection.execute(select(run_look.c.at)).scalar() or 0.0)

    def note_activities(self, seen: Collection[Activity], at: float) -> None:
        """Remember these runs, and no other, and when they were looked at; all of it happens, or nothing."""
        rows = [
            {
                "cluster": each.cluster,
                "proc": each.proc,
                "started": each.started,
                "told": each.told,
                "cpu_s": each.cpu_s,
                "disk_mb": each.disk_mb,
            }
            for each in seen
        ]
        with self._db.write() as connection:
            row = {"id": 1, "at": at}
            connection.execute(upsert(run_look).values(row).on_conflict_do_update(index_elements=["id"], set_=row))
            connection.execute(delete(run_activity))
            if rows:
                connection.execute(insert(run_activity), rows)
