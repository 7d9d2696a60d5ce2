"""An analysis run from Python on real glideins: waited for, collected, and found again by its id."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
from organisation import Organisation

from router import Session

pytestmark = pytest.mark.pool

ENTRY = {"cpus": 2, "memory": "1 GB", "disk": "2 GB", "walltime": "1 h", "idle": "10 min", "max_glideins": 1}
SETTINGS = {"router": {"interval": "1 s"}, "factory": {"interval": "1 s"}}
PROGRAM = '#!/bin/sh\nprintf "job,word\\n%s,%s\\n" "$GLIDEROUTE_JOB" "$(cat words/word.txt)" > words.csv\n'


@pytest.fixture
def home(live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An installation over the pool with router and factory as daemons, and one site."""
    home = tmp_path_factory.mktemp("python")
    for folder in (home, *home.parents[:2]):
        folder.chmod(0o755)
    (home / "pool").symlink_to(live_pool.home / "pool")
    (home / "SITE_A").mkdir()
    (home / "SITE_A").chmod(0o777)
    sites = {"SITE_A": {"storage": {"prefix": f"file://{home / 'SITE_A'}"}, "entries": {"a": ENTRY}}}
    (home / "glideroute.yaml").write_text(json.dumps({**SETTINGS, "sites": sites}))
    mine = Organisation(live_pool, home)
    daemons = []
    for name in ("router", "factory"):
        command = [sys.executable, "-m", "router.cli.main", name, "run"]
        with (home / f"{name}.log").open("w") as log:
            daemons.append(subprocess.Popen(command, env=mine.environment(name), stderr=log))
    try:
        yield home
    finally:
        for each in daemons:
            each.terminate()
            each.wait(10)
        live_pool.queue("router").act("Remove", "RouterTask isnt undefined", "the test is over")
        live_pool.queue("factory").act("Remove", "IsGlidein =?= true", "the test is over")


def test_an_analysis_is_run_collected_and_run_again_with_other_code(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIDEROUTE_USER", "alice")
    (tmp_path / "words.sh").write_text(PROGRAM)
    for folder, word in ((tmp_path / "words", "first"), (tmp_path / "newer" / "words", "second")):
        folder.mkdir(parents=True)
        (folder / "word.txt").write_text(word)
    with Session(home) as session:
        asked = session.analysis("words").exec(tmp_path / "words.sh", folder=tmp_path / "words").options(jobs=3)
        task = asked.outputs("words.csv").requests(memory="128 MB", disk="10 MB", walltime="5 min").run()
        assert task.wait(timeout=90, every=0.2).succeeded
        got = task.results(tmp_path / "got", merge=True)
    assert got.joined[0].read_text() == "job,word\n0000,first\n0001,first\n0002,first\n"
    with Session(home) as elsewhere:
        again = elsewhere.load(task.id).resubmit(code=tmp_path / "newer")
        assert again.wait(timeout=90, every=0.2).succeeded
        got = again.results(tmp_path / "again", merge=True)
    assert got.joined[0].read_text() == "job,word\n0000,second\n0001,second\n0002,second\n"
