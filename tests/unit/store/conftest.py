"""A store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.store.schema import sqlite_url
from router.store.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "glideroute.db")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = Store(url)
    yield made
    made.close()
