"""What attacks have in common: a folder that must stay empty, and a secret that must stay one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = "canary-5f1d"  # noqa: S105 - made up, and searched for


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty folder where a command that is run leaves CANARY, and an environment with a secret to look for."""
    folder = tmp_path / "trap"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEEDED_SECRET", SECRET)
    yield SECRET
    assert list(folder.iterdir()) == []
