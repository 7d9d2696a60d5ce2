"""The stage-out loop: look which outputs are due, decide which are copied now, copy, write down what became of them."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from router.decide.stageout import after, plan
from router.errors import LeaseLost
from router.loops.lease import Alone, Leader
from router.loops.write_tests import WriteTests
from router.model.policy import StageOutPolicy
from router.model.transfer import (
    Clear,
    Copy,
    Fault,
    GiveUp,
    Look,
    Recall,
    Send,
    Service,
    StageOutAction,
    StageOutCount,
    StageOutWorld,
    Transfer,
    TransferError,
)
from router.ports import Carrier, Clock, Mover, SentTransfers, Transfers

log = logging.getLogger(__name__)

TOGETHER = 1000
"""So many outcomes are written down in one transaction, at most …"""
TOGETHER_S = 1.0
"""… and those of so many seconds."""
PASS_S = 20.0
"""A pass begins no further copies after so many seconds."""
BEAT_S = 5.0
"""The lease is renewed so often while copies are under way."""

T = TypeVar("T")


@dataclass
class StageOut:
    """One stage-out agent: its mover, its policy, and what it has done."""

    memory: Transfers
    mover: Mover
    elements: frozenset[str]
    """The declared storage elements."""
    policy: StageOutPolicy
    clock: Clock
    leader: Leader = field(default_factory=Alone)
    sent: SentTransfers | None = None
    """What a transfer service has been given."""
    carrier: Carrier | None = None
    """The transfer service that brings some of the outputs."""
    monotonic: Callable[[], float] = time.monotonic
    first: Callable[[], object] = lambda: None
    """What is done at the beginning of every pass: removing parts makes room."""
    tests: WriteTests | None = None
    """Whether outputs can be written at all."""
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    """Copies since the start, by destination and by cause; the cause is empty where they arrived."""
    bytes: dict[str, int] = field(default_factory=dict)
    """Bytes that arrived since the start, by destination."""
    counts: tuple[StageOutCount, ...] = ()
    """All outputs by how far they are, at the end of the last pass."""
    placements: "StageOut | None" = None
    """Copies the files of datasets that many jobs wait for, after the outputs; None: nobody decides on any."""

    def step(self) -> list[StageOutAction]:
        """Do one pass: until nothing is due, or for some seconds. Returns what was done."""
        if not self.leader.lead():
            return []
        self.first()
        if self.tests:
            self.tests.step()
        done: list[StageOutAction] = []
        until = self.monotonic() + PASS_S
        arrived, looked = self.memory.transfers_arrived(self.policy.per_pass), False
        while actions := list(plan(self._observe(arrived, looked), self.policy)):
            heard = self._apply(actions, until)
            done += actions
            arrived, looked = (), True  # what could not be cleared is not tried again in this pass
            more = any(isinstance(action, Copy | Send) for action in actions)
            if self.monotonic() >= until or not (heard and more):
                break
        self.counts = self.memory.transfer_counts()
        return done + (self.placements.step() if self.placements else [])

    def _observe(self, arrived: tuple[Transfer, ...], looked: bool) -> StageOutWorld:
        now = self.clock.now()
        waiting = self.memory.transfers_due(now, self.policy.per_pass)
        service = self.carrier.service() if self.carrier else Service()
        known, sent = self.memory.destinations(), self.sent.transfers_sent() if self.sent else ()
        return StageOutWorld(now, waiting, arrived, self.elements, known, service, sent, looked)

    def _apply(self, actions: Sequence[StageOutAction], until: float) -> bool:
        """Do what was decided; returns whether the transfer service answered all the time."""
        self._clear([action.transfer for action in actions if isinstance(action, Clear)])
        if given_up := [(each.transfer, each.fault) for each in actions if isinstance(each, GiveUp)]:
            self._settle(given_up)
        self._copy([action.transfer for action in actions if isinstance(action, Copy)], until)
        try:
            for action in actions:
                if isinstance(action, Send | Look | Recall):
                    self._ask(action)
        except TransferError as error:  # it keeps what it has, and is asked again in the next pass
            log.warning("the transfer service: %s", error)
            return False
        return True

    def _ask(self, action: Send | Look | Recall) -> None:
        if isinstance(action, Recall):
            if self.carrier:
                self.carrier.recall(action.bulk)
            self._settle([(each, action.fault) for each in action.transfers])
        elif self.carrier and self.sent:
            wanted = action.transfers
            if isinstance(action, Send):
                wanted = self.sent.send_transfers(wanted, action.bulk, self.clock.now())
            self._write_down(self.carrier.carry(action.bulk, wanted))

    def _copy(self, wanted: Sequence[Transfer], until: float) -> None:
        if not wanted or self.monotonic() >= until:
            return
        begun = self.memory.begin_transfers(wanted, self.clock.now())
        self._write_down(self.mover.move(begun))

    def _write_down(self, outcomes: Iterator[tuple[Transfer, Fault | None] | None]) -> None:
        for together in self._gathered(outcomes):
            self._clear([each for each in self._settle(together) if not each.stays])

    def _gathered(self, outcomes: Iterator[T | None]) -> Iterator[list[T]]:
        """Outcomes in groups that are written down together; the lease is renewed meanwhile."""
        group: list[T] = []
        begun = beat = self.monotonic()
        for each in outcomes:
            now = self.monotonic()
            if now >= beat + BEAT_S:
                beat = now
                if not self.leader.lead():
                    raise LeaseLost("Another stage-out agent has taken over; it goes on with what was begun.")
            if each is not None:
                group.append(each)
            if group and (len(group) == TOGETHER or now >= begun + TOGETHER_S):
                yield group
                group, begun = [], self.monotonic()
        if group:
            yield group

    def _settle(self, outcomes: Sequence[tuple[Transfer, Fault | None]]) -> Sequence[Transfer]:
        """Write down how copies ended; returns those whose output is registered at its destination now."""
        now = self.clock.now()
        copied = [(each, self.mover.replica(each)) for each, fault in outcomes if fault is None]
        failed = [after(each, fault, now, self.policy) for each, fault in outcomes if fault]
        arrived = self.memory.settle_transfers(copied, failed, now)
        for each in arrived:
            self._count(each.destination, "")
            self.bytes[each.destination] = self.bytes.get(each.destination, 0) + each.file.size
        for each in failed:
            self._count(each.destination, each.cause)
            log.warning("%s to %s, try %d: %s: %s", each.file.lfn, each.destination, each.tries, each.cause, each.words)
        return arrived

    def _count(self, destination: str, cause: str) -> None:
        self.outcomes[destination, cause] = self.outcomes.get((destination, cause), 0) + 1

    def _clear(self, arrived: Sequence[Transfer]) -> None:
        """Remove what is left at the sources. What cannot be removed now is tried in the next pass."""
        done = []
        for each in arrived:
            try:
                self.mover.clear(each)
            except TransferError as error:
                log.warning("%s stays at %s: %s", each.file.lfn, each.source, error)
                continue
            done.append(each)
        if done:
            self.memory.clear_transfers(done, self.clock.now())
