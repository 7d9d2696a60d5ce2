"""What all tests share: one real pool for the session, and a hypothesis that gives the same examples every time."""

from collections.abc import Iterator

import pool_backend
import pytest
from hypothesis import settings

from router.errors import RouterError

# The same examples at every run: a failure is found by whoever made it, not by the next.
settings.register_profile("repeatable", max_examples=50, derandomize=True, database=None, deadline=None)
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
