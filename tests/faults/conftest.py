"""A pool of its own for what breaks it: no other test meets it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest

from router.errors import RouterError

sys.path.insert(0, str(Path(__file__).parents[1] / "pool"))

from breakable import Breakable
from organisation import FILES, SITES, Organisation


@pytest.fixture(scope="session")
def breakable() -> Iterator[Breakable]:
    """A real pool with declared sites."""
    with pool_backend.home() as home:
        try:
            found = pool_backend.prepare(home)
        except RouterError as error:
            pool_backend.give_up(str(error))
        with pool_backend.running(found) as live:
            settings = {**SITES, "router": {"interval": "1 s", "lease": "6 s"}}
            (home / "glideroute.yaml").write_text(json.dumps(settings))
            (home / "files.json").write_text(json.dumps(FILES))
            organisation = Organisation(live, home)
            answer = organisation.run("dataset", "add", "/test/data", home / "files.json")
            assert answer.code == 0, answer.err
            yield Breakable(organisation)


@pytest.fixture
def pool(breakable: Breakable) -> Iterator[Breakable]:
    """The pool with an empty queue; whatever a test broke goes on afterwards, and its routers end."""
    breakable.clear()
    yield breakable
    breakable.mend()
