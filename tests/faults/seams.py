"""Where the simulation breaks: the deadline child and the store of one router, in front of the simulated ones."""

import math
from collections.abc import Callable
from typing import Any

from router.errors import LeaseLost, OutcomeUnknown, PoolUnreachable, TemporaryError
from router.model.event import Events
from router.ports import EventSource


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


class Channel:
    """The deadline child of one router, in front of the simulated schedd."""

    def __init__(self, simulation: Any, router: str) -> None:
        self._simulation, self._router = simulation, router

    def call(self, operation: str, *, deadline: float = 20.0, until: float = math.inf, **arguments: Any) -> Any:
        """What the child answers, or what a fault makes of it."""
        simulation, router = self._simulation, self._router
        simulation.interrupt(router, operation)
        simulation.freeze(router)
        if simulation.clock.now() >= until:
            simulation.note(f"{router} {operation}: the lease has run out")
            raise LeaseLost("simulated: late")
        if simulation.strikes("unreachable"):
            simulation.note(f"{router} {operation}: unreachable")
            raise PoolUnreachable("simulated: no connection")
        if operation == "edit_jobs":
            return self._edit(arguments["edits"])
        return self._ended(operation, self._answer(operation, arguments))

    def _answer(self, operation: str, arguments: dict[str, Any]) -> Any:
        schedd, router = self._simulation.schedd, self._router
        match operation:
            case "count_jobs" | "idle_jobs" | "query_jobs" | "act":
                return getattr(schedd, operation)(router, **arguments)
            case "history":
                return schedd.query_history(**arguments)
            case "collector_ads":
                if arguments["kind"] == "Schedd":
                    return [{"RecentDaemonCoreDutyCycle": 0.99 if self._simulation.strikes("busy") else 0.1}]
                ads = schedd.startd_ads(arguments["constraint"], arguments["attributes"])
                return self._simulation.collected(ads)
        raise AssertionError(operation)

    def _edit(self, edits: list[Any]) -> list[bool]:
        """Edit by edit: a call that is cut short has made some of them."""
        made = []
        for runs, attribute, text in edits:
            made.append(self._simulation.schedd.edit_job_list(self._router, runs, attribute, text))
            self._simulation.note(f"{self._router} sets {attribute} of {runs} to {text[:60]}: {made[-1]}")
            self._ended("edit_jobs", None)
            self._simulation.interrupt(self._router, "edit_jobs")
        return made

    def _ended(self, operation: str, answer: Any) -> Any:
        if self._simulation.strikes("lost_answer"):
            self._simulation.note(f"{self._router} {operation}: the answer is lost")
            raise OutcomeUnknown("simulated: no answer")
        return answer


class ShakyStore:
    """The store as one router sees it: it may fail before or after any call, and the router may be killed there."""

    def __init__(self, simulation: Any, router: str) -> None:
        self._simulation, self._router = simulation, router

    def __getattr__(self, name: str) -> Callable[..., Any]:
        simulation, router = self._simulation, self._router

        def call(*arguments: Any, **named: Any) -> Any:
            simulation.freeze(router, share=0.1)  # a pass calls it ten times as often
            simulation.fail_store(router, name)
            answer = simulation.asked(router, name)(*arguments, **named)
            if name == "set_report":
                simulation.witness.read_reports.add((arguments[0].cluster, arguments[0].proc))
            simulation.fail_store(router, name)
            return answer

        return call


class ShakyLog:
    """The event log as one router sees it: some of it comes late, and the router may be killed there."""

    def __init__(self, simulation: Any, router: str, reader: EventSource) -> None:
        self._simulation, self._router, self._reader = simulation, router, reader

    def read(self, after: str) -> Events:
        """The events after a position."""
        simulation, router = self._simulation, self._router
        simulation.kill(router, "the event log")
        simulation.log.write()
        if simulation.strikes("unreachable"):
            simulation.note(f"{router} the event log: it cannot be read")
            raise TemporaryError("simulated: no event log")
        found = self._reader.read(after)
        simulation.behind = found.behind
        if not found.whole:
            simulation.note(f"{router} reads lost={found.lost} skipped={found.skipped} behind={found.behind}")
        return found
