"""Jobs that came to a task after it was submitted, and those whose work they took over."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Column, ForeignKey, String, Table, and_, insert, select, update

from router.model.task import MERGE_BATCH, Batch
from router.store.schema import Database, batch_inputs, batches, metadata, upsert

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


task_stages = Table(
    "task_stages",
    metadata,
    Column("task", ForeignKey("tasks.id"), primary_key=True),
    Column("stage", String(16), nullable=False),
)


class Additions:
    """Knows what was added to tasks."""

    _db: Database

    def add_batches(self, task: str, added: Sequence[Batch], replaced: Mapping[str, str], stage: str = "") -> None:
        """Remember batches before they are injected; `replaced` names the jobs, with their batches, whose work it is.

        With them the stage that the task enters by it. All of it happens, or nothing.
        """
        with self._db.write() as connection:
            if stage:
                connection.execute(update(task_stages).where(task_stages.c.task == task).values(stage=stage))
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

    def set_stage(self, task: str, stage: str) -> None:
        """Remember how far a task that gets its jobs in stages is."""
        with self._db.write() as connection:
            row = {"task": task, "stage": stage}
            statement = upsert(task_stages).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=["task"], set_=row))

    def stage(self, task: str) -> str:
        """How far a task that gets its jobs in stages is; empty for any other."""
        with self._db.read() as connection:
            query = select(task_stages.c.stage).where(task_stages.c.task == task)
            return connection.execute(query).scalar() or ""

    def add_merge(self, task: str, jobs: int) -> None:
        """Remember that a task gets merge jobs, before they are injected; saying it twice is saying it once."""
        with self._db.write() as connection:
            row = {"task": task, "key": MERGE_BATCH, "jobs": jobs}
            connection.execute(upsert(batches).values(row).on_conflict_do_nothing())

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
