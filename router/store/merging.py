"""Merge jobs of which it is known beforehand what they join."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from router.model.entry import ReplicaState
from router.model.merging import PARTIAL
from router.model.task import MERGE_BATCH
from router.model.world import TaskProgress
from router.store.schema import Database, batch_inputs, batches, ended, replicas


class MergeBook:
    """Knows which files each merge job of a tree joins."""

    _db: Database

    def add_merge_nodes(self, task: str, joined: Mapping[str, Sequence[str]]) -> None:
        """Remember merge jobs by batch, with the files each joins; saying it twice is saying it once."""
        planned = [{"task": task, "key": key, "jobs": 1} for key in joined]
        read = [{"task": task, "batch": key, "lfn": lfn} for key, lfns in joined.items() for lfn in lfns]
        with self._db.write() as connection:
            if planned:
                connection.execute(upsert(batches).on_conflict_do_nothing(), planned)
                connection.execute(upsert(batch_inputs).on_conflict_do_nothing(), read)

    def plan_merge(self, task: str, batch: str, joined: Sequence[str]) -> None:
        """Remember a merge job that is not injected yet, with the files it joins and no others."""
        mine = and_(batch_inputs.c.task == task, batch_inputs.c.batch == batch)
        with self._db.write() as connection:
            row = {"task": task, "key": batch, "jobs": 1}
            connection.execute(upsert(batches).values(row).on_conflict_do_nothing())
            connection.execute(delete(batch_inputs).where(mine))
            connection.execute(insert(batch_inputs), [{"task": task, "batch": batch, "lfn": lfn} for lfn in joined])

    def joins(self, task: str, batch: str) -> frozenset[str]:
        """The logical names of the files that a merge job joins."""
        query = select(batch_inputs.c.lfn).where(batch_inputs.c.task == task, batch_inputs.c.batch == batch)
        with self._db.read() as connection:
            return frozenset(connection.execute(query).scalars())


def is_partial() -> ColumnElement[bool]:
    """Batches that merge what was there when somebody asked."""
    return batches.c.key.like(f"{PARTIAL}%-%")


def node_progress(connection: Connection) -> list[TaskProgress]:
    """How many of its files are there, of each merge job that knows its files, is injected and has not ended."""
    return [TaskProgress(*row) for row in connection.execute(_NODE_PROGRESS)]


def _node_progress() -> Select[Any]:
    mine = and_(batch_inputs.c.task == batches.c.task, batch_inputs.c.batch == batches.c.key)
    there = replicas.c.lfn.in_(select(batch_inputs.c.lfn).where(mine).correlate(batches))
    expected = select(func.count()).select_from(batch_inputs).where(mine).scalar_subquery()
    finished = (
        select(func.count(func.distinct(replicas.c.lfn)))
        .where(there, replicas.c.state == ReplicaState.AVAILABLE)
        .scalar_subquery()
    )
    over = select(ended.c.cluster).where(ended.c.cluster == batches.c.cluster).exists()
    return select(batches.c.task, expected, finished, batches.c.cluster).where(
        or_(batches.c.key.like(f"{MERGE_BATCH}%-%-%"), is_partial()), batches.c.cluster.is_not(None), ~over
    )


_NODE_PROGRESS = _node_progress()
"""Made once: every pass asks."""
