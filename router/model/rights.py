"""Who may do what to a file, dataset or directory: owner, group and everybody, as in POSIX."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from router.model import names

DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
STICKY = 0o1000
"""In such a directory only owners remove and rename what is theirs."""
OPEN_ROOT = 0o1777
"""The root directory of a catalogue without administrators: everybody makes directories there, each their own."""
HOMES = "/user"
"""Everybody has a home directory here, made when it is first needed."""
PROC = "/proc"
"""Below it each task and each job has a directory, computed when it is looked at."""


class Need(IntEnum):
    """What somebody wants of a thing; the values are POSIX's bits."""

    ENTER = 1
    WRITE = 2
    READ = 4


@dataclass(frozen=True, slots=True)
class Rights:
    """Of one file, dataset or directory."""

    owner: str
    """Empty: the system's, which only administrators may change."""
    group: str
    """Empty: no group."""
    mode: int
    """POSIX's nine bits, and `STICKY`."""

    def __str__(self) -> str:
        """As in `drwxr-xr-x alice higgs`, without the first letter."""
        signs = "".join(sign if self.mode >> (8 - at) & 1 else "-" for at, sign in enumerate("rwxrwxrwx"))
        if self.mode & STICKY:
            signs = signs[:-1] + ("t" if self.mode & Need.ENTER else "T")
        return f"{signs} {self.owner or '-'} {self.group or '-'}"


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks."""

    name: str
    groups: frozenset[str] = frozenset()
    admin: bool = False
    """May do everything."""

    def may(self, need: Need, rights: Rights) -> bool:
        """Whether these rights grant it; of the three classes only the first that fits counts, as in POSIX."""
        if self.admin:
            return True
        shift = 6 if self.owns(rights) else 3 if rights.group in self.groups else 0
        return bool(rights.mode >> shift & need)

    def owns(self, rights: Rights) -> bool:
        """Whether it is this person's, or everything is."""
        return self.admin or (bool(self.name) and self.name == rights.owner)

    def may_take(self, held: Rights, directory: Rights) -> bool:
        """Whether what a directory holds may be removed from it, or be renamed."""
        if not self.may(Need.WRITE, directory) or not self.may(Need.ENTER, directory):
            return False
        return not directory.mode & STICKY or self.owns(held) or self.owns(directory)

    def may_describe(self, rights: Rights) -> bool:
        """Whether metadata may be said of it; where everybody may write, only its owner says what holds."""
        return self.owns(rights) or (self.may(Need.WRITE, rights) and not rights.mode & STICKY)


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in which group, and who administers the catalogue."""

    admins: frozenset[str] = frozenset()
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Users by group."""
    reserved: tuple[str, ...] = ()
    """Directories that, with all below, belong to nobody: data services tell what is there."""

    def person(self, user: str) -> Person:
        """A user with their groups."""
        return Person(user, frozenset(g for g, users in self.groups.items() if user in users), user in self.admins)

    def reserves(self, name: str) -> bool:
        """Whether a directory is of those that belong to nobody."""
        return any(name == each or within(name, each) for each in self.reserved)

    @property
    def root(self) -> Rights:
        """The rights of the root directory before anybody changes them."""
        return Rights("", "", DIRECTORY_MODE if self.admins else OPEN_ROOT)


NO_GROUPS = Members()
"""Nobody administers the catalogue, and nobody is in a group."""


def canonical(text: str) -> str:
    """The one form of a name: as `names.lfn`, a `/` at the end left out; the root directory's is empty.

    Raises ValueError.
    """
    return "" if text == "/" else names.lfn(text.removesuffix("/"))


def mode_of(text: str) -> int:
    """A mode written in octal digits, such as 750 or 1777; raises ValueError."""
    if not 3 <= len(text) <= 4 or not set(text) <= set("01234567") or int(text, 8) > OPEN_ROOT:
        raise ValueError(f"{text!r} is no mode: three octal digits for owner, group and everybody, such as 750")
    return int(text, 8)


def directory_of(name: str) -> str:
    """The directory that holds what has this name."""
    return name.rpartition("/")[0]


def above(name: str) -> tuple[str, ...]:
    """Every directory above a name, the root directory first."""
    return tuple(name[:at] for at, sign in enumerate(name) if sign == "/")


def in_proc(name: str) -> bool:
    """Whether a name is `/proc`, or below it."""
    return name == PROC or within(name, PROC)


def within(name: str, directory: str) -> bool:
    """Whether a name is below a directory, by whole parts: /user/al is not above /user/alice."""
    return name.startswith(directory + "/")
