"""Trying whether a file can be written to storage, as outputs are: written, read back, named, removed."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from router.model.transfer import Fault, TransferCause, TransferError
from router.transfer.endpoint import Endpoint, checked

TEXT = b"glideroute tries whether outputs can be written here.\n"
PART = "test"

Ended = tuple[str, Fault | None, float]
"""The storage element, how the test failed if it did, and the seconds it took."""


@dataclass
class WriteTester:
    """Tests several storage elements at once; one that owes its answer keeps nobody."""

    endpoints: Mapping[str, Endpoint]
    monotonic: Callable[[], float] = time.monotonic
    _under_way: set[str] = field(default_factory=set)
    _ended: "SimpleQueue[Ended | Exception]" = field(default_factory=SimpleQueue)

    def begin(self, se: str) -> None:
        """Begin a test, unless one is under way."""
        if se in self._under_way:
            return
        self._under_way.add(se)
        threading.Thread(target=self._test, args=(se,), name="write-test", daemon=True).start()

    def ended(self, wait_s: float) -> Iterator[Ended]:
        """The tests that have ended; waits for those under way, but no longer than `wait_s`."""
        until = self.monotonic() + wait_s
        while self._under_way:
            try:
                found = self._ended.get(timeout=max(0.0, until - self.monotonic()))
            except Empty:
                return
            if isinstance(found, Exception):  # a fault of ours
                raise found
            self._under_way.discard(found[0])
            yield found

    def _test(self, se: str) -> None:
        started = self.monotonic()
        try:
            fault = failure(self.endpoints[se], se)
            self._ended.put((se, fault, self.monotonic() - started))
        except Exception as error:
            self._ended.put(error)


def failure(target: Endpoint, se: str) -> Fault | None:
    """How writing failed; None where it did not, and nothing is left."""
    lfn = name_of_test(se)
    try:
        target.write(lfn, PART, [TEXT], len(TEXT))
        if target.facts(lfn, PART) != checked([TEXT]):
            raise TransferError(TransferCause.CHECKSUM, "what was written is not what is read")
        target.publish(lfn, PART)
        target.remove(lfn)
    except TransferError as error:
        _discard(target, lfn)
        return Fault(error.cause, str(error))
    return None


def name_of_test(se: str) -> str:
    """The logical name that is written to a storage element, below /user, where outputs go.

    No user has it, and it is the same each time: what a kill leaves is written over by the next test.
    """
    return f"/user/write-test-{hashlib.sha256(se.encode()).hexdigest()[:12]}"


def _discard(target: Endpoint, lfn: str) -> None:
    for part in (PART, ""):
        try:
            target.remove(lfn, part)
        except TransferError:  # the next test writes over it
            return
