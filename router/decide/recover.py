"""Which finished jobs of a task have to be run again, because what they left is not there any more."""

from collections.abc import Collection, Iterable, Mapping

from router.model.job import EndedJob, JobState
from router.model.merging import is_node, is_partial
from router.model.task import MERGE_BATCH, Task, merges

MERGED = "merged"
"""What stands in a merged file's name where a job's name stands in others."""


def needed(task: Task, finished: Iterable[EndedJob]) -> dict[EndedJob, tuple[str, ...]]:
    """What has to be there of each finished job: nothing of a part that is merged, but the merged file."""
    done = [job for job in finished if job.state is JobState.FINISHED and not is_partial(job.batch)]
    joins = dict(merges(task.payload))
    merged = {joins[job.job] for job in done if job.batch == MERGE_BATCH and job.job in joins}
    parts = [output.name for output in task.payload.outputs if output.name not in merged]
    return {
        job: (task.output(joins[job.job], MERGED),)
        if job.batch == MERGE_BATCH and job.job in joins
        else tuple(task.output(name, job.job) for name in parts if _leaves(job, name, joins))
        for job in done
    }


def _leaves(job: EndedJob, name: str, joins: Mapping[str, str]) -> bool:
    """Whether a job leaves a part or a file called `name`: a merge job of a tree leaves what it joins alone."""
    return not is_node(job.batch) or joins.get(job.job.partition("-")[0]) == name


def lost(task: Task, finished: Iterable[EndedJob], there: Collection[str]) -> tuple[EndedJob, ...]:
    """The finished jobs that have to run again, given the names of all outputs that are `there`.

    Where a merged file is gone, so is the need for its parts: those that are not there are made again as well.
    """
    done = list(finished)
    wanted = needed(task, done)
    gone = {job for job, names in wanted.items() if not set(names) <= set(there)}
    joins = dict(merges(task.payload))
    unmerged = {name for job, name in merges(task.payload) if any(each.job == job and each in gone for each in done)}
    parts = {
        job
        for job in wanted
        if job.batch != MERGE_BATCH
        and any(task.output(name, job.job) not in there for name in unmerged if _leaves(job, name, joins))
    }
    return tuple(job for job in wanted if job in gone or job in parts)
