"""A user with a payload beside its files."""

from pathlib import Path

import pytest
from fake_organisation import FILES, Organisation, a_router

from router.api import Router


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the user's payload lies."""
    made = tmp_path / "work"
    made.mkdir()
    (made / "analyse.py").write_text("print('hello')\n")
    (made / "cuts.json").write_text("{}\n")
    return made


@pytest.fixture
def router(organisation: Organisation, tmp_path: Path) -> Router:
    made = a_router(organisation, tmp_path / "tasks")
    made.add_dataset("/demo/zmumu", FILES)
    return made
