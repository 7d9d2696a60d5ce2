"""The pools that each test of the suite is run against."""

import itertools
import os
from pathlib import Path

import pytest
from mine import Mine

from router.model.node import Gpus, Platform
from router.testing.build import (
    a_payload,
    a_task,
    an_output,
)
from router.testing.pool import FakePool

NUMBERS = itertools.count(1)


@pytest.fixture(params=["fake", pytest.param("condor", marks=pytest.mark.pool)])
def mine(request: pytest.FixtureRequest, tmp_path: Path) -> Mine:
    """A task in the fake pool, and in a real one."""
    pools = FakePool() if request.param == "fake" else request.getfixturevalue("contract_pool")
    for part in ("code", "jobs", "logs", "reports"):
        (tmp_path / part).mkdir()
    payload = a_payload(
        dataset="/demo/zmumu",
        cpus=2,
        memory_mb=300,
        disk_mb=70,
        walltime_s=601,
        gpus=Gpus(2, 16_000, 7.5),
        platform=Platform("x86_64-v2", "el9", ("/cvmfs/a.b.ch", "root-6.30")),
        allow=("SITE_A", "SITE_B"),
        block=("SITE_C",),
        group="higgs.zz",
        outputs=(an_output(merge=True),),
    )
    task = a_task(f"zmumu-{os.getpid()}-{next(NUMBERS)}", payload=payload, directory=str(tmp_path))
    return Mine(pools, task)
