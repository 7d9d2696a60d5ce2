"""Which files a task has left: of each output the merged one, or those of its jobs, and how many are missing yet."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router.decide.stages import LAST
from router.errors import TemporaryError
from router.model.files import Located
from router.model.merging import is_merge
from router.model.task import Task, numbered
from router.ports import UserMemory


@dataclass(frozen=True, slots=True)
class Left:
    """What a task has left of one of its outputs."""

    output: str
    """As the payload calls it."""
    files: tuple[Located, ...]
    merged: bool
    """Whether that is the one file that a merge job made."""
    missing: int = 0
    """Jobs that have not left it."""

    @property
    def joined(self) -> str:
        """What the jobs' files are called when they are joined here: `hist_partial.root` where some are missing."""
        return numbered(self.output, "partial" if self.missing else "merged")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a task has left, output by output."""

    task: Task
    left: tuple[Left, ...]

    @property
    def files(self) -> tuple[Located, ...]:
        """All files."""
        return tuple(file for each in self.left for file in each.files)

    @property
    def merged(self) -> bool:
        """Whether every output is the merged one."""
        return bool(self.left) and all(each.merged for each in self.left)

    @property
    def missing(self) -> int:
        """Jobs that have not left an output; of several outputs the most."""
        return max((each.missing for each in self.left), default=0)


def outputs_of(memory: UserMemory, files: Iterable[Located], task: Task, partial: bool = False) -> Outputs:
    """What a task has left, of the `files` below its directory; `partial`: its jobs' own, as many as there are.

    Raises TemporaryError where files are missing, unless the caller wants what there is.
    """
    known = {each.file.lfn: each for each in files}
    jobs = sum(batch.jobs for batch in memory.batches(task.id) if not is_merge(batch.key))
    found = Outputs(task, tuple(_left(task, each.name, known, jobs, partial) for each in task.payload.outputs))
    if not found.files:
        raise TemporaryError(f"{task.id} has no outputs yet. `glideroute status {task.id}` tells how far it is.")
    if not partial and not found.merged and (found.missing or grows(memory, task)):
        missing = f"{found.missing:,} of its {jobs:,} jobs have" if found.missing else "Jobs that will be added have"
        raise TemporaryError(
            f"{task.id} is not complete: {missing} not left their outputs. `glideroute status {task.id}` tells why; "
            f"`glideroute results --partial {task.id}` gets what there is."
        )
    return found


def grows(memory: UserMemory, task: Task) -> bool:
    """Whether jobs will be added to a task."""
    stage = memory.stage(task.id)
    return bool(stage) and stage not in LAST


def _left(task: Task, output: str, known: dict[str, Located], jobs: int, partial: bool) -> Left:
    whole = known.get(task.output(output, "merged"))
    files = tuple(of_jobs(task, output, known).values())
    if whole and (not partial or not files):  # parts need not be kept
        return Left(output, (whole,), merged=True)
    return Left(output, files, merged=False, missing=max(0, jobs - len(files)))


def of_jobs(task: Task, output: str, known: Mapping[str, Located]) -> dict[str, Located]:
    """The files that jobs left of an output, by the jobs' names."""
    before, after = (re.escape(each) for each in task.output(output, "\n").split("\n"))
    wanted = re.compile(rf"{before}(\d{{4,}}){after}")
    return {found[1]: located for lfn, located in sorted(known.items()) if (found := wanted.fullmatch(lfn))}
