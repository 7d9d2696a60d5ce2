"""What runs had done when they were last seen to do something: over restarts of the router, and for a standby."""

from collections.abc import Collection, Mapping

from sqlalchemy import Column, Float, Integer, Table, delete, insert, select

from router.model.attempt import Activity
from router.store.schema import WHOLE, Database, metadata

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

    def note_activities(self, seen: Collection[Activity]) -> None:
        """Remember these runs, and no other; all of it happens, or nothing."""
        if self.activities() == {each.key: each for each in seen}:
            return
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
            connection.execute(delete(run_activity))
            if rows:
                connection.execute(insert(run_activity), rows)
