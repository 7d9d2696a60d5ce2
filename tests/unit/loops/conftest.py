"""A router's surroundings, new for each test."""

from collections.abc import Iterator

import pytest
from fake_organisation import Organisation

from router.store.store import Store


@pytest.fixture
def organisation() -> Iterator[Organisation]:
    store = Store("sqlite://")
    yield Organisation(store)
    store.close()
