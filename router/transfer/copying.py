"""Copying through this machine: read at one storage, write at the other, verify, then give the name."""

import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from router.model.files import File, Replica, StorageElement
from router.model.transfer import Fault, Transfer, TransferCause, TransferError
from router.transfer.endpoint import Endpoint, Facts

TICK_S = 0.5
"""While nothing ends, the agent is given the word so often."""


@dataclass(frozen=True)
class Copier:
    """A mover that copies file by file, several at once."""

    elements: Mapping[str, StorageElement]
    endpoints: Mapping[str, Endpoint]
    parallel: int

    def move(self, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None] | None]:
        """Copy outputs; yields each as it ends, with how it failed if it did, and None while nothing ends."""
        work: SimpleQueue[Transfer] = SimpleQueue()
        ended: SimpleQueue[tuple[Transfer, Fault | None] | Exception] = SimpleQueue()
        stopped = threading.Event()
        for each in wanted:
            work.put(each)

        def worker() -> None:
            while not stopped.is_set():
                try:
                    ended.put(self._outcome(work.get_nowait(), stopped))
                except Empty:
                    return
                except Exception as error:  # a fault of ours ends the pass, not only this thread
                    ended.put(error)
                    return

        # Daemons, as an answer that a storage owes must not keep the agent from ending.
        for _ in range(min(self.parallel, len(wanted))):
            threading.Thread(target=worker, name="copy", daemon=True).start()
        try:
            yield from _outcomes(ended, len(wanted))
        finally:  # a copy that is under way when the agent is stopped ends at its next block
            stopped.set()

    def _outcome(self, wanted: Transfer, stopped: threading.Event) -> tuple[Transfer, Fault | None]:
        try:
            self.copy(wanted, stopped)
        except TransferError as error:
            return wanted, Fault(error.cause, str(error))
        return wanted, None

    def copy(self, wanted: Transfer, stopped: threading.Event | None = None) -> None:
        """Copy one output. Raises TransferError; nothing is left at the destination then."""
        file, target = wanted.file, self.endpoints[wanted.destination]
        part = str(wanted.epoch)
        if wanted.epoch > 1:
            for older in range(1, wanted.epoch):  # parts of copies that were killed
                target.remove(file.lfn, str(older))
            if target.facts(file.lfn) == told(file):
                return
        try:
            target.write(file.lfn, part, self._checked(wanted, stopped), file.size)
            if (found := target.facts(file.lfn, part)) != told(file):
                raise TransferError(TransferCause.CHECKSUM, f"{wanted.destination} {unlike(found, file)}")
            target.publish(file.lfn, part)
        except TransferError:
            self._discard(target, file.lfn, part)
            raise

    def _checked(self, wanted: Transfer, stopped: threading.Event | None) -> Iterator[bytes]:
        """The bytes at the source; TransferError at the end where they are not those of the catalogue."""
        size, checksum = 0, 1
        try:
            for block in self.endpoints[wanted.source].read(wanted.at_source):
                if stopped is not None and stopped.is_set():
                    raise TransferError(TransferCause.OTHER, "the agent was told to stop")
                size, checksum = size + len(block), zlib.adler32(block, checksum)
                yield block
        except TransferError as error:
            theirs = error.cause in (TransferCause.SOURCE_MISSING, TransferCause.OTHER)
            cause = error.cause if theirs else TransferCause.SOURCE_DOWN
            raise TransferError(cause, f"{wanted.source}: {error}") from None
        if (size, f"{checksum:08x}") != told(wanted.file):
            words = unlike((size, f"{checksum:08x}"), wanted.file)
            raise TransferError(TransferCause.CHECKSUM, f"{wanted.source} {words}")

    def _discard(self, target: Endpoint, lfn: str, part: str) -> None:
        try:
            target.remove(lfn, part)
        except TransferError:  # the next copy removes it first
            return

    def clear(self, transfer: Transfer) -> None:
        """Remove an output's bytes at its source. Raises TransferError."""
        self.endpoints[transfer.source].remove(transfer.at_source)

    def replica(self, transfer: Transfer) -> Replica:
        """The copy at the destination."""
        element = self.elements[transfer.destination]
        return Replica(element.name, element.site, element.pfn(transfer.file.lfn))


def _outcomes(
    ended: "SimpleQueue[tuple[Transfer, Fault | None] | Exception]", left: int
) -> Iterator[tuple[Transfer, Fault | None] | None]:
    while left:
        try:
            found = ended.get(timeout=TICK_S)
        except Empty:
            yield None
            continue
        if isinstance(found, Exception):
            raise found
        left -= 1
        yield found


def told(file: File) -> Facts:
    """What the catalogue says of a file's bytes."""
    return file.size, file.adler32


def unlike(found: Facts | None, file: File) -> str:
    """How a storage differs from the catalogue, in words."""
    if found is None:
        return "has not what was written"
    return f"has {found[0]} bytes with adler32 {found[1]} instead of {file.size} and {file.adler32}"
