"""One real storage element for all tests of it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest

from router.errors import RouterError

sys.path.insert(0, str(Path(__file__).parents[1] / "pool"))

from storage_element import StorageElement, running


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageElement]:
    """XRootD with an empty storage."""
    try:
        with running(tmp_path_factory.mktemp("se")) as found:
            yield found
    except RouterError as error:
        pool_backend.give_up(str(error))
