"""A sweep as it reaches the jobs: arguments, environment, the job's ad, and one cluster for all points."""

import json
from pathlib import Path

PAYLOAD = """\
name: scan
executable: analyse.py
arguments: ["--mass", "{mass}", "{unknown}"]
environment: {SEED: "s{seed}"}
sweep: {mass: [110, 120], seed: [7]}
"""


def test_each_job_of_one_cluster_has_its_own_values(router, folder, organisation):
    done = router.submit(router.plan(PAYLOAD, "my.yaml"), folder)
    assert dict(done.clusters) == {"b0": 1}
    part = json.loads((Path(done.task.directory) / "jobs" / "b0-0.json").read_text())
    told = {job: (said["arguments"], said["environment"], said["parameters"]) for job, said in part["jobs"].items()}
    assert told == {
        "0000": (["--mass", "110", "{unknown}"], {"SEED": "s7"}, {"mass": "110", "seed": "7"}),
        "0001": (["--mass", "120", "{unknown}"], {"SEED": "s7"}, {"mass": "120", "seed": "7"}),
    }
