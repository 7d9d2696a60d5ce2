"""A short version of `make bench-day`: 50,000 jobs within a day, 100 sites, at the router's own cadence."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_pass_of_a_day_takes_long_or_needs_much_memory():
    command = [sys.executable, "-m", "benchmarks", "day", "--jobs", "50000", "--sites", "100", "--json", "-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=True)
    found = json.loads(done.stdout)
    assert found["jobs_ended"] > 30_000
    assert found["pass_p99_s"] < 0.5  # 0.02 on two busy cores
    assert found["alone_rss_mb"] < 300
