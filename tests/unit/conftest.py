"""A store and a router's surroundings, new for each test."""

from collections.abc import Iterator

import pytest
from emptied import empty
from fake_organisation import Organisation

from router.store.store import Store


@pytest.fixture(scope="session")
def shared_store() -> Iterator[Store]:
    """A store in memory whose statements are compiled once for all tests."""
    made = Store("sqlite://")
    yield made
    made.close()


@pytest.fixture
def store(shared_store: Store) -> Iterator[Store]:
    """An empty store."""
    yield shared_store
    empty(shared_store)


@pytest.fixture
def organisation(store: Store) -> Organisation:
    """Two sites, a fake pool, and an empty store."""
    return Organisation(store)
