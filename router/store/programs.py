"""Which program each task runs, so that what it took before is found again."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, insert, select

from router.store.schema import Database, metadata, tasks

task_programs = Table(
    "task_programs",
    metadata,
    Column("task", ForeignKey("tasks.id"), primary_key=True),
    Column("digest", String(64), nullable=False),
    Index("task_programs_by_digest", "digest"),
)


class Programs:
    """Knows tasks by the program they run."""

    _db: Database

    def note_program(self, task: str, digest: str) -> None:
        """Remember the SHA-256 of the program that a task runs."""
        with self._db.write() as connection:
            connection.execute(insert(task_programs).values(task=task, digest=digest))

    def tasks_of_program(self, digest: str, owner: str, limit: int) -> list[str]:
        """The owner's newest tasks that run a program, by their ids."""
        joined = task_programs.join(tasks, tasks.c.id == task_programs.c.task)
        theirs = (task_programs.c.digest == digest) & (tasks.c.owner == owner)
        query = select(tasks.c.id).select_from(joined).where(theirs).order_by(tasks.c.created.desc()).limit(limit)
        with self._db.read() as connection:
            return list(connection.execute(query).scalars())
