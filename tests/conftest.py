"""What all tests share: one real pool for the session, and a hypothesis that gives the same examples every time."""

from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
from hypothesis import settings
from pool_container import ContainerPool

from examples import examples
from router.errors import RouterError

# The same examples at every run: a failure is found by whoever made it, not by the next.
settings.register_profile("repeatable", max_examples=examples(10), derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def live_pool() -> Iterator[pool_backend.LivePool]:
    """A real HTCondor pool with the production configuration and no daemons of ours, ended with the session."""
    with pool_backend.home() as home:
        try:
            found = pool_backend.prepare(home)
        except RouterError as error:
            pool_backend.give_up(str(error))
        with pool_backend.running(found) as pool:
            yield pool


@pytest.fixture(scope="session")
def contract_pool(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pool_backend.Connections]:
    """A real pool for the contract suite: a container where there can be one, else the session's pool."""

    def container() -> ContainerPool:
        return ContainerPool(Path(tmp_path_factory.mktemp("container")))

    with pool_backend.in_container_or(lambda: request.getfixturevalue("live_pool"), container) as (pool, _):
        yield pool
