"""The luminosity sections of files."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Column, Connection, ForeignKey, Integer, Table, delete, insert, select

from router.errors import NotFound, UserError
from router.model.lumis import Lumis
from router.store.bulk import chunks
from router.store.schema import FOLLOW, Database, files, metadata

file_lumis = Table(
    "file_lumis",
    metadata,
    Column("lfn", ForeignKey("files.lfn", onupdate=FOLLOW), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    sqlite_with_rowid=False,
)


class LumiSections:
    """Knows which luminosity sections files hold."""

    _db: Database

    def lumis(self, lfns: Sequence[str]) -> dict[str, Lumis]:
        """The sections of those of `lfns` that say theirs."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        with self._db.read() as connection:
            for part in chunks(lfns):
                for row in connection.execute(select(file_lumis).where(file_lumis.c.lfn.in_(part))):
                    found.setdefault(row.lfn, []).append((row.run, row.first, row.last))
        return {lfn: Lumis.of(ranges) for lfn, ranges in found.items()}

    def set_lumis(self, said: Mapping[str, Lumis], user: str) -> None:
        """Say which sections files hold; all of it happens, or nothing.

        Raises NotFound for a file that is not registered, UserError for one that is not the user's.
        """
        with self._db.write() as connection:
            owners = {
                row.lfn: row.owner
                for part in chunks(list(said))
                for row in connection.execute(select(files.c.lfn, files.c.owner).where(files.c.lfn.in_(part)))
            }
            for lfn in said:
                if (owner := owners.get(lfn)) is None:
                    raise NotFound(f"There is no file {lfn}. `glideroute ls` lists the files.")
                if owner != user:
                    raise UserError(f"{lfn} is not yours: {owner} owns it, and alone says what it holds.")
            write_lumis(connection, said)


def write_lumis(connection: Connection, said: Mapping[str, Lumis]) -> None:
    """Put sections of files in the place of those that were said before."""
    for part in chunks(list(said)):
        connection.execute(delete(file_lumis).where(file_lumis.c.lfn.in_(part)))
    rows = [
        {"lfn": lfn, "run": run, "first": first, "last": last}
        for lfn, lumis in said.items()
        for run, first, last in lumis.ranges
    ]
    if rows:
        connection.execute(insert(file_lumis), rows)
