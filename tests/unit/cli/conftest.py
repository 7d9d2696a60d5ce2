"""The command line as a user runs it, over a fake pool."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from answers import Answer, Run
from fake_organisation import FILES, SPLIT_PAYLOAD, Organisation, a_router

from router import wiring
from router.api import Router
from router.cli.main import main


@pytest.fixture
def router(organisation: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Router:
    """The user's interface, which every command of the test gets as its session."""
    made = a_router(organisation, tmp_path / "tasks")
    made.add_dataset("/demo/zmumu", FILES)

    @contextmanager
    def user_session(_: object) -> Iterator[Router]:
        yield made

    monkeypatch.setattr(wiring, "user_session", user_session)
    monkeypatch.setattr(wiring, "route", lambda _: organisation.route())
    monkeypatch.setenv("GLIDEROUTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("GLIDEROUTE_DEBUG", raising=False)
    return made


@pytest.fixture
def run(router: Router, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `glideroute` with these arguments; no command ever shows a traceback."""

    def call(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["glideroute", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        answer = Answer(code if isinstance(code, int) else int(bool(code)), *capsys.readouterr())
        assert "Traceback" not in answer.out + answer.err
        return answer

    return call


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """A payload document with its files beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "analyse.py").write_text("print('hello')\n")
    (folder / "cuts.json").write_text("{}\n")
    document = folder / "my.yaml"
    document.write_text(SPLIT_PAYLOAD)
    return document
