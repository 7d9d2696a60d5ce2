"""A data service tells of a dataset at one busy site; a copy is made at another, and jobs read it there."""

import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
from organisation import LIVELY, Organisation, at_work, settled, storing, until

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/unit/catalogues"))
from dbs_service import TOKEN, Bookkeeping, serving  # noqa: E402 - it is where the plug-in's own tests are

pytestmark = [pytest.mark.pool, pytest.mark.slow]

FILES = 24
ENTRY = {"cpus": 1, "memory": "300 MB", "disk": "1 GB", "walltime": "1 h", "idle": "10 min", "max_glideins": 1}
EAGER = {
    **{"per_day": "1 GB", "wait": "1 s", "least_jobs": 1, "least_gain": "1 s", "least_gain_share": 0.01},
    "look": "1 s",
}


def plug_in(folder: Path) -> None:
    """The plug-in of docs/data-services.md, as an installed package."""
    page = (ROOT / "docs/data-services.md").read_text()
    code = re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert code is not None
    offer = folder / "gamma_glideroute-1.0.dist-info"
    offer.mkdir(parents=True)
    (offer / "METADATA").write_text("Metadata-Version: 2.1\nName: gamma-glideroute\nVersion: 1.0\n")
    (offer / "entry_points.txt").write_text("[glideroute.catalogues]\ngamma = gamma_glideroute:connect\n")
    (folder / "gamma_glideroute.py").write_text(code.group(1))


@pytest.fixture
def mine(
    live_pool: pool_backend.LivePool, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Organisation]:
    home = tmp_path_factory.mktemp("placement")
    sites = storing(home, "SITE_A", "SITE_B", entry=ENTRY)
    plug_in(home / "packages")
    monkeypatch.setenv("PYTHONPATH", str(home / "packages"))
    (home / "token").write_text(TOKEN)
    told = []
    for number in range(FILES):
        data = f"event {number}\n".encode() * 100
        (home / "SITE_A/gamma").mkdir(exist_ok=True)
        (home / f"SITE_A/gamma/{number}").write_bytes(data)
        known = {"size": len(data), "adler32": f"{zlib.adler32(data):08x}", "events": 100, "lumis": []}
        told.append({"name": f"/{number}", "sites": ["SITE_A_DISK"], **known})
    with serving(Bookkeeping, datasets={"/many": told}) as service:
        options = {"url": service.url, "token": str(home / "token")}
        services = {"books": {"plugin": "gamma", "prefix": "/gamma", "options": options}}
        settings = {**LIVELY, "stageout": {"interval": "1 s"}, "sites": sites, "placement": EAGER}
        yield settled(live_pool, home, {**settings, "data_services": services})


def test_jobs_that_wait_for_data_of_a_service_read_a_copy_that_was_made_for_them(mine: Organisation) -> None:
    (mine.home / "read.sh").write_text("#!/bin/sh\nsleep 1\n")
    payload = mine.home / "many.yaml"
    requests = {"memory": "128 MB", "disk": "10 MB", "walltime": "5 min"}
    asked = {"input": {"dataset": "/gamma/many"}, "split": {"by": "files", "target": 1}, "requests": requests}
    payload.write_text(json.dumps({"name": "many", "executable": "read.sh", **asked}))
    submitted = mine.run("submit", payload, "--json")
    assert submitted.code == 0, submitted.err
    task = str(submitted.json["task"])
    with at_work(mine, "router", "factory", "stageout"):
        until(lambda: placed(mine).get("state") == "is there", 60.0)
        until(lambda: "SITE_B_DISK" in read_at(mine, task), 120.0)
        assert "A copy of /gamma/many at SITE_B_DISK is there" in mine.run("why", task).out
    copies = sorted(path.name for path in (mine.home / "SITE_B/gamma").iterdir())
    assert copies == sorted(str(number) for number in range(FILES))
    assert "wait for it, which lies at SITE_A" in str(placed(mine)["words"])


def placed(mine: Organisation) -> dict[str, object]:
    found = mine.run("data", "placed", "/gamma/many", "--json").json
    return found[0] if found else {}  # type: ignore[index,no-any-return]


def read_at(mine: Organisation, task: str) -> set[str]:
    """The storage elements that the task's jobs have read from."""
    reports = (mine.home / "tasks/alice" / task).rglob("*.json")
    read = [json.loads(path.read_text()) for path in reports if "report" in str(path)]
    return {each["se"] for report in read for each in report.get("inputs", ())}
