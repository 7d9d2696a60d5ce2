"""What the stage-out loop remembers, and what moves its outputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from router.model.entry import Purgeable
from router.model.files import File, Located, Replica
from router.model.merging import PartCopy
from router.model.transfer import Destination, Fault, Service, StageOutCount, Transfer, WriteTest


class TransferStates(Protocol):
    """How far outputs are on their way."""

    def transfer_counts(self, task: str = "") -> tuple[StageOutCount, ...]:
        """The outputs of a task, or of all, by how far they are on their way to their destination."""
        ...

    def destinations(self) -> Mapping[str, Destination]:
        """How copies to each storage element went lately."""
        ...


class Transfers(TransferStates, Protocol):
    """What the stage-out loop remembers and looks up."""

    def transfers_due(self, now: float, most: int) -> tuple[Transfer, ...]:
        """Outputs whose copy is due and registered at the source, the longest due first."""
        ...

    def transfers_arrived(self, most: int) -> tuple[Transfer, ...]:
        """Outputs that are at their destination, and whose bytes at the source are still to be removed."""
        ...

    def begin_transfers(self, wanted: Sequence[Transfer], now: float) -> tuple[Transfer, ...]:
        """Remember that copies begin; returns the transfers as they are then."""
        ...

    def settle_transfers(
        self, arrived: Sequence[tuple[Transfer, Replica]], failed: Sequence[Transfer], now: float
    ) -> tuple[Transfer, ...]:
        """Remember copies that arrived, each with its new replica, and those that failed: all of it, or nothing.

        Returns the outputs that are registered at their destination now.
        """
        ...

    def clear_transfers(self, done: Sequence[Transfer], now: float) -> None:
        """Remember that nothing is left of outputs at their sources."""
        ...


class WriteTestAnswers(Protocol):
    """What tests of storage came to."""

    def write_tests(self) -> Mapping[str, WriteTest]:
        """The last test of each storage element, whether outputs can be written to it."""
        ...


class WriteTestMemory(WriteTestAnswers, Protocol):
    """Remembers it."""

    def record_write_test(self, test: WriteTest) -> None:
        """Remember a test in the place of the one before."""
        ...


class WriteTester(Protocol):
    """What tests storage, several at once."""

    def begin(self, se: str) -> None:
        """Begin a test, unless one is under way."""
        ...

    def ended(self, wait_s: float) -> Iterator[tuple[str, Fault | None, float]]:
        """The tests that have ended, with how they failed and how long they took in seconds.

        Waits for those under way, but no longer than `wait_s`.
        """
        ...


class PartMemory(Protocol):
    """Which parts of merged files are not kept, and how far they are gone."""

    def merged_with_parts(self) -> tuple[Located, ...]:
        """Merged files that are where they stay and still have parts."""
        ...

    def parts_joined(self, merged: str) -> tuple[Located, ...]:
        """The parts of a merged file that may go."""
        ...

    def retire_parts(self, merged: File, parts: Sequence[Located], now: float) -> int:
        """Take parts out of the catalogue, if the merged file is still that; returns how many."""
        ...

    def retired(self, most: int) -> tuple[PartCopy, ...]:
        """Copies that the catalogue has no more and whose bytes are still to be removed."""
        ...

    def removed(self, copies: Sequence[PartCopy]) -> None:
        """Remember that nothing is left of copies."""
        ...


class PurgeMemory(Protocol):
    """Files that were removed, and their copies."""

    def removed_before(self, when: float, after: tuple[float, str], most: int) -> tuple[Purgeable, ...]:
        """Files with copies that were removed before `when`, as they were; those after the one of a time and GUID."""
        ...

    def purge(self, wanted: Sequence[Purgeable], when: float, now: float) -> tuple[Purgeable, ...]:
        """Have the copies removed of those that nothing keeps; returns the files. All of it, or nothing."""
        ...


class PartStorage(Protocol):
    """Storage elements, asked by logical names."""

    def holds(self, file: File, se: str) -> bool:
        """Whether the bytes at a storage element are the file's. Raises TransferError."""
        ...

    def remove(self, copy: PartCopy) -> None:
        """Remove a copy's bytes; what is gone already is gone. Raises TransferError."""
        ...


class Mover(Protocol):
    """Brings outputs from one storage element to another."""

    def move(self, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None] | None]:
        """Copy outputs, and verify each before it gets its name; yields each as it ends, with how it failed if it did.

        While nothing ends it yields None now and then, so that the caller can renew its lease.
        It may be cut anywhere, and a copy that was made already is found and not made again.
        """
        ...

    def clear(self, transfer: Transfer) -> None:
        """Remove an output's bytes at its source; what is gone already is gone. Raises TransferError."""
        ...

    def replica(self, transfer: Transfer) -> Replica:
        """The copy at the destination."""
        ...


class SentTransfers(Protocol):
    """What a transfer service has been given."""

    def send_transfers(self, wanted: Sequence[Transfer], bulk: str, now: float) -> tuple[Transfer, ...]:
        """Remember that a transfer service is about to get outputs under one name; returns them as they are then."""
        ...

    def transfers_sent(self) -> tuple[Transfer, ...]:
        """What the transfer service has, the longest given first."""
        ...


class Carrier(Protocol):
    """A transfer service, which copies between storage elements by itself and takes its time."""

    def service(self) -> Service:
        """Between which storage elements it copies."""
        ...

    def carry(self, bulk: str, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None] | None]:
        """Have it copy outputs, which it gets under one name; yields each that has ended by now, as `Mover.move` does.

        Saying it twice is saying it once, whether the first time was heard or not: it is also how one asks how far
        they are. Raises TransferError where the service does not answer.
        """
        ...

    def recall(self, bulk: str) -> None:
        """Have it copy no more of what it got under this name; what it does not know is well. Raises TransferError."""
        ...
