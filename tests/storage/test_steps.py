"""The steps of the Common Analysis Framework's proof of concept, on a real pool with a real storage element.

Data that anybody may read lies at an XRootD server. Jobs at a site that has none of it read it there, and write to the
site's own disk, which the same server serves. The agent brings what is merged to the user's storage, and the user gets
it on a machine that knows only where the storage elements and the database are.
"""

import json
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.request import urlopen

import pool_backend
import pytest
from organisation import LIVELY, Answer, Organisation, at_work, run, settled, until
from storage_element import StorageElement

from router import wiring
from router.api import Router
from router.model.answer import TaskStatus
from router.model.fetch import FetchFailure
from router.model.files import Replica

pytestmark = pytest.mark.pool

FILES = {f"/demo/zmumu/f{number}.txt": f"{number} muons\n".encode() * 100 for number in range(4)}
CHOSEN = sorted(FILES)[1:]
"""What the payload's query asks for."""
PROGRAM = """\
#!/usr/bin/env python3
import json, os
from XRootD import client

def lines(each):
    if each["access"] == "copy":
        return open(each["path"]).read().splitlines()
    with client.File() as remote:
        assert remote.open(each["path"])[0].ok
        return remote.read()[1].decode().splitlines()

found = []
for each in json.load(open(os.environ["GLIDEROUTE_INPUTS"])):
    mine = lines(each)[each["first_event"] :][: each["events"]]
    found += [int(line.split()[0]) for line in mine]
json.dump(found, open("found.json", "w"))
print("job", os.environ["GLIDEROUTE_JOB"], "found", len(found))
"""
PAYLOAD = {
    "name": "zmumu",
    "executable": "analyse.py",
    "input": {"dataset": "/demo/zmumu", "where": "run >= 148030", "access": "auto"},
    "split": {"by": "events", "target": 150},
    "outputs": [{"name": "found.json", "merge": "auto"}],
    "destination": "HOME_DISK",
    "requests": {"memory": "100 MB", "disk": "10 MB", "walltime": "5 min"},
}
ENTRY = {
    **{"cpus": 1, "memory": "1200 MB", "disk": "3 GB", "walltime": "2 h", "idle": "10 min", "max_glideins": 2},
    "software": {"python": sys.executable, "modules": ["XRootD"]},
}
RULES = """\
<storage-mapping>
  <lfn-to-pfn protocol="local" path-match="/user/(.*)" result="{disk}/$1"/>
  <lfn-to-pfn protocol="file" chain="local" path-match="(.*)" result="file://$1"/>
</storage-mapping>
"""


@dataclass(frozen=True)
class Steps:
    """One task on its way, and who looks at it."""

    here: Organisation
    asked: Router
    """The user's interface in this process: asked again and again it is no load to the pool's machine."""
    storage: StorageElement
    elsewhere: Path
    """The GLIDEROUTE_HOME of the user's other machine."""
    task: str
    planned: str
    """What the dry run printed."""

    @cached_property
    def done(self) -> TaskStatus:
        """The status at the end."""
        until(self.is_done, 90)
        return self.asked.status(self.task)

    def is_done(self) -> bool:
        found = self.asked.status(self.task)
        assert not found.failures, self.here.run("status", self.task, "--jobs").out
        return found.done

    def reports(self) -> dict[str, dict[str, object]]:
        """What the wrappers of the jobs said, by job."""
        found = (self.here.home / "tasks/alice" / self.task / "reports").glob("*.json")
        return {path.stem: json.loads(path.read_text()) for path in found}

    def copies(self, name: str) -> list[Replica]:
        return [each.replica for each in self.asked.catalogue.copies(f"/user/alice/{self.task}/{name}")]

    def away(self, *arguments: str | Path, token: Path | None = None) -> Answer:
        """Run a command on the user's other machine, with a token."""
        mine = {"GLIDEROUTE_HOME": str(self.elsewhere), "GLIDEROUTE_USER": "alice"}
        mine["BEARER_TOKEN_FILE"] = str(token or self.elsewhere / "none")
        return run(arguments, {**os.environ, **self.here.live.pool.env("alice"), **mine})


@pytest.fixture(scope="module")
def steps(
    live_pool: pool_backend.LivePool, storage: StorageElement, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Steps]:
    home = tmp_path_factory.mktemp("steps")
    disk = storage.data / "site"
    disk.mkdir(mode=0o777)
    disk.chmod(0o777)
    (home / "storage.xml").write_text(RULES.format(disk=disk / "user"))
    told = {"token": str(storage.token("agent", "storage.read:/ storage.modify:/"))}
    site = {"name": "SITE_DISK", "prefix": storage.prefix("root") + "site", "rules": str(home / "storage.xml"), **told}
    away = {"HOME": {"storage": {"name": "HOME_DISK", "prefix": storage.prefix("root"), **told}}}
    here = {"SITE": {"storage": site, "entries": {"site": ENTRY}}, **away}
    # For plug-ins, which speak no XRootD: a server that is not there, and the same one by HTTP.
    here |= {
        "DEAD": {"storage": {"prefix": "http://127.0.0.1:9"}},
        "WEB": {"storage": {"prefix": storage.prefix("http")}},
    }
    often = {"stageout": {"interval": "1 s"}, "accounting": {"interval": "1 s"}}
    organisation = settled(live_pool, home, {**LIVELY, **often, "sites": here})
    mine = replace(organisation.settings, user="alice")
    with at_work(organisation, "router", "factory", "stageout"), wiring.user_session(mine) as asked:
        publish(organisation, storage)
        planned = organisation.run("submit", "--dry-run", home / "zmumu.yaml").out
        submitted = organisation.run("submit", "--json", home / "zmumu.yaml")
        assert submitted.code == 0, submitted.err
        task: str = submitted.json["task"]
        yield Steps(organisation, asked, storage, other_machine(organisation, tmp_path_factory), task, planned)


def publish(organisation: Organisation, storage: StorageElement) -> None:
    """Put the data onto the storage element, register it, and say of which run each file is."""
    manifest = []
    for lfn, content in FILES.items():
        path = storage.data / lfn[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        checksum = f"{zlib.adler32(content):08x}"
        manifest.append({"lfn": lfn, "size": len(content), "adler32": checksum, "events": 100, "sites": ["HOME"]})
    home = organisation.home
    (home / "files.json").write_text(json.dumps(manifest))
    assert organisation.run("dataset", "add", "/demo/zmumu", home / "files.json").code == 0
    assert organisation.run("meta", "set", "/demo/zmumu", "run=148030").code == 0
    assert organisation.run("meta", "set", next(iter(FILES)), "run=148029").code == 0
    (home / "analyse.py").write_text(PROGRAM)
    (home / "zmumu.yaml").write_text(json.dumps(PAYLOAD))


def other_machine(organisation: Organisation, factory: pytest.TempPathFactory) -> Path:
    """A machine with a client's settings only: where the database and the storage elements are."""
    home = factory.mktemp("laptop")
    sites = {site.name: {"storage": {"name": site.storage.name, "prefix": site.storage.prefix}} for site in
             organisation.settings.sites if site.storage}  # fmt: skip
    told = {"database": organisation.settings.database_url, "sites": sites}
    (home / "glideroute.yaml").write_text(json.dumps(told))
    return home


def test_step2_a_query_finds_the_data_and_jobs_read_it_from_the_storage_element(steps: Steps) -> None:
    assert "reads 3 of 4 file(s)" in steps.planned
    assert steps.done.counts == {"finished": 3}
    read = [
        (each["lfn"], each["access"])
        for _, report in sorted(steps.reports().items())
        for each in report["inputs"]  # type: ignore[attr-defined]
        if each["pfn"] == steps.storage.prefix("root") + each["lfn"][1:]
    ]
    # What is read whole is copied and checked; of what two jobs share each reads its part where it lies.
    first, second, third = CHOSEN
    assert read == [(first, "copy"), (second, "remote"), (second, "remote"), (third, "copy")]


def test_step3_outputs_go_where_the_sites_rules_say_with_their_checksum(steps: Steps) -> None:
    assert steps.done
    for job in ("0000", "0001"):
        [copy] = steps.copies(f"found_{job}.json")
        path = steps.storage.data / "site/user/alice" / steps.task / f"found_{job}.json"
        assert copy == Replica("SITE_DISK", "SITE", f"file://{path}")
        [output] = steps.reports()[job]["outputs"]  # type: ignore[misc]
        assert output["adler32"] == f"{zlib.adler32(path.read_bytes()):08x}"


def test_step4_the_agent_brings_the_merged_output_to_its_destination(steps: Steps) -> None:
    assert steps.done
    name = f"user/alice/{steps.task}/found_merged.json"
    [copy] = steps.copies("found_merged.json")
    assert (copy.se, copy.pfn) == ("HOME_DISK", steps.storage.prefix("root") + name)
    assert sorted(json.loads((steps.storage.data / name).read_text())) == [1] * 100 + [2] * 100 + [3] * 100
    until(lambda: not (steps.storage.data / "site" / name).exists())
    own = [path for path in steps.storage.data.rglob(".*part-*") if steps.task in path.parts]
    assert own == []  # other tests share the server, and leave parts of copies that they cut short


def test_step5_results_and_logs_are_got_from_another_machine(steps: Steps, tmp_path: Path) -> None:
    assert steps.done
    refused = steps.away("results", steps.task, "--to", tmp_path / "results")
    assert (refused.code, "HOME_DISK: " in refused.err) == (4, True), refused.err
    token = steps.storage.token("alice", "storage.read:/user/alice")
    answer = steps.away("results", steps.task, "--to", tmp_path / "results", "--json", token=token)
    assert answer.code == 0, answer.err
    [merged] = answer.json["files"]
    assert len(json.loads(Path(merged).read_text())) == 300
    assert steps.away("logs", steps.task, "0000").out == "job 0000 found 150\n"


def lfn_job(steps: Steps, name: str, lfn: str) -> int:
    """Submit a plain submit file that reads a logical name; its cluster."""
    folder = steps.here.home / name
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "job.sub").write_text(
        f"executable = /bin/cat\narguments = {lfn.rpartition('/')[2]}\ntransfer_input_files = lfn://{lfn}\n"
        f"should_transfer_files = YES\ninitialdir = {folder}\noutput = out\nerror = err\nlog = log\n"
        "request_memory = 100\nrequest_disk = 1M\nMy.MaxWallTimeMins = 5\nqueue\n"
    )
    answer = steps.here.run("submit", "--json", folder / "job.sub")
    assert answer.code == 0, answer.err
    return int(answer.json["clusters"][0])


@pytest.fixture(scope="module")
def lfn_jobs(steps: Steps) -> tuple[int, int]:
    """A job whose file's first copy is at a server that is not there, and one of whose file there is no other copy."""
    found = steps.storage.data / "demo/found.txt"
    found.write_bytes(b"found")
    facts = {"size": 5, "adler32": f"{zlib.adler32(b'found'):08x}", "events": 1}
    copies = {"/demo/found.txt": ["DEAD", "WEB"], "/demo/lost.txt": ["DEAD"]}
    manifest = steps.here.home / "lfn.json"
    manifest.write_text(json.dumps([{"lfn": lfn, **facts, "sites": sites} for lfn, sites in copies.items()]))
    assert steps.here.run("dataset", "add", "/demo/lfn", manifest).code == 0
    return lfn_job(steps, "found", "/demo/found.txt"), lfn_job(steps, "lost", "/demo/lost.txt")


def test_a_submit_file_reads_a_logical_name_from_the_next_copy_where_the_first_is_dead(
    steps: Steps, lfn_jobs: tuple[int, int]
) -> None:
    output = steps.here.home / "found/out"
    until(lambda: output.exists() and output.read_text() == "found", 60)


def test_what_each_copy_answered_is_read_back_and_told(steps: Steps, lfn_jobs: tuple[int, int]) -> None:
    def unread(cluster: int) -> tuple[FetchFailure, ...]:
        return steps.asked.why(str(cluster))[0].unread

    until(lambda: unread(lfn_jobs[0]) and unread(lfn_jobs[1]), 60)
    [failed] = unread(lfn_jobs[0])
    assert (failed.se, failed.cause, failed.count) == ("DEAD_DISK", "down", 1)
    assert "Connection refused" in failed.words
    assert "could not be fetched from DEAD_DISK: down" in steps.here.run("why", str(lfn_jobs[1])).out
    address = (steps.here.home / "run/router.address").read_text().strip()
    told = urlopen(f"http://{address.removeprefix('http://').partition('/')[0]}/metrics").read().decode()
    assert 'glideroute_input_copies_total{cause="down",se="DEAD_DISK"} 2.0' in told
    assert 'glideroute_input_copies_total{cause="",se="WEB_DISK"} 1.0' in told
