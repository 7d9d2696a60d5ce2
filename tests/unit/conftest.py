"""A store and a router's surroundings, new for each test."""

from collections.abc import Iterator

import pytest
from fake_organisation import Organisation

from router.store.schema import metadata
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
    with shared_store.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != "schema_version":
                connection.execute(table.delete())


@pytest.fixture
def organisation(store: Store) -> Organisation:
    """Two sites, a fake pool, and an empty store."""
    return Organisation(store)
