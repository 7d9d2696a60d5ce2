"""Having FTS copy: it writes a part, and what it says it has copied is verified before it gets its name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.model.files import StorageElement
from router.model.transfer import Fault, Service, Transfer, TransferCause, TransferError
from router.transfer.copying import told, unlike
from router.transfer.endpoint import Endpoint, parts_of
from router.transfer.fts import Fts, Order, Progress, ended, meant

SCHEMES = frozenset({"https", "davs", "root", "roots", "xroot", "xroots", "s3", "s3s", "http", "dav"})
"""What FTS copies from and to; never what is mounted somewhere."""

Token = Callable[[], str]


def within_reach(elements: Mapping[str, StorageElement]) -> frozenset[str]:
    """The storage elements that FTS can read and write."""
    return frozenset(name for name, each in elements.items() if each.prefix.partition("://")[0] in SCHEMES)


@dataclass(frozen=True)
class FtsCarrier:
    """FTS as what brings the outputs of some destinations."""

    fts: Fts
    elements: Mapping[str, StorageElement]
    endpoints: Mapping[str, Endpoint]
    tokens: Mapping[str, Token]
    """What shows the storage elements that FTS may; without any it uses the proxy that was delegated to it."""
    to: frozenset[str]
    """The destinations to which it brings outputs."""
    queued_s: float
    """So long FTS may leave a file in its queue, in seconds."""

    def service(self) -> Service:
        """Between which storage elements it copies."""
        reach = within_reach(self.elements)
        return Service(self.to & reach, reach)

    def carry(self, bulk: str, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None] | None]:
        """Have outputs copied, or see how far they are; yields those that have ended. Raises TransferError."""
        found = self.fts.files(bulk)
        if found is None:
            yield from self._submit(bulk, wanted)
            return
        over = {each.destination: (each, copied) for each, copied in ended(found)}
        known = {each.destination for each in found}
        for each in wanted:
            part = self._part(each)
            if part in over:
                yield each, self._outcome(each, *over[part])
            elif part not in known:
                yield each, Fault(TransferCause.OTHER, f"FTS knows nothing of it in the job {bulk}")
            else:
                yield None

    def recall(self, bulk: str) -> None:
        """Have FTS copy no more of a job. Raises TransferError."""
        self.fts.cancel(bulk)

    def _submit(self, bulk: str, wanted: Sequence[Transfer]) -> Iterator[tuple[Transfer, Fault | None] | None]:
        try:
            self.fts.submit(bulk, [self._order(each) for each in wanted], self.queued_s)
        except TransferError as error:
            if error.cause in (TransferCause.DOWN, TransferCause.TIME_OUT):
                raise  # whether it was heard is seen in the next pass
            for each in wanted:
                yield each, Fault(error.cause, str(error))

    def _order(self, transfer: Transfer) -> Order:
        source, target = self.elements[transfer.source], self.elements[transfer.destination]
        return Order(
            source.pfn(transfer.at_source),
            self._part(transfer),
            transfer.file.size,
            transfer.file.adler32,
            self._token(source.name),
            self._token(target.name),
        )

    def _token(self, se: str) -> str:
        return self.tokens[se]() if se in self.tokens else ""

    def _part(self, transfer: Transfer) -> str:
        where = parts_of(transfer.file.lfn, str(transfer.epoch))
        return self.elements[transfer.destination].pfn("/" + "/".join(where))

    def _outcome(self, transfer: Transfer, progress: Progress, copied: bool) -> Fault | None:
        if not copied:
            return Fault(meant(progress.reason), f"FTS: {progress.reason or progress.state}")
        try:
            self._name(transfer, self.endpoints[transfer.destination])
        except TransferError as error:
            return Fault(error.cause, str(error))
        return None

    def _name(self, transfer: Transfer, target: Endpoint) -> None:
        """Give what FTS has written the file's name, where it is what it should be. Raises TransferError."""
        file, part = transfer.file, str(transfer.epoch)
        for older in range(1, transfer.epoch):  # parts of copies that failed
            target.remove(file.lfn, str(older))
        if target.facts(file.lfn) == told(file):
            target.remove(file.lfn, part)
        elif (found := target.facts(file.lfn, part)) == told(file):
            target.publish(file.lfn, part)
        else:
            raise TransferError(TransferCause.CHECKSUM, f"{transfer.destination} {unlike(found, file)}")
