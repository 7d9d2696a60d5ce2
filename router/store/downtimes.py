"""Announced downtimes of sites."""

from sqlalchemy import delete, select

from router.model.downtime import Downtime
from router.model.site import SiteStatus
from router.store.schema import Database, downtimes, upsert


class Downtimes:
    """Remembers what sites announced."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._db = database

    def downtimes(self, now: float) -> tuple[Downtime, ...]:
        """Those that have not ended at `now`, seconds since the epoch."""
        query = select(downtimes).where(downtimes.c.ends > now).order_by(downtimes.c.begins, downtimes.c.site)
        with self._db.read() as connection:
            return tuple(
                Downtime(row.site, row.begins, row.ends, SiteStatus(row.status), row.reason, row.by, row.at)
                for row in connection.execute(query)
            )

    def add_downtime(self, announced: Downtime) -> None:
        """Remember an announcement; one that begins at the same time replaces the earlier one."""
        row = {
            "site": announced.site,
            "begins": announced.begins,
            "ends": announced.ends,
            "status": str(announced.status),
            "reason": announced.reason,
            "by": announced.by,
            "at": announced.at,
        }
        with self._db.write() as connection:
            statement = upsert(downtimes).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=["site", "begins"], set_=row))

    def forget_downtimes(self, site: str, now: float) -> None:
        """Forget those of a site that have not ended at `now`, seconds since the epoch."""
        with self._db.write() as connection:
            connection.execute(delete(downtimes).where(downtimes.c.site == site, downtimes.c.ends > now))
