"""A task split automatically on real glideins, and a sweep as a real queue shows it."""

import json
import shutil
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
from organisation import LIVELY, Organisation, at_work, settled, storing, until

pytestmark = [pytest.mark.pool, pytest.mark.slow]

ENTRY = {"cpus": 2, "memory": "1500 MB", "disk": "2 GB", "walltime": "2 h", "idle": "10 min", "max_glideins": 1}
FILES, EVENTS = 3, 200

PROGRAM = """\
#!/bin/sh
test "$GLIDEROUTE_JOB" != 0003 || exit 3
sleep 0.2
tr -d '\\n' < "$GLIDEROUTE_INPUTS" > read.jsonl
echo >> read.jsonl
"""
"""Leaves what it was given; the first main job fails, for a reason that no other try would mend."""

PAYLOAD = {
    "name": "auto",
    "executable": "auto.sh",
    "input": {"dataset": "/live/data"},
    "split": {"by": "auto", "target": "100 s"},
    "outputs": [{"name": "read.jsonl", "merge": "auto"}],
    "requests": {"memory": "128 MB", "disk": "10 MB"},
}

TREE = {
    "name": "tree",
    "executable": "part.sh",
    "jobs": 5,
    "outputs": [{"name": "part.txt", "merge": "auto", "fan_in": 2}],
    "requests": {"memory": "128 MB", "disk": "10 MB", "walltime": "10 min"},
}


@pytest.fixture
def running(live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Router and factory as daemons, two sites, and a dataset that lies at them."""
    home = tmp_path_factory.mktemp("automatic")
    sites = storing(home, "SITE_A", "SITE_B", entry=ENTRY)
    mine = settled(live_pool, home, {**LIVELY, "sites": sites})
    manifest = home / "files.json"
    manifest.write_text(json.dumps([a_file(home, number) for number in range(FILES)]))
    added = mine.run("dataset", "add", "/live/data", manifest)
    assert added.code == 0, added.err
    with at_work(mine):
        yield mine


def a_file(home: Path, number: int) -> dict[str, object]:
    """A file at one of the sites, or at both."""
    sites = (["SITE_A"], ["SITE_B"], ["SITE_A", "SITE_B"])[number % 3]
    content = f"file {number}".encode()
    for site in sites:
        path = home / site / "live" / f"f{number}.root"
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o777)
        path.write_bytes(content)
    known = {"size": len(content), "adler32": f"{zlib.adler32(content):08x}", "events": EVENTS}
    return {"lfn": f"/live/f{number}.root", "sites": sites, **known}


def test_probes_main_jobs_and_tails_read_every_event_once_and_are_merged(running: Organisation) -> None:
    home = running.home
    (home / "auto.sh").write_text(PROGRAM)
    (home / "auto.yaml").write_text(json.dumps(PAYLOAD))
    submitted = running.run("submit", home / "auto.yaml", "--json")
    assert submitted.code == 0, submitted.err
    task = str(submitted.json["task"])

    told = running.settings.task_home / "alice" / task / "logs" / "steward.out"
    until(lambda: told.exists() and "is at complete: " in told.read_text(), 120)
    assert f"{task} is at main: measured: " in told.read_text()
    assert "is at complete: 1 job(s) failed, and get tails; injected t0" in told.read_text()

    def done() -> bool:
        return bool(running.run("status", task, "--json").json["done"])

    until(lambda: list(home.glob(f"SITE_?/user/alice/{task}/read_merged.jsonl")), 90)
    until(done, 30)
    fetched = running.run("results", task, "--to", home / "got", "--json").json
    assert fetched["merged"] is True  # type: ignore[index]
    lines = (home / "got" / "read_merged.jsonl").read_text().splitlines()
    seen = Counter(
        (each["lfn"], event)
        for line in lines
        for each in json.loads(line)
        for event in range(each["first_event"], each["first_event"] + each["events"])
    )
    assert set(seen.values()) == {1}
    assert len(seen) == FILES * EVENTS


def test_a_tree_of_merge_jobs_joins_every_part_once(running: Organisation) -> None:
    home = running.home
    (home / "part.sh").write_text('#!/bin/sh\necho "$GLIDEROUTE_JOB" > part.txt\n')
    (home / "tree.yaml").write_text(json.dumps(TREE))
    submitted = running.run("submit", home / "tree.yaml", "--json")
    assert submitted.code == 0, submitted.err
    task = str(submitted.json["task"])
    found = f"SITE_?/user/alice/{task}"
    until(lambda: list(home.glob(f"{found}/part_merged.txt.manifest.json")), 90)
    (merged,) = home.glob(f"{found}/part_merged.txt")
    assert sorted(merged.read_text().split()) == [f"{number:04d}" for number in range(5)]
    (manifest,) = home.glob(f"{found}/part_merged.txt.manifest.json")
    parts = json.loads(manifest.read_text())["parts"]
    assert {part["lfn"]: part["entries"]["lines"] for part in parts} == {
        f"/user/alice/{task}/part_merge-2-0.txt": 1,
        f"/user/alice/{task}/part_merge-2-1.txt": 4,
    }


def test_the_values_of_a_sweep_are_in_the_queue(organisation: Organisation, tmp_path: Path) -> None:
    (tmp_path / "work.sh").write_text("#!/bin/sh\n")
    path = tmp_path / "sweep.yaml"
    path.write_text("name: sweep\nexecutable: work.sh\nsweep: {mass: [110, 120], seed: {from: -1, to: 0}}\n")
    answer = organisation.run("submit", "--json", path)
    assert answer.code == 0, answer.err
    assert list(answer.json["clusters"]) == ["b0"]
    environment = organisation.live.pool.env("alice")
    done = subprocess.run(
        [shutil.which("condor_q", path=environment["PATH"]) or "", "-all", "-af:,", "RouterJob", "RouterPoint"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert sorted(line.replace(", ", ": ") for line in done.stdout.splitlines()) == [
        *("0000: mass=110 seed=-1", "0001: mass=110 seed=0", "0002: mass=120 seed=-1", "0003: mass=120 seed=0")
    ]
