"""Parts that merged files hold and that are not kept: named, taken out of the catalogue, then removed from storage."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, String, Table, and_, delete, func, or_, select

from router.model.audit import AuditEntry
from router.model.entry import ReplicaState
from router.model.files import File, Located
from router.model.merging import PARTIAL, PartCopy
from router.model.transfer import TransferState
from router.store import audit
from router.store.bulk import chunks
from router.store.catalogue import located
from router.store.namespace_schema import retired_copies
from router.store.removing import bury
from router.store.schema import (
    NAME,
    Database,
    batch_inputs,
    batches,
    dataset_files,
    ended,
    files,
    metadata,
    replicas,
    tasks,
    upsert,
)
from router.store.transfers import transfers

AGENT = "stageout"

joined_parts = Table(
    "joined_parts",
    metadata,
    Column("lfn", NAME, primary_key=True),
    Column("task", String(96), nullable=False),
    Column("merged", NAME, nullable=False),
    Index("joined_parts_by_merged", "merged"),
)
"""Parts that may go when what joins them is verified; `merged` holds all of a task's."""


class JoinedParts:
    """Knows which parts are not kept, and how far they are gone."""

    _db: Database

    def note_joined(self, task: str, merged: str, parts: Sequence[str]) -> None:
        """Remember that parts of a task are in a file, or will be, and need not be kept then; twice is once."""
        rows = [{"lfn": lfn, "task": task, "merged": merged} for lfn in parts]
        if rows:
            with self._db.write() as connection:
                connection.execute(upsert(joined_parts).on_conflict_do_nothing(), rows)

    def merged_with_parts(self) -> tuple[Located, ...]:
        """Merged files that are where they stay and still have parts, which no merge that was asked for is to read."""
        moving = select(transfers.c.lfn).where(
            transfers.c.lfn == joined_parts.c.merged,
            transfers.c.state.in_((TransferState.WAITING, TransferState.SENT)),
        )
        over = select(ended.c.cluster).where(ended.c.cluster == batches.c.cluster)
        read = select(batches.c.key).where(
            batches.c.task == joined_parts.c.task, batches.c.key.like(f"{PARTIAL}%-%"), ~over.exists()
        )
        query = select(joined_parts.c.merged).where(~moving.exists(), ~read.exists()).distinct()
        with self._db.read() as connection:
            return tuple(located(connection, list(connection.execute(query).scalars())))

    def parts_joined(self, merged: str) -> tuple[Located, ...]:
        """The parts of a merged file that may go: none that is in a dataset, or that another task reads."""
        members = select(dataset_files.c.lfn).where(dataset_files.c.lfn == joined_parts.c.lfn)
        readers = select(batch_inputs.c.lfn).where(
            batch_inputs.c.lfn == joined_parts.c.lfn, batch_inputs.c.task != joined_parts.c.task
        )
        query = select(joined_parts.c.lfn).where(joined_parts.c.merged == merged, ~members.exists(), ~readers.exists())
        with self._db.read() as connection:
            return tuple(located(connection, list(connection.execute(query.order_by(joined_parts.c.lfn)).scalars())))

    def retire_parts(self, merged: File, parts: Sequence[Located], now: float) -> int:
        """Take parts out of the catalogue, whose bytes are then to be removed; all of it happens, or nothing.

        Returns how many: none where the catalogue has another file of that name by now, or no copy of it.
        """
        with self._db.write() as connection:
            names = _still_there(connection, merged, [each.file.lfn for each in parts])
            task = _task_of(connection, names)
            copies = [
                {"lfn": each.file.lfn, "se": replica.se, "task": task, "at": now}
                for each in parts
                if each.file.lfn in names
                for replica in each.replicas
            ]
            if not copies:
                return 0
            connection.execute(upsert(retired_copies).on_conflict_do_nothing(), copies)
            for part in chunks(sorted(names)):
                # Copies first: who restores a part later gets none, for its bytes are gone.
                for table in (replicas, joined_parts):
                    connection.execute(delete(table).where(table.c.lfn.in_(part)))
            bury(connection, sorted(names), AGENT, now)
            audit.append(connection, [_entry(task, merged, len(names), now)])
            return len(names)

    def retired(self, most: int) -> tuple[PartCopy, ...]:
        """Copies that the catalogue has no more and whose bytes are still to be removed, the oldest first."""
        # A name that was given again there has other bytes, or those that another file is said to have.
        again = and_(replicas.c.lfn == retired_copies.c.lfn, replicas.c.se == retired_copies.c.se)
        query = select(retired_copies.c.lfn, retired_copies.c.se).where(~select(replicas.c.lfn).where(again).exists())
        query = query.order_by(retired_copies.c.at, retired_copies.c.lfn)
        with self._db.read() as connection:
            return tuple(PartCopy(*row) for row in connection.execute(query.limit(most)))

    def removed(self, copies: Sequence[PartCopy]) -> None:
        """Remember that nothing is left of copies."""
        with self._db.write() as connection:
            for part in chunks(copies):
                gone = or_(*(and_(retired_copies.c.lfn == each.lfn, retired_copies.c.se == each.se) for each in part))
                connection.execute(delete(retired_copies).where(gone))

    def retired_of(self, task: str) -> int:
        """Copies of a task's parts whose bytes are still to be removed."""
        query = select(func.count()).select_from(retired_copies).where(retired_copies.c.task == task)
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()


def _still_there(connection: Connection, merged: File, wanted: Sequence[str]) -> frozenset[str]:
    """Those of the parts that are still joined, where the merged file is the one that was verified."""
    same = and_(files.c.lfn == merged.lfn, files.c.size == merged.size, files.c.adler32 == merged.adler32)
    copy = and_(replicas.c.lfn == files.c.lfn, replicas.c.state == ReplicaState.AVAILABLE)
    if connection.execute(select(files.c.lfn).where(same, select(replicas.c.lfn).where(copy).exists())).first() is None:
        return frozenset()
    query = select(joined_parts.c.lfn).join(files, files.c.lfn == joined_parts.c.lfn)
    return frozenset(
        lfn
        for part in chunks(wanted)
        for lfn in connection.execute(
            query.where(joined_parts.c.merged == merged.lfn, joined_parts.c.lfn.in_(part))
        ).scalars()
    )


def _task_of(connection: Connection, names: frozenset[str]) -> str:
    first = min(names, default="")
    query = select(tasks.c.id).join(joined_parts, joined_parts.c.task == tasks.c.id).where(joined_parts.c.lfn == first)
    return connection.execute(query).scalar() or ""


def _entry(task: str, merged: File, count: int, now: float) -> AuditEntry:
    words = f"{count} part(s), which {merged.lfn} ({merged.size} bytes, adler32 {merged.adler32}) holds"
    return AuditEntry(now, AGENT, "remove parts", f"task {task}", "done", words, task=task)
