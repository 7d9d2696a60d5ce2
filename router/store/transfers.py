"""Transfers: outputs on their way to their destinations, and how copies to each destination went lately."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from router.model.files import File, Replica
from router.model.transfer import DESTINATIONS_FAULT, Destination, StageOutCount, Transfer, TransferState, WriteTest
from router.store.bulk import chunks
from router.store.schema import NAME, WHOLE, Database, metadata, replicas, upsert

transfers = Table(
    "transfers",
    metadata,
    Column("lfn", NAME, primary_key=True),
    Column("size", WHOLE, nullable=False),
    Column("adler32", String(8), nullable=False),
    Column("events", WHOLE, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("task", String(96), nullable=False),
    Column("job", String(16), nullable=False),
    Column("source", String(64), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("words", Text, nullable=False),
    Column("bulk", String(64), nullable=False, server_default=""),
    Column("changed", Float, nullable=False),
    Index("transfers_by_due", "state", "due"),
    Index("transfers_by_task", "task"),
)

destinations = Table(
    "transfer_destinations",
    metadata,
    Column("se", String(64), primary_key=True),
    Column("streak", Integer, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("words", Text, nullable=False),
    Column("at", Float, nullable=False),
)

write_tests = Table(
    "write_tests",
    metadata,
    Column("se", String(64), primary_key=True),
    Column("at", Float, nullable=False),
    Column("since", Float, nullable=False),
    Column("took_s", Float, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("words", Text, nullable=False),
)


class Transfers:
    """Remembers which outputs are to move, and how far each is."""

    def __init__(self, database: Database) -> None:
        """Keep the transfers in `database`."""
        self._db = database

    def hand_over(self, wanted: Sequence[Transfer], now: float) -> frozenset[str]:
        """Remember that outputs are to move; saying it twice is saying it once.

        Returns the names of those that are at their destination already. A file that is made again is moved again.
        Nothing moves before the catalogue has its copy at the source.
        """
        if not wanted:
            return frozenset()
        with self._db.write() as connection:
            known = _known(connection, [each.file.lfn for each in wanted])
            there = _at(connection, [(each.file.lfn, each.destination) for each in wanted])
            fresh, again, done = [], [], set()
            for each in {each.file.lfn: each for each in wanted}.values():
                old = known.get(each.file.lfn)
                if old is None:
                    fresh.append(_row(replace(each, due=now), now))
                elif _same(old, each) and each.file.lfn in there and old.state in _OVER:
                    done.add(each.file.lfn)
                elif not _same(old, each) or old.state not in _ON_ITS_WAY:
                    again.append(_row(replace(each, due=now, epoch=old.epoch + 1), now))
            if again:
                connection.execute(delete(transfers).where(transfers.c.lfn.in_([row["lfn"] for row in again])))
            if fresh or again:
                connection.execute(insert(transfers), [*fresh, *again])
        return frozenset(done)

    def transfers_due(self, now: float, most: int) -> tuple[Transfer, ...]:
        """Outputs whose copy is due and registered at the source, the longest due first."""
        registered = transfers.join(
            replicas, and_(replicas.c.lfn == transfers.c.lfn, replicas.c.se == transfers.c.source)
        )
        query = select(transfers).select_from(registered)
        query = query.where(transfers.c.state == TransferState.WAITING, transfers.c.due <= now)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(transfers.c.due, transfers.c.lfn).limit(most))
            return tuple(_transfer(row) for row in rows)

    def transfers_arrived(self, most: int) -> tuple[Transfer, ...]:
        """Outputs that are at their destination, and whose bytes at the source are still to be removed."""
        query = select(transfers).where(transfers.c.state == TransferState.ARRIVED).limit(most)
        with self._db.read() as connection:
            return tuple(_transfer(row) for row in connection.execute(query))

    def begin_transfers(self, wanted: Sequence[Transfer], now: float) -> tuple[Transfer, ...]:
        """Remember that copies begin; returns the transfers as they are then."""
        begun = [replace(each, epoch=each.epoch + 1) for each in wanted]
        with self._db.write() as connection:
            _set(connection, wanted, TransferState.WAITING, now, epoch=transfers.c.epoch + 1)
        return tuple(begun)

    def send_transfers(self, wanted: Sequence[Transfer], bulk: str, now: float) -> tuple[Transfer, ...]:
        """Remember that a transfer service is about to get outputs under one name; returns them as they are then."""
        told = {"state": TransferState.SENT, "bulk": bulk, "due": now}
        with self._db.write() as connection:
            _set(connection, wanted, TransferState.WAITING, now, epoch=transfers.c.epoch + 1, **told)
        return tuple(
            replace(each, epoch=each.epoch + 1, state=TransferState.SENT, bulk=bulk, due=now) for each in wanted
        )

    def transfers_sent(self) -> tuple[Transfer, ...]:
        """What the transfer service has, the longest given first."""
        query = select(transfers).where(transfers.c.state == TransferState.SENT)
        with self._db.read() as connection:
            return tuple(map(_transfer, connection.execute(query.order_by(transfers.c.due, transfers.c.lfn))))

    def settle_transfers(
        self, arrived: Sequence[tuple[Transfer, Replica]], failed: Sequence[Transfer], now: float
    ) -> tuple[Transfer, ...]:
        """Remember copies that arrived, each with its new replica, and what becomes of those that failed.

        All of it happens, or nothing: the catalogue gets the copy at the destination and loses that at the source.
        Returns the outputs of which this is now so: not those that were made again, and handed over anew, meanwhile.
        """
        with self._db.write() as connection:
            known = _epochs(connection, [each.file.lfn for each, _ in arrived])
            valid = [(each, copy) for each, copy in arrived if known.get(each.file.lfn) == each.epoch]
            there = _at(connection, [(each.file.lfn, copy.se) for each, copy in valid])
            rows = [
                {"lfn": each.file.lfn, "se": copy.se, "site": copy.site, "pfn": copy.pfn}
                for each, copy in valid
                if each.file.lfn not in there
            ]
            if rows:
                connection.execute(insert(replicas), rows)
            moved = [each for each, _ in valid]
            for source in {each.source for each in moved}:
                for part in chunks([each.file.lfn for each in moved if each.source == source]):
                    at_source = and_(replicas.c.lfn.in_(part), replicas.c.se == source)
                    connection.execute(delete(replicas).where(at_source))
            arrival = {"state": TransferState.ARRIVED, "cause": "", "words": "", "due": 0.0, "bulk": ""}
            for state in _ON_ITS_WAY:
                _set(connection, [each for each in moved if each.state is state], state, now, **arrival)
            _fail(connection, failed, now)
            note_destinations(connection, moved, failed, now)
        return tuple(moved)

    def clear_transfers(self, done: Sequence[Transfer], now: float) -> None:
        """Remember that nothing is left of outputs at their sources."""
        with self._db.write() as connection:
            _set(connection, done, TransferState.ARRIVED, now, state=TransferState.MOVED)

    def retry_transfers(self, task: str, now: float) -> int:
        """Try the failed transfers of a task again, and those that wait at once. Returns how many."""
        mine = and_(transfers.c.task == task, transfers.c.state.in_((TransferState.FAILED, TransferState.WAITING)))
        with self._db.write() as connection:
            values = {"state": TransferState.WAITING, "tries": 0, "due": now, "changed": now}
            return connection.execute(update(transfers).where(mine).values(values)).rowcount

    def transfer_counts(self, task: str = "") -> tuple[StageOutCount, ...]:
        """The outputs of a task, or of all, by how far they are."""
        alike = (transfers.c.state, transfers.c.destination, transfers.c.cause)
        query = select(*alike, func.min(transfers.c.words), func.count(), func.min(transfers.c.due)).group_by(*alike)
        if task:
            query = query.where(transfers.c.task == task)
        with self._db.read() as connection:
            return tuple(
                StageOutCount(TransferState(state), destination, cause, words, count, due)
                for state, destination, cause, words, count, due in connection.execute(query.order_by(*alike))
            )

    def transferring_jobs(self, task: str) -> int:
        """Jobs of a task of which an output has not arrived yet, and is still tried."""
        mine = and_(transfers.c.task == task, transfers.c.state.in_(_ON_ITS_WAY))
        with self._db.read() as connection:
            return connection.execute(select(func.count(transfers.c.job.distinct())).where(mine)).scalar_one()

    def destinations(self) -> dict[str, Destination]:
        """How copies to each storage element went lately."""
        with self._db.read() as connection:
            return read_destinations(connection)

    def write_tests(self) -> dict[str, WriteTest]:
        """The last test of each storage element, whether outputs can be written to it."""
        with self._db.read() as connection:
            return {row.se: WriteTest(*row) for row in connection.execute(select(write_tests))}

    def record_write_test(self, test: WriteTest) -> None:
        """Remember a test in the place of the one before."""
        row = asdict(test)
        with self._db.write() as connection:
            connection.execute(upsert(write_tests).values(row).on_conflict_do_update(index_elements=["se"], set_=row))


_ON_ITS_WAY = (TransferState.WAITING, TransferState.SENT)
_OVER = (TransferState.ARRIVED, TransferState.MOVED)


def _same(old: Transfer, new: Transfer) -> bool:
    told = (old.file.size, old.file.adler32, old.source, old.destination)
    return told == (new.file.size, new.file.adler32, new.source, new.destination)


def _epochs(connection: Connection, lfns: Sequence[str]) -> dict[str, int]:
    """The epochs of the outputs that are not at their destination yet."""
    columns = (transfers.c.lfn, transfers.c.epoch)
    return {
        lfn: epoch
        for part in chunks(lfns)
        for lfn, epoch in connection.execute(
            select(*columns).where(transfers.c.lfn.in_(part), transfers.c.state.in_(_ON_ITS_WAY))
        )
    }


def _known(connection: Connection, lfns: Sequence[str]) -> dict[str, Transfer]:
    return {
        row.lfn: _transfer(row)
        for part in chunks(lfns)
        for row in connection.execute(select(transfers).where(transfers.c.lfn.in_(part)))
    }


def _at(connection: Connection, wanted: Sequence[tuple[str, str]]) -> set[str]:
    """The names of files that have a copy where it is wanted."""
    columns = select(replicas.c.lfn, replicas.c.se)
    held: set[tuple[str, str]] = set()
    for part in chunks([lfn for lfn, _ in wanted]):
        held.update((lfn, se) for lfn, se in connection.execute(columns.where(replicas.c.lfn.in_(part))))
    return {lfn for lfn, se in wanted if (lfn, se) in held}


def _set(connection: Connection, of: Sequence[Transfer], seen: TransferState, now: float, **values: Any) -> None:
    """Write the same values into transfers that still are as they were `seen`."""
    for part in chunks([each.file.lfn for each in of]):
        same = and_(transfers.c.lfn.in_(part), transfers.c.state == seen)
        connection.execute(update(transfers).where(same).values({**values, "changed": now}))


def _fail(connection: Connection, failed: Sequence[Transfer], now: float) -> None:
    """Write down copies that failed, where they are the last ones of their outputs."""
    for each in failed:
        last = and_(
            transfers.c.lfn == each.file.lfn,
            transfers.c.epoch == each.epoch,
            transfers.c.state.in_(_ON_ITS_WAY),
        )
        values = {name: getattr(each, name) for name in ("state", "tries", "due", "cause", "words", "bulk")}
        connection.execute(update(transfers).where(last).values({**values, "changed": now}))


def read_destinations(connection: Connection) -> dict[str, Destination]:
    """How copies to each storage element went lately."""
    return {row.se: Destination(*row) for row in connection.execute(select(destinations))}


def note_destinations(
    connection: Connection, arrived: Sequence[Transfer], failed: Sequence[Transfer], now: float
) -> None:
    """Count the copies in a row that failed for each destination."""
    known = read_destinations(connection)
    told: dict[str, Destination] = {}
    for each in failed:
        if each.cause not in DESTINATIONS_FAULT:
            continue
        before = told.get(each.destination) or known.get(each.destination) or Destination(each.destination)
        told[each.destination] = Destination(each.destination, before.streak + 1, each.cause, each.words, now)
    for se in {each.destination for each in arrived}:
        told[se] = replace(told.get(se) or known.get(se) or Destination(se), streak=0)
    for se, new in told.items():
        values = {"streak": new.streak, "cause": new.cause, "words": new.words, "at": new.at}
        if se in known:
            connection.execute(update(destinations).where(destinations.c.se == se).values(values))
        else:
            connection.execute(insert(destinations).values(se=se, **values))


def _row(transfer: Transfer, now: float) -> dict[str, object]:
    file = transfer.file
    told = ("owner", "task", "job", "source", "destination", "state", "epoch", "tries", "due", "cause", "words", "bulk")
    row = {name: getattr(transfer, name) for name in told}
    return {**row, "lfn": file.lfn, "size": file.size, "adler32": file.adler32, "events": file.events, "changed": now}


def _transfer(row: Row[Any]) -> Transfer:
    """A row as it is selected; by the order of the columns, since thousands are read in a pass."""
    lfn, size, adler32, events, owner, task, job, source, destination, state, *rest, _ = tuple(row)
    return Transfer(
        File(lfn, size, adler32, events), owner, task, job, source, destination, TransferState(state), *rest
    )
