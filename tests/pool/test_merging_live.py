"""Merging on real glideins: what is there on request, all of it in the end, and the parts removed after that."""

from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
from organisation import LIVELY, Organisation, at_work, settled, storing, until

pytestmark = [pytest.mark.pool, pytest.mark.slow]

ENTRY = {"cpus": 2, "memory": "2 GB", "disk": "2 GB", "walltime": "2 h", "idle": "10 min", "max_glideins": 1}
PROGRAM = """\
#!/bin/sh
while [ "$GLIDEROUTE_JOB" = 0002 ] && ! [ -e "$1" ]; do sleep 0.2; done
printf 'job\\n%s\\n' "$GLIDEROUTE_JOB" > jobs.csv
"""
PAYLOAD = """\
name: merged
executable: jobs.sh
arguments: [{mark}]
jobs: 3
outputs: [{{name: jobs.csv, merge: auto, keep_parts: false}}]
requests: {{memory: 128 MB, disk: 10 MB, walltime: 5 min}}
"""


@pytest.fixture
def merging(live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """One site, with the daemons that route, start glideins, and remove what was merged."""
    home = tmp_path_factory.mktemp("merging")
    made = settled(live_pool, home, {**LIVELY, "sites": storing(home, "SITE_A", entry=ENTRY)})
    with at_work(made, "router", "factory", "stageout"):
        yield made


def test_what_is_there_is_merged_on_request_and_parts_go_when_all_are(merging: Organisation, tmp_path: Path) -> None:
    mark = merging.home / "go-on"
    (tmp_path / "jobs.sh").write_text(PROGRAM)
    (tmp_path / "merged.yaml").write_text(PAYLOAD.format(mark=mark))
    submitted = merging.run("submit", tmp_path / "merged.yaml", "--json")
    assert submitted.code == 0, submitted.err
    task = submitted.json["task"]
    stored = merging.home / f"SITE_A/user/alice/{task}"

    def parts() -> list[str]:
        return sorted(path.name for path in stored.glob("jobs_0*.csv"))

    until(lambda: len(parts()) == 2, 90)
    until(lambda: merging.run("status", task, "--json").json["counts"].get("finished") == 2)
    early = merging.run("merge", task, "--wait", "--json")
    assert early.code == 0, early.err
    assert (stored / "jobs_partial-1.csv").read_text() == "job\n0000\n0001\n"
    assert merging.run("merge", task, "--json").code == 0  # the same parts are joined once
    assert parts() == ["jobs_0000.csv", "jobs_0001.csv"]

    mark.touch()
    until(lambda: merging.run("status", task, "--json").json["done"], 90)
    assert (stored / "jobs_merged.csv").read_text() == "job\n0000\n0001\n0002\n"
    until(lambda: not parts())
    left = {f"jobs_{which}.csv{end}" for which in ("partial-1", "merged") for end in ("", ".manifest.json")}
    assert {path.name for path in stored.iterdir()} == left
    listed = merging.run("ls", f"/user/alice/{task}", "--json").json
    assert {Path(each["name"]).name for each in listed} == left, listed  # type: ignore[attr-defined]
