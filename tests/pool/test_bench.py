"""The speed benches on their own real pool, as small as can be: they run, and say what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pool_backend
import pytest

from router.errors import RouterError

pytestmark = pytest.mark.pool

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def htcondor():
    with pool_backend.home() as home:
        try:
            pool_backend.prepare(home)
        except RouterError as error:
            pool_backend.give_up(str(error))


def figures(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments, "--json", "-"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(value > 0 for value in found.values()), found
    return found


@pytest.mark.slow
def test_observing_says_how_many_jobs_a_second_it_sees_and_a_raw_query_reads():
    found = figures("observe", "--jobs", "40", "--clusters", "4", "--rounds", "2")
    assert (found["jobs"], found["groups"]) == (40, 4)
    assert {"jobs_per_s", "raw_jobs_per_s", "ratio", "seconds"} <= set(found)
    assert {"full_seconds", "incremental_seconds", "incremental_ratio"} <= set(found)
    assert found["passes_without_a_query"] == 2, "what changed was seen in the event log alone"


def test_applying_is_compared_with_one_raw_edit_and_with_the_job_router():
    found = figures("apply", "--jobs", "40", "--batches", "4", "--sets", "2")
    assert {"jobs_per_s", "job_router_jobs_per_s", "ratio_to_job_router", "raw_jobs_per_s", "schedd_calls"} <= set(
        found
    )
    assert found["schedd_calls"] == 2 + 2 * 2, "a look before and after; an explanation and a commit for each set"


def test_submitting_is_compared_with_the_bindings_alone():
    found = figures("submit", "--jobs", "16", "--batches", "2")
    assert found["jobs_per_task"] == 2
    assert {"jobs_per_s", "ratio_to_raw"} <= set(found)
