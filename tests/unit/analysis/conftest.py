"""A session over the fake organisation, and a folder with a program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from analysis_world import World
from fake_organisation import FILES, Organisation, a_router

from router import Session, analysis, wiring
from router.api import Router


@pytest.fixture
def world(organisation: Organisation, tmp_path: Path) -> World:
    """Jobs that leave files when `run` is called."""
    return World(organisation, tmp_path / "se")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's working directory, with a program and a file for it."""
    folder = tmp_path / "work"
    (folder / "newer").mkdir(parents=True)
    (folder / "analyse.py").write_text("print('hello')\n")
    (folder / "newer" / "analyse.py").write_text("print('hello again')\n")
    (folder / "cuts.json").write_text("{}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def session(world: World, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """alice's session; while it waits, jobs run."""
    made = a_router(world.organisation, tmp_path / "tasks")
    made.add_dataset("/demo/zmumu", FILES)

    @contextmanager
    def user_session(_: object) -> Iterator[Router]:
        yield made

    monkeypatch.setattr(wiring, "user_session", user_session)
    monkeypatch.setattr(analysis, "sleep", lambda _: world.run())
    monkeypatch.setenv("GLIDEROUTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GLIDEROUTE_USER", "alice")
    with Session() as session:
        yield session
