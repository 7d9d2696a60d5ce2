"""The route loop: observe, decide, apply, and remember why."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from router.decide.reconcile import decide
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
        actions = list(decide(self.world, self.policy))
        return [action for action in self._news(actions) if self._apply(action)]

    def _learn(self) -> None:
        """Remember the jobs that ended since the last pass, and register what they left behind."""
        self.memory.record_ended(self.pool.ended(self.memory.last_ended()))
        for job, task in self.memory.unread_reports():
            self._read_report(job, task)

    def _read_report(self, job: EndedJob, task: Task) -> None:
        try:
            text = self.reports(task).report(job.job)
            if text is None or job.owner != task.owner:
                return
            found = reports.parse(text)
            base = f"/user/{task.owner}/{task.id}/"
            if foreign := [each.file.lfn for each in found.outputs if not each.file.lfn.startswith(base)]:
                raise ValueError(f"names an output outside {base}: {foreign[0]}")
            self.memory.register(found.outputs, task.owner, self.clock.now())
        except TemporaryError:
            raise
        except (ValueError, RouterError) as error:
            log.warning("the report of job %s of %s is not used: it %s", job.job, task.id, error)
            return
        self.memory.set_report_read(job)

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
        log.info("%s %s: %s", outcome, type(action).__name__.lower(), action)
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


def _said(last: DecisionRecord | None, wait: Wait) -> bool:
    return last is not None and last.kind == "wait" and last.words == wait.words
