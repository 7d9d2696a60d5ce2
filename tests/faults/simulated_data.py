"""The data of the simulated users: datasets whose copies come and go, in the catalogue of the real store."""

import random
from typing import Any

from router.store.store import Store
from router.testing.build import a_file
from router.testing.clock import NOON

DATASETS = ("/sim/few", "/sim/more")


class SimulatedData:
    """Two datasets of one file each."""

    def __init__(self, store: Store, chance: random.Random, sites: tuple[str, ...]) -> None:
        """Put them into the catalogue, one copy of each."""
        self._store, self._chance, self._sites = store, chance, sites
        self.copies: dict[str, set[str]] = {}
        for dataset in DATASETS:
            self.copies[dataset] = {chance.choice(sites)}
            store.register([a_file(_file(dataset), *self.copies[dataset])], "alice", NOON)
            store.add_dataset(dataset, [_file(dataset)], "alice", NOON)

    def wanted(self) -> str:
        """What a cluster reads."""
        return self._chance.choice(DATASETS)

    def copy(self) -> str:
        """Somebody copies a dataset to a site; what happened."""
        dataset, site = self._chance.choice(DATASETS), self._chance.choice(self._sites)
        self.copies[dataset].add(site)
        self._anyone(self._store.register, [a_file(_file(dataset), site)], "alice", NOON)
        return f"{dataset} is copied to {site}"

    def lose(self) -> str:
        """A site loses its copy of a dataset, often the last one; what happened."""
        dataset = self._chance.choice(DATASETS)
        for site in sorted(self.copies[dataset])[: self._chance.randint(1, 3)]:
            self.copies[dataset].discard(site)
            self._anyone(self._store.remove_replica, _file(dataset), f"{site}_DISK")
        return f"{dataset} is left at {sorted(self.copies[dataset])}"

    def is_lost(self, dataset: str | None) -> bool:
        """Whether no copy is left of what jobs name."""
        return dataset in self.copies and not self.copies[dataset]

    def _anyone(self, change: Any, *arguments: Any) -> None:
        """Make a change that no router makes."""
        self._store.database.fence = lambda _: None
        change(*arguments)


def _file(dataset: str) -> str:
    return f"{dataset}.root"
