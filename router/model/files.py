"""Files, their copies, and how storage elements name them."""

from dataclasses import dataclass
from urllib.parse import quote

XROOTD = ("root", "roots", "xroot", "xroots")
"""Schemes of URLs of XRootD's own protocol."""


@dataclass(frozen=True, slots=True)
class File:
    """A file by its logical name; it never changes once registered."""

    lfn: str
    size: int
    """Bytes."""
    adler32: str
    """Eight lower-case hexadecimal digits."""
    events: int = 0
    """Events it holds; 0 when nobody said."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A file's copy at a storage element."""

    se: str
    site: str
    pfn: str


@dataclass(frozen=True, slots=True)
class Located:
    """A file with its copies, sorted by storage element."""

    file: File
    replicas: tuple[Replica, ...] = ()

    @property
    def sites(self) -> frozenset[str]:
        """Sites that hold a copy."""
        return frozenset(replica.site for replica in self.replicas)


@dataclass(frozen=True, slots=True)
class StorageElement:
    """Where a site keeps files: the physical name is the prefix and the logical name."""

    name: str
    site: str
    prefix: str
    """Such as `file:///srv/se` or `root://se.example.org//store`."""

    def pfn(self, lfn: str) -> str:
        """The physical name of `lfn` here."""
        scheme, _, rest = self.prefix.rstrip("/").partition("://")
        base = f"{scheme}://{rest}"
        if scheme in XROOTD:
            host, _, folder = rest.partition("/")
            # A path after one slash is a relative one to XRootD, which servers refuse.
            base = f"{scheme}://{host}/" + (f"/{folder.lstrip('/')}" if folder else "")
        return base + quote(lfn, safe="/+=@")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named set of files, in the order of their logical names."""

    name: str
    files: tuple[Located, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(located.file.size for located in self.files)
