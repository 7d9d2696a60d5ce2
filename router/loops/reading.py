"""Reading what jobs report when they end, and registering what they left behind."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from router.decide.joined import joined
from router.decide.stageout import to_move
from router.errors import RouterError, TemporaryError
from router.model import report as reports
from router.model.files import Located
from router.model.job import EndedJob
from router.model.provenance import Maker
from router.model.task import Task
from router.ports import Clock, Memory, Reports

log = logging.getLogger(__name__)

REPORT_WAIT_S = 600
"""A report comes back with the job's output; file systems that are shared by network show it a little later."""


@dataclass(frozen=True, slots=True)
class ReportReader:
    """What believes a job's report only as far as its task allows."""

    memory: Memory
    reports: Callable[[Task], Reports]
    clock: Clock
    misplaced: Callable[[Located], str]
    """Why an output cannot be where it is said to be; empty where it can."""

    def read_all(self) -> None:
        """Read the reports of the jobs that ended; each is read once, or given up."""
        for job, task in self.memory.unread_reports():
            self._read(job, task)

    def _read(self, job: EndedJob, task: Task) -> None:
        if job.owner != task.owner:
            self._give_up(job, task, f"is {job.owner}'s, and the task is {task.owner}'s")
            return
        try:
            text = self.reports(task).report(job.job)
            if text is None:
                if self.clock.now() > job.ended + REPORT_WAIT_S:
                    self._give_up(job, task, "never came back")
                return
            found = reports.parse(text)
            if foreign := [each.file.lfn for each in found.outputs if not each.file.lfn.startswith(task.outputs + "/")]:
                raise ValueError(f"names an output outside {task.outputs}: {foreign[0]}")
            if fault := next((words for each in found.outputs if (words := self.misplaced(each))), ""):
                raise ValueError(fault)
            there = self.memory.hand_over(to_move(task, job, found.outputs), self.clock.now())
            outputs = [each for each in found.outputs if each.file.lfn not in there]
            maker = Maker(task.id, job.job, job.cluster, job.proc)
            self.memory.register(outputs, task.owner, self.clock.now(), maker)
            self.memory.note_joined(task.id, *joined(task, job, found.inputs))
        except TemporaryError:
            raise
        except (ValueError, RouterError) as error:
            self._give_up(job, task, str(error))
            return
        self.memory.set_report(job, usable=True)

    def _give_up(self, job: EndedJob, task: Task, why: str) -> None:
        log.warning("the report of job %s of %s is not used: it %s", job.job, task.id, why)
        self.memory.set_report(job, usable=False)
