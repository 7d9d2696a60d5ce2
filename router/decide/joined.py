"""Which parts need not be kept once the file that joins them is there."""

import re
from collections.abc import Iterable

from router.model.job import EndedJob
from router.model.merging import is_node
from router.model.task import MERGE_BATCH, Task, merges


def joined(task: Task, job: EndedJob, inputs: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The file that will hold all of an output, and the parts that a merge job of it has read; nothing where they stay.

    What a report names besides outputs of the task's own jobs is left out.
    """
    if job.batch != MERGE_BATCH and not is_node(job.batch):
        return "", ()
    output = dict(merges(task.payload)).get(job.job.partition("-")[0], "")
    if not any(each.name == output and not each.keep_parts for each in task.payload.outputs):
        return "", ()
    before, after = (re.escape(each) for each in task.output(output, "\n").split("\n"))
    part = re.compile(rf"{before}(\d{{4,}}|{MERGE_BATCH}\d*-\d+-\d+){after}")
    return task.output(output, "merged"), tuple(sorted({lfn for lfn in inputs if part.fullmatch(lfn)}))
