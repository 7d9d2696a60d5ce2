"""Whether outputs can be written to storage: what is tested when, and what a test means for who submits."""

from collections.abc import Iterable, Mapping

from router.model.policy import StageOutPolicy
from router.model.transfer import Fault, TransferCause, WriteTest

REFUSING = frozenset({TransferCause.PERMISSION, TransferCause.QUOTA})
"""Causes that seldom pass by themselves: outputs would be made, and never arrive."""
BELIEVED_S = 7200.0
"""An older test says nothing: perhaps no agent runs any more."""


def due(known: Mapping[str, WriteTest], elements: Iterable[str], now: float, policy: StageOutPolicy) -> tuple[str, ...]:
    """The storage elements to test now, sorted: what failed is tested as often as a bad destination is probed.

    Times of the future were written while the clock was wrong, and keep no test from being made.
    """
    if not policy.test_s:
        return ()

    def is_due(se: str) -> bool:
        last = known.get(se)
        every = min(policy.test_s, policy.probe_s) if last and last.cause else policy.test_s
        return last is None or not last.at <= now < last.at + every

    return tuple(se for se in sorted(elements) if is_due(se))


def result(before: WriteTest | None, se: str, fault: Fault | None, now: float, took_s: float) -> WriteTest:
    """What a test says, and since when it has been so."""
    cause, words = (fault.cause, fault.words) if fault else ("", "")
    since = before.since if before and before.cause == cause and before.since <= now else now
    return WriteTest(se, now, since, took_s, str(cause), words)


def refuses(test: WriteTest, now: float) -> bool:
    """Whether nothing that is to go there should be submitted."""
    return test.cause in REFUSING and abs(now - test.at) < BELIEVED_S


def warns(test: WriteTest, now: float) -> bool:
    """Whether outputs would have to wait for it as things are."""
    return bool(test.cause) and test.cause not in REFUSING and abs(now - test.at) < BELIEVED_S
