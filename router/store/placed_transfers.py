"""Files of placed datasets as transfers, so that the stage-out agent copies them as it copies outputs.

They differ in what becomes of them: the source keeps its copy, and what `arrived` are copies that are to go again, of
which only the bytes are left.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from router.model.entry import ReplicaState
from router.model.files import File, Replica
from router.model.placement import PlacedState
from router.model.transfer import Destination, StageOutCount, Transfer, TransferState
from router.store import bulk
from router.store.placement_schema import placed_files
from router.store.placements import forget_empty
from router.store.schema import Database, files, replicas
from router.store.transfers import note_destinations, read_destinations

SHOWN = {
    PlacedState.WAITING: TransferState.WAITING,
    PlacedState.PLACED: TransferState.MOVED,
    PlacedState.FAILED: TransferState.FAILED,
    PlacedState.LEAVING: TransferState.ARRIVED,
}


class PlacedTransfers:
    """What the agent remembers and looks up of them."""

    def __init__(self, database: Database) -> None:
        """Read and write the copies in `database`."""
        self._db = database

    def transfers_due(self, now: float, most: int) -> tuple[Transfer, ...]:
        """Files whose copy is due and that can be read at their source, the longest due first."""
        readable = and_(
            replicas.c.lfn == placed_files.c.lfn,
            replicas.c.se == placed_files.c.source,
            replicas.c.state == ReplicaState.AVAILABLE,
        )
        query = _query().join(replicas, readable)
        query = query.where(placed_files.c.state == PlacedState.WAITING, placed_files.c.due <= now)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(placed_files.c.due, placed_files.c.lfn).limit(most))
            return tuple(_transfer(row) for row in rows)

    def transfers_arrived(self, most: int) -> tuple[Transfer, ...]:
        """Files whose copy is in the catalogue no more, and whose bytes are still to be removed."""
        query = _query().where(placed_files.c.state == PlacedState.LEAVING).limit(most)
        with self._db.read() as connection:
            return tuple(
                Transfer(_of(row), row.owner, "", "", row.se, row.se, TransferState.ARRIVED, path=row.path)
                for row in connection.execute(query)
            )

    def begin_transfers(self, wanted: Sequence[Transfer], now: float) -> tuple[Transfer, ...]:
        """Remember that copies begin; returns those that still are to be made, as they are then."""
        with self._db.write() as connection:
            for each in wanted:
                mine = and_(_same(each), placed_files.c.state == PlacedState.WAITING)
                told = {"epoch": placed_files.c.epoch + 1, "changed": now}
                connection.execute(update(placed_files).where(mine).values(told))
            known = _waiting(connection, wanted)
        return tuple(known[key] for each in wanted if (key := (each.file.lfn, each.destination)) in known)

    def settle_transfers(
        self, arrived: Sequence[tuple[Transfer, Replica]], failed: Sequence[Transfer], now: float
    ) -> tuple[Transfer, ...]:
        """Put copies that arrived into the catalogue, and remember what becomes of those that failed.

        Returns the files of which this is now so: not those that were given up, or are other files, meanwhile.
        """
        with self._db.write() as connection:
            known = _waiting(connection, [each for each, _ in arrived])
            done = []
            for each, copy in arrived:
                now_is = known.get((each.file.lfn, each.destination))
                if now_is is None or (now_is.epoch, now_is.file) != (each.epoch, each.file):
                    continue
                _register(connection, each, copy, now)
                done.append(each)
            for each in failed:
                last = and_(_same(each), placed_files.c.epoch == each.epoch)
                state = PlacedState.FAILED if each.state is TransferState.FAILED else PlacedState.WAITING
                told = {"tries": each.tries, "due": each.due, "cause": each.cause, "words": each.words}
                waiting = and_(last, placed_files.c.state == PlacedState.WAITING)
                connection.execute(update(placed_files).where(waiting).values({**told, "state": state, "changed": now}))
            note_destinations(connection, done, failed, now)
        return tuple(done)

    def clear_transfers(self, done: Sequence[Transfer], now: float) -> None:
        """Forget copies of which nothing is left."""
        with self._db.write() as connection:
            for each in done:
                mine = and_(_same(each), placed_files.c.state == PlacedState.LEAVING)
                connection.execute(delete(placed_files).where(mine))
            forget_empty(connection)

    def transfer_counts(self, task: str = "") -> tuple[StageOutCount, ...]:
        """All files by how far they are; of a task there are none."""
        alike = (placed_files.c.state, placed_files.c.se, placed_files.c.cause)
        query = select(*alike, func.min(placed_files.c.words), func.count(), func.min(placed_files.c.due))
        with self._db.read() as connection:
            rows = [] if task else connection.execute(query.group_by(*alike).order_by(*alike)).all()
            return tuple(StageOutCount(SHOWN[PlacedState(row[0])], *row[1:]) for row in rows)

    def destinations(self) -> Mapping[str, Destination]:
        """How copies to each storage element went lately, those of outputs included."""
        with self._db.read() as connection:
            return read_destinations(connection)


def _query() -> Any:
    return select(placed_files, files.c.size, files.c.adler32, files.c.events, files.c.owner).join(
        files, files.c.lfn == placed_files.c.lfn
    )


def _same(transfer: Transfer) -> Any:
    return and_(placed_files.c.lfn == transfer.file.lfn, placed_files.c.se == transfer.destination)


def _waiting(connection: Connection, wanted: Sequence[Transfer]) -> dict[tuple[str, str], Transfer]:
    lfns = sorted({each.file.lfn for each in wanted})
    return {
        (row.lfn, row.se): _transfer(row)
        for part in bulk.parts(connection, lfns)
        for row in connection.execute(
            _query().where(
                bulk.among(connection, placed_files.c.lfn, part), placed_files.c.state == PlacedState.WAITING
            )
        )
    }


def _register(connection: Connection, each: Transfer, copy: Replica, now: float) -> None:
    """Add a copy; where somebody has registered one there meanwhile, it is theirs."""
    there = select(replicas.c.se).where(replicas.c.lfn == each.file.lfn, replicas.c.se == copy.se)
    if connection.execute(there).first() is not None:
        connection.execute(delete(placed_files).where(_same(each)))
        return
    told = {"lfn": each.file.lfn, "se": copy.se, "site": copy.site, "pfn": copy.pfn, "state": ReplicaState.AVAILABLE}
    connection.execute(insert(replicas).values(told))
    arrival = {"state": PlacedState.PLACED, "cause": "", "words": "", "due": 0.0, "changed": now}
    connection.execute(update(placed_files).where(_same(each)).values(arrival))


def _of(row: Row[Any]) -> File:
    return File(row.lfn, row.size, row.adler32, row.events)


def _transfer(row: Row[Any]) -> Transfer:
    return Transfer(
        _of(row),
        *(row.owner, "", "", row.source, row.se, TransferState.WAITING),
        *(row.epoch, row.tries, row.due, row.cause, row.words),
        path=row.source_path if row.source_path != row.lfn else "",
        stays=True,
    )
