"""The session's pool with declared sites, and a payload for it."""

import json
from pathlib import Path

import pool_backend
import pytest
from organisation import FILES, SITES, Organisation, until


@pytest.fixture(scope="session")
def organisation(live_pool: pool_backend.LivePool) -> Organisation:
    home = live_pool.home
    (home / "glideroute.yaml").write_text(json.dumps(SITES))
    manifest = home / "files.json"
    manifest.write_text(json.dumps(FILES))
    made = Organisation(live_pool, home)
    answer = made.run("dataset", "add", "/test/data", manifest)
    assert answer.code == 0, answer.err
    return made


@pytest.fixture(autouse=True)
def _nobody_waits(request: pytest.FixtureRequest) -> None:
    """Begin with an empty queue: jobs that other tests left would wait before ours, and change what is decided."""
    if "organisation" in request.fixturenames:
        live: pool_backend.LivePool = request.getfixturevalue("organisation").live
        live.queue("router").act("Remove", "JobUniverse == 5", "the next test begins")
        until(lambda: live.as_user("router").jobs() == ())


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """A payload document over the test's dataset, beside its program."""
    (tmp_path / "work.sh").write_text("#!/bin/sh\necho done\n")
    path = tmp_path / "payload.yaml"
    path.write_text("name: work\nexecutable: work.sh\ninput: {dataset: /test/data}\nrequests: {memory: 1 GB}\n")
    return path
