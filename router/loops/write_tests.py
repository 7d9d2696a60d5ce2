"""Testing now and then whether outputs can be written to each storage element, before users learn that they cannot."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from router.decide.write_tests import due, result
from router.model.policy import StageOutPolicy
from router.model.transfer import WriteTest
from router.ports import Clock, WriteTester, WriteTestMemory

log = logging.getLogger(__name__)

WAIT_S = 2.0
"""A pass waits so long for the tests it began; what takes longer is told by a later one."""


@dataclass
class WriteTests:
    """What is tested, and what came of it."""

    memory: WriteTestMemory
    tester: WriteTester
    elements: Collection[str]
    """Storage elements to which outputs may be written."""
    policy: StageOutPolicy
    clock: Clock
    last: tuple[WriteTest, ...] = ()
    """The last test of each, for the metrics."""

    def step(self) -> None:
        """Begin the tests that are due, and write down those that have ended."""
        known = self.memory.write_tests()
        begun = due(known, self.elements, self.clock.now(), self.policy)
        for se in begun:
            self.tester.begin(se)
        for se, fault, took_s in self.tester.ended(WAIT_S if begun else 0.0):
            before = known.get(se)
            test = result(before, se, fault, self.clock.now(), took_s)
            self.memory.record_write_test(test)
            known = {**known, se: test}
            if test.cause and (before is None or before.cause != test.cause):
                log.warning("nothing can be written to %s (%s): %s", se, test.cause, test.words)
            elif before and before.cause and not test.cause:
                log.info("outputs can be written to %s again", se)
        self.last = tuple(known[se] for se in sorted(known) if se in self.elements)
