"""A part of the catalogue's names that is computed when it is looked at, and that nobody writes."""

from collections.abc import Sequence
from typing import Protocol

from router.model.entry import Entry
from router.model.rights import Person


class View(Protocol):
    """What lies below one directory. Every call raises NotFound, and PermissionRefused where a person may not look."""

    def entry(self, name: str, person: Person) -> Entry:
        """What a name stands for; a link is not followed."""
        ...

    def entries(self, name: str, person: Person) -> Sequence[Entry]:
        """What a directory holds, by name; of anything else it alone."""
        ...

    def content(self, name: str, person: Person) -> bytes:
        """What a file holds. Raises UserError for one that is too large to be given."""
        ...
