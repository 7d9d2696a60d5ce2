"""The settings and the user's interface of one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from router import wiring
from router.api import Router
from router.settings import Settings, home_from_environment, load


def settings() -> Settings:
    """What the environment and the settings file say."""
    return load(home_from_environment())


@contextmanager
def session() -> Iterator[Router]:
    """The user's interface; its connections are given back at the end."""
    with wiring.user_session(settings()) as router:
        yield router
