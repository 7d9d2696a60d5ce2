"""Jobs that came to a task after it was submitted, and those whose work they took over."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Column, ForeignKey, String, Table, and_, insert, select, update

from router.model.task import Batch
from router.store.schema import Database, batch_inputs, batches, metadata

added_jobs = Table(
    "added_jobs",
    metadata,
    Column("task", ForeignKey("tasks.id"), primary_key=True),
    Column("job", String(16), primary_key=True),
    Column("batch", String(64), nullable=False),
)

replaced_jobs = Table(
    "replaced_jobs",
    metadata,
    Column("task", ForeignKey("tasks.id"), primary_key=True),
    Column("job", String(16), primary_key=True),
)


class Additions:
    """Knows what was added to tasks."""

    _db: Database

    def add_batches(self, task: str, added: Sequence[Batch], replaced: Mapping[str, str]) -> None:
        """Remember batches before they are injected; `replaced` names the jobs, with their batches, whose work it is.

        All of it happens, or nothing.
        """
        with self._db.write() as connection:
            if added:
                rows = [{"task": task, "key": batch.key, "jobs": len(batch.chunks)} for batch in added]
                connection.execute(insert(batches), rows)
                jobs = [{"task": task, "job": c.job, "batch": batch.key} for batch in added for c in batch.chunks]
                connection.execute(insert(added_jobs), jobs)
            if read := list(_read(task, added)):
                connection.execute(insert(batch_inputs), read)
            for job, batch in replaced.items():
                connection.execute(insert(replaced_jobs).values(task=task, job=job))
                mine = and_(batches.c.task == task, batches.c.key == batch)
                connection.execute(update(batches).where(mine).values(jobs=batches.c.jobs - 1))

    def added(self, task: str) -> dict[str, str]:
        """The jobs that were added to a task, with their batches."""
        with self._db.read() as connection:
            query = select(added_jobs.c.job, added_jobs.c.batch).where(added_jobs.c.task == task)
            return {row.job: row.batch for row in connection.execute(query)}

    def replaced(self, task: str) -> frozenset[str]:
        """The jobs of a task whose work others took over."""
        with self._db.read() as connection:
            query = select(replaced_jobs.c.job).where(replaced_jobs.c.task == task)
            return frozenset(connection.execute(query).scalars())


def _read(task: str, added: Iterable[Batch]) -> Iterable[dict[str, str]]:
    for batch in added:
        for lfn in sorted({piece.located.file.lfn for chunk in batch.chunks for piece in chunk.pieces}):
            yield {"task": task, "batch": batch.key, "lfn": lfn}
