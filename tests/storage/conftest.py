"""One real storage element and one object store for all tests of them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest

from router.errors import RouterError

sys.path.insert(0, str(Path(__file__).parents[1] / "pool"))

import s3_storage
from storage_element import StorageElement, running


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageElement]:
    """XRootD with an empty storage."""
    try:
        with running(tmp_path_factory.mktemp("se")) as found:
            yield found
    except RouterError as error:
        pool_backend.give_up(str(error))


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_storage.ObjectStore]:
    """Swift with an empty bucket."""
    try:
        with s3_storage.running(tmp_path_factory.mktemp("s3")) as found:
            yield found
    except RouterError as error:
        pool_backend.give_up(str(error))
