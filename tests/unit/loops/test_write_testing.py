"""Storage is tested now and then, whatever it does, and what came of it is remembered."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fake_organisation import Organisation

from router.loops.write_tests import WAIT_S, WriteTests
from router.model.policy import StageOutPolicy
from router.model.transfer import Fault, TransferCause

FULL = Fault(TransferCause.QUOTA, "Disk quota exceeded")


@dataclass
class FakeTester:
    """Tests that end as they are told to, but those of storage that hangs."""

    faults: dict[str, Fault] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    begun: list[str] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    waited: list[float] = field(default_factory=list)

    def begin(self, se: str) -> None:
        if se not in self.under_way:
            self.under_way.add(se)
            self.begun.append(se)

    def ended(self, wait_s: float) -> Iterator[tuple[str, Fault | None, float]]:
        self.waited.append(wait_s)
        for se in sorted(self.under_way - self.hangs):
            self.under_way.discard(se)
            yield se, self.faults.get(se), 0.25


@dataclass
class Agent:
    organisation: Organisation
    tester: FakeTester = field(default_factory=FakeTester)

    def __post_init__(self) -> None:
        memory, clock = self.organisation.store, self.organisation.clock
        self.loop = WriteTests(memory, self.tester, frozenset({"A", "B"}), StageOutPolicy(), clock)

    def step(self, after_s: float = 0.0) -> dict[str, str]:
        """Do a pass; returns the causes that are remembered."""
        self.organisation.clock.pass_time(after_s)
        self.loop.step()
        return {se: test.cause for se, test in self.organisation.store.write_tests().items()}


@pytest.fixture
def agent(organisation: Organisation) -> Agent:
    return Agent(organisation)


def test_all_storage_is_tested_and_again_after_ten_minutes(agent: Agent) -> None:
    assert agent.step() == {"A": "", "B": ""}
    agent.step(after_s=599)
    assert agent.tester.begun == ["A", "B"]
    agent.step(after_s=1)
    assert agent.tester.begun == ["A", "B"] * 2
    assert agent.tester.waited == [WAIT_S, 0.0, WAIT_S]


def test_a_failure_is_told_once_and_its_end_too(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    agent.tester.faults["B"] = FULL
    assert agent.step() == {"A": "", "B": "quota"}
    agent.step(after_s=60)
    agent.tester.faults.clear()
    assert agent.step(after_s=60) == {"A": "", "B": ""}
    assert caplog.messages == [
        "nothing can be written to B (quota): Disk quota exceeded",
        "outputs can be written to B again",
    ]
    assert agent.tester.begun == ["A", "B", "B", "B"]
    assert [(each.se, each.took_s) for each in agent.loop.last] == [("A", 0.25), ("B", 0.25)]


def test_storage_that_hangs_keeps_nobody_and_is_told_of_when_it_answers(agent: Agent) -> None:
    agent.tester.hangs.add("A")
    agent.tester.faults["A"] = Fault(TransferCause.TIME_OUT, "no answer within 60 s")
    assert agent.step() == {"B": ""}
    agent.tester.hangs.clear()
    assert agent.step(after_s=30) == {"A": "time-out", "B": ""}
    assert agent.tester.begun == ["A", "B"]


def test_an_agent_that_starts_again_tests_what_is_due_and_knows_the_rest(agent: Agent) -> None:
    agent.step()
    again = Agent(agent.organisation)
    again.step(after_s=30)
    assert (again.tester.begun, len(again.loop.last)) == ([], 2)
