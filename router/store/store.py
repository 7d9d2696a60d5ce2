"""The store as the loops and the user's interface see it: one database behind all that they remember."""

from router.model.rights import NO_GROUPS, Members
from router.ports import Clock, View
from router.store.additions import Additions
from router.store.attempts import AttemptBook
from router.store.audit import Audit
from router.store.catalogue import Catalogue
from router.store.decisions import DecisionLog
from router.store.downtimes import Downtimes
from router.store.fetches import Fetched
from router.store.joined import JoinedParts
from router.store.leases import Leases
from router.store.ledger import Ledger
from router.store.lumi_sections import LumiSections
from router.store.merging import MergeBook
from router.store.metadata import Metadata
from router.store.mirror import Mirrored
from router.store.namespace import Namespace
from router.store.placed_transfers import PlacedTransfers
from router.store.placements import Placements
from router.store.programs import Programs
from router.store.provenance import Origins
from router.store.purging import Purging
from router.store.schema import Database
from router.store.transfers import Transfers
from router.store.usage import UsageBook
from router.store.windows import Windows


class Store(
    Catalogue,
    LumiSections,
    Metadata,
    Mirrored,
    Ledger,
    Additions,
    MergeBook,
    JoinedParts,
    Purging,
    Programs,
    Origins,
    Downtimes,
    Windows,
    AttemptBook,
    Fetched,
    DecisionLog,
    Leases,
    Audit,
    UsageBook,
    Transfers,
    Placements,
):
    """All that is remembered."""

    def __init__(self, url: str, members: Members = NO_GROUPS) -> None:
        """Open the database at an SQLAlchemy URL; `members` says who is in which group of the catalogue."""
        self.database = Database(url)
        Catalogue.__init__(self, self.database, members)

    def as_user(self, user: str, clock: Clock, proc: View | None = None) -> Namespace:
        """The catalogue with one person's rights; `proc` is what they see below `/proc`."""
        return Namespace(self.database, self.members, user, clock.now, proc)

    def placed_transfers(self) -> PlacedTransfers:
        """The files of placed datasets, as the stage-out agent sees them."""
        return PlacedTransfers(self.database)

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()
