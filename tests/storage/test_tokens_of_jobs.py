"""Jobs write to and read from storage on the web with their owner's token, which HTCondor brings them."""

import json
import zlib
from pathlib import Path

import pool_backend
import pytest
from organisation import LIVELY, Organisation, at_work, settled, until
from storage_element import StorageElement

pytestmark = pytest.mark.pool

CONTENT = b"muons of everybody\n"
PROGRAM = "#!/bin/sh\ncat glideroute_inputs/0000/f.txt > copy.txt\n"
PAYLOAD = {
    "name": "token",
    "executable": "copy.sh",
    "input": {"dataset": "/user/alice/data"},
    "outputs": [{"name": "copy.txt"}],
    "token": "storage",
    "requests": {"memory": "100 MB", "disk": "10 MB", "walltime": "5 min"},
}


@pytest.fixture
def organisation(live_pool: pool_backend.LivePool, storage: StorageElement, tmp_path: Path) -> Organisation:
    """A site whose storage speaks WebDAV over TLS and takes nothing without a token."""
    entry = {"cpus": 1, "memory": "1200 MB", "disk": "3 GB", "walltime": "2 h", "idle": "10 min", "max_glideins": 1}
    trusting = {"attributes": {"X509_CERT_DIR": str(storage.folder), "GLIDEIN_Update_Interval": "5"}}
    site = {"storage": {"name": "WEB_DISK", "prefix": storage.prefix("davs")}, "entries": {"web": entry | trusting}}
    storage.folder.chmod(0o755)
    made = settled(live_pool, tmp_path, {**LIVELY, "sites": {"WEBSITE": site}})
    path = storage.data / "user/alice/data/f.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    checksum = f"{zlib.adler32(CONTENT):08x}"
    known = {"lfn": "/user/alice/data/f.txt", "size": len(CONTENT), "adler32": checksum, "events": 1}
    (tmp_path / "files.json").write_text(json.dumps([{**known, "sites": ["WEBSITE"]}]))
    (tmp_path / "copy.sh").write_text(PROGRAM)
    (tmp_path / "token.yaml").write_text(json.dumps(PAYLOAD))
    answer = made.run("dataset", "add", "/user/alice/data", tmp_path / "files.json")
    assert answer.code == 0, answer.err
    return made


def test_a_job_without_its_token_is_held_with_the_reason_and_with_it_reads_and_writes_at_the_storage(
    organisation: Organisation, storage: StorageElement
) -> None:
    folder = organisation.live.pool.home / "credentials/alice"
    folder.mkdir(exist_ok=True)
    submitted = organisation.run("submit", "--json", organisation.home / "token.yaml")
    assert submitted.code == 0, submitted.err
    task = submitted.json["task"]

    def told() -> str:
        return organisation.run("status", task).out

    with at_work(organisation):
        until(lambda: "credentials are missing" in told(), 60)
        token = storage.token("jobs", "storage.read:/user/alice storage.modify:/user/alice")
        (folder / "storage.use").write_text(token.read_text())
        assert organisation.run("retry", task).code == 0
        until(lambda: "finished" in told() or "failed" in told(), 60)
        until(lambda: organisation.run("status", task, "--json").json["done"], 30)
    found = organisation.run("replicas", f"/user/alice/{task}/copy_0000.txt", "--json")
    assert found.code == 0, found.err + told() + organisation.run("status", task, "--json").out
    [copy] = found.json["replicas"]
    assert (copy["se"], copy["pfn"]) == ("WEB_DISK", f"{storage.prefix('davs')}user/alice/{task}/copy_0000.txt")
    assert (storage.data / f"user/alice/{task}/copy_0000.txt").read_bytes() == CONTENT
