"""Looking at merged files, and removing parts, at declared storage elements."""

from collections.abc import Mapping
from dataclasses import dataclass

from router.model.files import File
from router.model.merging import PartCopy
from router.model.transfer import TransferCause, TransferError
from router.transfer.copying import told
from router.transfer.endpoint import Endpoint


@dataclass(frozen=True)
class PartStore:
    """Storage by logical names."""

    endpoints: Mapping[str, Endpoint]

    def holds(self, file: File, se: str) -> bool:
        """Whether the bytes at a storage element are the file's, read or computed there. Raises TransferError."""
        return self._at(se).facts(file.lfn) == told(file)

    def remove(self, copy: PartCopy) -> None:
        """Remove a copy's bytes; what is gone already is gone. Raises TransferError."""
        self._at(copy.se).remove(copy.lfn)

    def _at(self, se: str) -> Endpoint:
        if se not in self.endpoints:
            raise TransferError(TransferCause.NOT_DECLARED, f"no site declares the storage element {se}")
        return self.endpoints[se]
