"""The catalogue as one person may use it: the seam between the faces and the store.

Names are as people write them. Every call raises UserError for a name that is not allowed, NotFound, and
PermissionRefused for what the person's rights do not give; what lies behind a directory that may not be entered is
never told apart from what is not there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from router.model.entry import Change, Copy, Entry, Quota, Removed, ReplicaState
from router.model.files import Dataset, Located
from router.model.provenance import Traced
from router.model.query import Search, Value


class UserCatalogue(Protocol):
    """Files, directories, links, datasets and metadata, within one person's rights; of a call all happens or none."""

    def stat(self, name: str, follow: bool = True) -> Entry:
        """What a name stands for; a link at its end is followed if it is to be."""
        ...

    def entries(self, name: str) -> Sequence[Entry]:
        """What a directory holds, by name; of a file or dataset it alone."""
        ...

    def below(self, name: str) -> Sequence[str]:
        """Every file below a directory, however deep, in the directories that may be listed."""
        ...

    def find(self, search: Search, limit: int | None = None) -> Sequence[str]:
        """The names of the files that a search asks for, sorted; the first `limit` of those that may be seen."""
        ...

    def files(self, named: Sequence[str]) -> tuple[Located, ...]:
        """The registered ones among these, with the copies that can be read."""
        ...

    def copies(self, name: str) -> Sequence[Copy]:
        """All copies of a file, whatever their state."""
        ...

    def content(self, name: str) -> bytes:
        """What a file below `/proc` holds; other files are copied from their storage."""
        ...

    def traced(self, named: Sequence[str]) -> Mapping[str, Traced]:
        """Each of these files that is there or was removed, and that may be read, with the job that made it."""
        ...

    def dataset(self, name: str) -> Dataset:
        """A dataset with its files and their copies."""
        ...

    def datasets(self) -> Sequence[tuple[str, int, int, bool]]:
        """Name, number of files, bytes of every dataset that may be read; and whether it is closed."""
        ...

    def kinds(self) -> Mapping[str, str]:
        """Every key of metadata, and whether it holds a `flag`, a `number` or a `text`."""
        ...

    def described(self, name: str) -> Mapping[str, tuple[Value, str]]:
        """Each key that holds for a file, dataset or directory: its value, and of what it is said."""
        ...

    def register(self, found: Iterable[Located], state: ReplicaState = ReplicaState.AVAILABLE) -> None:
        """Add files with their copies, which are in this state; what is already there stays."""
        ...

    def place(self, name: str) -> str:
        """The name that a file registered as `name` would have: the links above it are followed."""
        ...

    def make_directory(self, name: str, parents: bool = False) -> None:
        """Make a directory, and with `parents` those above it that are missing; then it may be there already."""
        ...

    def link(self, target: str, name: str) -> None:
        """Make a name that leads to another, which need not be there."""
        ...

    def move(self, old: str, new: str) -> str:
        """Rename what has a name, with all it holds; into `new` where that is a directory. Returns the new name."""
        ...

    def set_mode(self, named: Sequence[str], mode: int, recursive: bool = False) -> int:
        """Change who may do what; returns how many names were changed."""
        ...

    def set_owner(
        self, named: Sequence[str], owner: str | None, group: str | None = None, recursive: bool = False
    ) -> int:
        """Give another owner, or another group; returns how many names were changed."""
        ...

    def remove(self, named: Sequence[str], recursive: bool = False, dry_run: bool = False) -> Sequence[str]:
        """Remove names, files so that they can be restored; returns what was, or would be, removed."""
        ...

    def removed(self, directory: str = "/") -> Sequence[Removed]:
        """The files of one's own that were removed below a directory, newest first."""
        ...

    def restore(self, name: str) -> str:
        """Bring back the file of this name, or GUID, that was removed last; returns its name."""
        ...

    def set_state(self, name: str, se: str, state: ReplicaState) -> None:
        """Say how a file's copy is."""
        ...

    def forget_copy(self, name: str, se: str) -> None:
        """Forget a copy that is gone."""
        ...

    def add_dataset(self, name: str, named: Sequence[str]) -> None:
        """Make a dataset if there is none, and put registered files into it."""
        ...

    def remove_dataset(self, name: str) -> None:
        """Remove a dataset, a closed one too; its files stay."""
        ...

    def close_dataset(self, name: str) -> None:
        """Close a dataset for good: its files never change."""
        ...

    def describe(self, said: Mapping[str, Mapping[str, Value]]) -> None:
        """Set values of files, datasets or directories, by name and key."""
        ...

    def forget(self, name: str, wanted: Sequence[str]) -> int:
        """Take back values by their keys; returns how many there were."""
        ...

    def quotas(self) -> Sequence[Quota]:
        """What people may own, and own; one's own alone unless one is an administrator."""
        ...

    def set_quota(self, owner: str, size: int, count: int) -> None:
        """Limit what somebody may own, in bytes and files; 0 is no limit."""
        ...

    def changes(self, name: str, limit: int = 100) -> Sequence[Change]:
        """The last changes of a name, newest first."""
        ...
