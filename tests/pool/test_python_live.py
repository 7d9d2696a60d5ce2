"""An analysis run from Python on real glideins: waited for, collected, and found again by its id."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
from organisation import LIVELY, at_work, settled, storing

from router import Session, TaskHandle

pytestmark = pytest.mark.pool

ENTRY = {"cpus": 2, "memory": "1 GB", "disk": "2 GB", "walltime": "1 h", "idle": "10 min", "max_glideins": 1}
PROGRAM = '#!/bin/sh\nprintf "job,word\\n%s,%s\\n" "$GLIDEROUTE_JOB" "$(cat words/word.txt)" > words.csv\n'


@pytest.fixture
def home(live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An installation over the pool with router and factory as daemons, and one site."""
    home = tmp_path_factory.mktemp("python")
    sites = storing(home, "SITE_A", entry=ENTRY)
    with at_work(settled(live_pool, home, {**LIVELY, "sites": sites})):
        yield home


def told_by_the_nodes(task: TaskHandle, program: str) -> None:
    """What real jobs tell of themselves: their provenance, and their directories below `/proc`."""
    catalogue, lineage = task.session.router.catalogue, task.provenance().lineage
    assert len(lineage.executions) == 3
    for ran in lineage.executions.values():
        assert {"run_job.pyz", "words.sh", "words.tar.gz", "words.tar.gz.sha256"} == set(dict(ran.code))
        assert (dict(ran.code)["words.sh"], ran.site) == (program, "SITE_A")
        assert "glidein_" in dict(ran.node)["Name"] and 0 < ran.started <= ran.ended
        place = catalogue.stat(f"/proc/{task.id}/jobs/{ran.maker.job}").name
        assert place == f"/proc/{ran.maker.id}"
        held = {each.name.removeprefix(f"{place}/") for each in catalogue.entries(place)}
        assert held == {"inputs", "job.json", "outputs", "report.json", "stderr", "stdout", "task"}
        assert catalogue.stat(f"{place}/outputs/words_{ran.maker.job}.csv").name in lineage.roots


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
        told_by_the_nodes(task, hashlib.sha256(PROGRAM.encode()).hexdigest())
    assert got.joined[0].read_text() == "job,word\n0000,first\n0001,first\n0002,first\n"
    with Session(home) as elsewhere:
        again = elsewhere.load(task.id).resubmit(code=tmp_path / "newer")
        assert again.wait(timeout=90, every=0.2).succeeded
        got = again.results(tmp_path / "again", merge=True)
    assert got.joined[0].read_text() == "job,word\n0000,second\n0001,second\n0002,second\n"
