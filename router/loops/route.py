"""The route loop: observe, decide, apply, and remember why."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from router.decide.reconcile import decide
from router.decide.settle import settle
from router.errors import RouterError, TemporaryError
from router.loops.observe import Declared, observe
from router.model import report as reports
from router.model.action import Action, Place, Release, Wait
from router.model.job import EndedJob
from router.model.policy import BrokerPolicy
from router.model.record import DecisionRecord
from router.model.task import Task
from router.model.world import World
from router.ports import Clock, Memory, Pool, Reports

log = logging.getLogger(__name__)

REPORT_WAIT_S = 600
"""A report comes back with the job's output; file systems that are shared by network show it a little later."""


@dataclass
class Counts:
    """What the loop has done since it started, for the metrics."""

    decisions: dict[tuple[str, str], int] = field(default_factory=dict)
    """By kind and outcome."""
    moves: dict[str, int] = field(default_factory=dict)
    """Jobs moved, by the reason's tag."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Sites refused in decisions, by the reason's tag."""

    def add(self, action: Action, outcome: str) -> None:
        """Count one action."""
        kind = "move" if isinstance(action, Place) and action.is_move else type(action).__name__.lower()
        self.decisions[kind, outcome] = self.decisions.get((kind, outcome), 0) + 1
        if isinstance(action, Place) and action.is_move:
            tag = action.decision.tag
            self.moves[tag] = self.moves.get(tag, 0) + action.count
        for verdict in () if isinstance(action, Release) else action.verdicts:
            if verdict.refusal:
                self.refusals[verdict.refusal.tag] = self.refusals.get(verdict.refusal.tag, 0) + 1


@dataclass
class Route:
    """One router: its sources, its policy, and the last world it saw."""

    pool: Pool
    memory: Memory
    reports: Callable[[Task], Reports]
    sites: Sequence[Declared]
    policy: BrokerPolicy
    clock: Clock
    world: World | None = None
    counts: Counts = field(default_factory=Counts)

    def step(self) -> list[Action]:
        """Do one pass; returns what was done. Safe to repeat: what is already so is observed, not decided again."""
        self._learn()
        self.world = observe(self.pool, self.memory, self.sites, self.policy, self.clock.now())
        for number, outcome in settle(self.memory.open(), self.world.jobs):
            self.memory.settle(number, outcome)
        actions = list(decide(self.world, self.policy))
        return [action for action in self._news(actions) if self._apply(action)]

    def _learn(self) -> None:
        """Remember the jobs that ended since the last pass, and register what they left behind."""
        self.memory.record_ended(self.pool.ended(self.memory.last_ended()))
        for job, task in self.memory.unread_reports():
            self._read_report(job, task)

    def _read_report(self, job: EndedJob, task: Task) -> None:
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
            self.memory.register(found.outputs, task.owner, self.clock.now())
        except TemporaryError:
            raise
        except (ValueError, RouterError) as error:
            self._give_up(job, task, str(error))
            return
        self.memory.set_report(job, usable=True)

    def _give_up(self, job: EndedJob, task: Task, why: str) -> None:
        log.warning("the report of job %s of %s is not used: it %s", job.job, task.id, why)
        self.memory.set_report(job, usable=False)

    def _news(self, actions: Iterable[Action]) -> Iterable[Action]:
        """Without the waits whose reason stands in the log already."""
        actions = list(actions)
        waits = [action.cluster for action in actions if isinstance(action, Wait)]
        last = self.memory.newest(waits) if waits else {}
        return (a for a in actions if not (isinstance(a, Wait) and _said(last.get(a.cluster), a)))

    def _apply(self, action: Action) -> bool:
        number = self.memory.note(action, self.clock.now())
        try:
            outcome = self._do(action)
        except TemporaryError:
            self.memory.settle(number, "unknown")
            raise
        self.memory.settle(number, outcome)
        self.counts.add(action, outcome)
        log.info("%s, cluster %d: %s", outcome, action.cluster, words_of(action))
        return outcome == "applied"

    def _do(self, action: Action) -> str:
        match action:
            case Place():
                return "applied" if self.pool.place(action) else "superseded"
            case Wait():
                return "applied"
            case Release():
                return "applied" if self.pool.release(action.cluster, action.words) else "superseded"
            case _:
                assert_never(action)


def words_of(action: Action) -> str:
    """What an action says, in a line."""
    return f"{action.count} job(s) {action.decision.words}" if isinstance(action, Place) else action.words


def _said(last: DecisionRecord | None, wait: Wait) -> bool:
    return last is not None and last.kind == "wait" and last.words == wait.words
