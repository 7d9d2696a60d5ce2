"""What a job's own files can do to the programs that run it on a worker node."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from router.packages.zipapps import zip_application
from router.render.jdl import WRAPPER
from router.render.parts import MERGER
from router.worker.wrapper.reading import xrootd

EVIL = "import os\nos.mkdir('taken-over')\n"
NAMES = ("json", "socket", "router", "XRootD", "uproot", "__main__")
"""Modules that our programs import, or might."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A job's directory with modules of the user's that bear the names of those which our programs import."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(EVIL)
    return tmp_path


@pytest.mark.attack("A54")
@pytest.mark.parametrize(
    ("program", "arguments", "code"), [(WRAPPER, ["b0-0.json", "0000"], 70), (MERGER, ["all.root"], 77)]
)
def test_a_module_beside_our_programs_is_not_imported(
    sandbox: Path, program: str, arguments: list[str], code: int
) -> None:
    (sandbox / program).write_bytes(zip_application(program))
    (sandbox / "inputs.json").write_text("[]")
    environment = {**os.environ, "GLIDEROUTE_INPUTS": "inputs.json"}
    ended = subprocess.run(
        [sys.executable, program, *arguments], cwd=sandbox, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code, ended.stderr
    assert not (sandbox / "taken-over").exists()


@pytest.mark.attack("A54")
def test_pythons_xrootd_is_not_looked_for_among_the_jobs_files(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sandbox)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OSError), xrootd("size", "root://127.0.0.1:1//x") as stream:
        stream.read(1)
    assert not (sandbox / "taken-over").exists()


@pytest.mark.attack("A54")
def test_a_module_beside_a_plain_script_would_be(sandbox: Path) -> None:
    (sandbox / "plain.py").write_text("import json\n")
    subprocess.run([sys.executable, "plain.py"], cwd=sandbox, check=True)
    assert (sandbox / "taken-over").exists()
