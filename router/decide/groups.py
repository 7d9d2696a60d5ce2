"""Groups of idle jobs as columns: who is placed where, and how many cores that asks of each site."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.decide.columns import Booleans, Numbers
from router.model.job import JobGroup


@dataclass(frozen=True, slots=True)
class GroupColumns:
    """Groups, one a row. Few sets of sites are distinct, so each is kept once."""

    sets: Booleans
    """(U, S): whether each site is in each distinct set; the first set is that of jobs without any."""
    strange: Booleans
    """(U,): whether the set names a site that nobody knows."""
    sizes: Numbers
    """(U,): names in the set."""
    of: np.ndarray
    """(G,): the number of the group's set."""
    cores: Numbers
    """(G,): asked for by all jobs of the group."""

    @property
    def placed(self) -> Booleans:
        """(G, S): whether each site is in the group's set."""
        found: Booleans = self.sets[self.of]
        return found

    def part(self, rows: slice) -> "GroupColumns":
        """Some rows."""
        return GroupColumns(self.sets, self.strange, self.sizes, self.of[rows], self.cores[rows])

    def shares(self, rate: Numbers) -> Numbers:
        """(G, S): cores that each group asks of each of its sites, in proportion to how fast they become free."""
        found: Numbers = spread(self.sets, rate)[self.of] * self.cores[:, np.newaxis]
        return found

    def asked(self, rate: Numbers) -> Numbers:
        """(S,): cores that all groups together ask of each site."""
        cores = np.bincount(self.of, self.cores, len(self.sets)).astype(np.float32)
        found: Numbers = cores @ spread(self.sets, rate)
        return found


def group_columns(groups: Sequence[JobGroup], place: Mapping[str, int]) -> GroupColumns:
    """The columns of `groups`, against sites whose numbers are in `place`."""
    numbers: dict[tuple[str, ...], int] = {(): 0}
    of = [numbers.setdefault(group.sites or (), len(numbers)) for group in groups]
    sets = np.zeros((len(numbers), len(place)), dtype=bool)
    for names, number in numbers.items():
        sets[number, _numbers(names, place)] = True
    return GroupColumns(
        sets=sets,
        strange=np.array([any(name not in place for name in names) for names in numbers]),
        sizes=np.array([len(names) for names in numbers], dtype=np.float32),
        of=np.array(of, dtype=int),
        cores=np.array([group.count * group.requests.cpus for group in groups], dtype=np.float32),
    )


def _numbers(names: Iterable[str], place: Mapping[str, int]) -> list[int]:
    return [place[name] for name in names if name in place]


def spread(sets: Booleans, rate: Numbers) -> Numbers:
    """(U, S): the part of its jobs that each site of a set will have, in proportion to how fast it frees cores."""
    rates = sets * rate
    found: Numbers = (rates / np.maximum(rates.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return found
