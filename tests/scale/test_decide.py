"""A pass over a million idle jobs, none of them placed: the worst there is."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_million_jobs_in_20000_shapes_at_200_sites_are_decided_in_seconds_and_300_mb():
    command = [sys.executable, "-m", "benchmarks", "decide", "--json", "-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert (found["jobs"], found["shapes"], found["sites"]) == (1_000_000, 20_000, 200)
    assert found["actions"] >= 20_000  # some groups go in two parts
    assert found["seconds"] < 3  # under one second on two quiet cores
    assert found["peak_rss_mb"] < 300
    assert found["per_job_loop_seconds"] > 20 * found["seconds"]
