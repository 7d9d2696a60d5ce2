"""What a data service says, made ours or refused: it is a stranger, and its answers become names, sizes and paths."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.errors import RouterError, TemporaryError, UserError
from router.model import names
from router.model.data_service import ServiceAnswer, ServiceFile, ServiceSettings
from router.model.files import File, Located, Replica, StorageElement
from router.model.lumis import MAX_NUMBER, MAX_RANGES, Lumis, Range

MOST_BYTES = 1 << 50
"""A file of more than a petabyte is an error of the service's."""
MOST_EVENTS = 10**12
MOST_COPIES = 1_000
"""Storage names that one file may have."""


@dataclass
class Checker:
    """Checks one answer, file by file."""

    service: ServiceSettings
    dataset: str
    elements: Mapping[str, StorageElement]
    """The declared storage elements, by name."""
    _files: dict[str, Located] = field(default_factory=dict)
    _lumis: dict[str, Lumis] = field(default_factory=dict)
    _elsewhere: dict[str, int] = field(default_factory=dict)

    def check(self, told: Iterable[ServiceFile], in_time: Callable[[], bool] = lambda: True) -> ServiceAnswer:
        """All files, or none: an analysis must not miss one in silence. Raises RouterError for what is not usable.

        `in_time` is asked now and then; TemporaryError where it says no.
        """
        for number, each in enumerate(told):
            if number >= self.service.most_files:
                raise UserError(
                    f"{self.dataset} has more than {self.service.most_files:,} files. Name a smaller dataset, or let "
                    f"an operator raise data_services.{self.service.name}.most_files in the settings."
                )
            if not number % 100 and not in_time():
                raise TemporaryError(f"The data service {self.service.name} tells too slowly of {self.dataset}.")
            try:
                self._add(each)
            except (ValueError, TypeError, AttributeError) as error:
                raise RouterError(
                    f"What the data service {self.service.name} says of {self.dataset} is not usable, and nothing of "
                    f"it is used: file {number + 1} {error}. Tell those who run the service."
                ) from None
        files = tuple(self._files[lfn] for lfn in sorted(self._files))
        digest = hashlib.sha256(repr((files, sorted(self._lumis.items()))).encode()).hexdigest()
        return ServiceAnswer(self.service.name, self.dataset, files, self._lumis, self._elsewhere, digest)

    def _add(self, each: ServiceFile) -> None:
        lfn = names.lfn(each.lfn)
        if not self.service.owns(lfn):
            raise ValueError(f"{lfn} is not below {self.service.prefix}")
        if lfn in self._files:
            raise ValueError(f"{lfn} is told twice")
        if not each.adler32:
            raise ValueError(f"{lfn} has no adler32 checksum")
        size, events = whole(each.size, MOST_BYTES, "size"), whole(each.events, MOST_EVENTS, "number of events")
        path = names.lfn(each.path) if each.path else lfn
        file = File(lfn, size, names.adler32(each.adler32.lower().rjust(8, "0")), events)
        self._files[lfn] = Located(file, tuple(self._copies(each, path)))
        if each.lumis:
            self._lumis[lfn] = sections(each.lumis)

    def _copies(self, each: ServiceFile, path: str) -> list[Replica]:
        """The copies at declared storage; the physical name is made of its prefix, never taken from the service."""
        if len(each.storage) > MOST_COPIES:
            raise ValueError(f"{each.lfn} has {len(each.storage):,} copies")
        found = {}
        for theirs in each.storage:
            ours = self.elements.get(self.service.elements.get(theirs, theirs))
            if ours is None:
                told = names.plain(theirs)[:64]
                self._elsewhere[told] = self._elsewhere.get(told, 0) + 1
            else:
                found[ours.name] = Replica(ours.name, ours.site, ours.pfn(path))
        return [found[name] for name in sorted(found)]


def whole(value: object, most: int, what: str) -> int:
    """A whole number from 0 to `most`. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"has the {what} {str(value)[:40]!r}, which is no whole number from 0 to {most:,}")
    return value


def sections(told: Sequence[Range]) -> Lumis:
    """Luminosity sections from their ranges. Raises ValueError."""
    if len(told) > MAX_RANGES:
        raise ValueError(f"has {len(told):,} ranges of luminosity sections")
    for run, first, last in told:
        for number in (run, first, last):
            whole(number, MAX_NUMBER, "run or luminosity section")
        if first > last:
            raise ValueError(f"has luminosity sections from {first} to {last}")
    return Lumis.of(told)
