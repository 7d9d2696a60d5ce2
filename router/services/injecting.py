"""Putting one cluster into the queue, once: what was not answered is looked for before it is said to have failed."""

from router.errors import OutcomeUnknown
from router.model.task import Task
from router.ports import Pool
from router.render.jdl import Injection


def inject(pool: Pool, user: str, task: Task, injection: Injection, again: bool = False) -> int:
    """Inject one cluster of a task as `user`; returns its id.

    Raises OutcomeUnknown where there was no answer and it is not in the queue, or where `again` says that what is there
    may be an earlier one.
    """
    try:
        return pool.submit(injection.text, [dict(item) for item in injection.items])
    except OutcomeUnknown:
        found = pool.clusters(task.id, user).get(injection.batch)
        if found is None or again:
            raise
        return found
