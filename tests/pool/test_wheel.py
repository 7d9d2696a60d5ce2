"""An installed wheel brings all it needs: it works outside of the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pool_backend
import pytest

pytestmark = pytest.mark.pool

ROOT = Path(__file__).parents[2]


def python(folder: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "GLIDEROUTE_HOME": str(home)}
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=True)


def test_a_wheel_runs_a_pool_outside_of_the_checkout(live_pool: pool_backend.LivePool, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    installed = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(installed)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=120)

    where = python(installed, tmp_path, "-c", "import router.resources as r; print(r.folder('glidein_scripts'))")
    assert where.stdout.startswith(str(installed))
    with pool_backend.home() as home:
        try:
            up = python(installed, home, "-m", "router.cli.main", "pool", "up", "--json")
            assert '"state": "up"' in up.stdout
            assert "SITE" not in python(installed, home, "-m", "router.cli.main", "sites").stdout
        finally:
            python(installed, home, "-m", "router.cli.main", "pool", "down")
