"""Every protocol against a real server: what an endpoint promises holds for all of them."""

import itertools
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from s3_storage import ObjectStore
from storage_element import StorageElement

from router.errors import UserError
from router.model import files
from router.model.files import File, Located, Replica
from router.model.transfer import Transfer, TransferCause, TransferError
from router.store.schema import sqlite_url
from router.store.store import Store
from router.testing.clock import NOON
from router.transfer.endpoint import Endpoint
from router.transfer.endpoints import endpoint
from router.transfer.writing import PART, failure, name_of_test

CONTENT = os.urandom(3_000_000)
FACTS = (len(CONTENT), f"{zlib.adler32(CONTENT):08x}")
RIGHTS = "storage.read:/user storage.modify:/user"
NUMBERS = itertools.count()


def an_endpoint(storage: StorageElement, scheme: str, scope: str = RIGHTS, **claims: object) -> Endpoint:
    token = storage.token(f"t{next(NUMBERS)}", scope, **claims)
    return endpoint(files.StorageElement("SE", "SITE", storage.prefix(scheme)), str(token), 10.0)


@pytest.fixture(params=["file", "http", "root", "s3"])
def reached(request: pytest.FixtureRequest, tmp_path: Path) -> Endpoint:
    """An endpoint of each protocol that may write below /user."""
    if request.param == "file":
        return endpoint(files.StorageElement("SE", "SITE", f"file://{tmp_path}"))
    if request.param == "s3":
        store: ObjectStore = request.getfixturevalue("object_store")
        return endpoint(files.StorageElement("SE", "SITE", store.prefix), str(store.keys()), 20.0)
    return an_endpoint(request.getfixturevalue("storage"), request.param)


@pytest.fixture
def lfn() -> str:
    return f"/user/alice/task-{next(NUMBERS)}/sub/hist=a+b@c.root"


def put(to: Endpoint, lfn: str, content: bytes = CONTENT, part: str = "1") -> None:
    blocks = (content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000))
    to.write(lfn, part, blocks, len(content))


def test_a_part_becomes_a_file_and_is_read_as_it_was_written(reached, lfn):
    put(reached, lfn)
    assert reached.facts(lfn) is None
    assert reached.facts(lfn, "1") == FACTS
    reached.publish(lfn, "1")
    assert (reached.facts(lfn), reached.facts(lfn, "1")) == (FACTS, None)
    assert b"".join(reached.read(lfn)) == CONTENT


def test_an_empty_file_is_a_file(reached, lfn):
    put(reached, lfn, b"")
    reached.publish(lfn, "1")
    assert reached.facts(lfn) == (0, "00000001")
    assert b"".join(reached.read(lfn)) == b""


def test_a_published_part_takes_the_place_of_an_older_file(reached, lfn):
    put(reached, lfn, b"older")
    reached.publish(lfn, "1")
    put(reached, lfn, part="2")
    reached.publish(lfn, "2")
    assert reached.facts(lfn) == FACTS


def test_what_is_removed_is_gone_and_removing_it_again_is_no_error(reached, lfn):
    put(reached, lfn)
    reached.remove(lfn, "1")
    reached.remove(lfn, "1")
    reached.remove(f"{lfn}/no/such/directory")
    assert reached.facts(lfn, "1") is None


def test_a_missing_file_is_named_as_missing(reached, lfn):
    with pytest.raises(TransferError) as error:
        next(iter(reached.read(lfn)))
    assert error.value.cause is TransferCause.SOURCE_MISSING


def test_what_reading_the_source_raises_is_passed_on(reached, lfn):
    def broken():
        yield CONTENT[:1000]
        raise TransferError(TransferCause.SOURCE_DOWN, "the source went away")

    with pytest.raises(TransferError) as error:
        reached.write(lfn, "1", broken(), 2000)
    assert error.value.cause is TransferCause.SOURCE_DOWN


@pytest.mark.parametrize("scheme", ["http", "root"])
@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("storage.read:/user", {}),
        ("storage.modify:/user/bob storage.read:/user", {}),
        ("storage.modify:/user/al storage.read:/user", {}),
        (RIGHTS, {"lifetime": -60}),
        (RIGHTS, {"iss": "https://elsewhere.test"}),
    ],
    ids=["reads only", "of another", "of a name that begins alike", "expired", "of another issuer"],
)
def test_a_token_without_the_right_is_a_permission_that_is_missing(storage, lfn, scheme, scope, claims):
    found = an_endpoint(storage, scheme, scope, **claims)
    with pytest.raises(TransferError) as error:
        put(found, lfn)
    assert error.value.cause is TransferCause.PERMISSION
    assert "eyJ" not in str(error.value)
    assert not (storage.data / lfn[1:]).exists()


def test_storage_that_takes_outputs_passes_the_test_and_keeps_nothing_of_it(reached):
    for _ in range(2):
        assert failure(reached, "SE") is None
    name = name_of_test("SE")
    assert (reached.facts(name), reached.facts(name, PART)) == (None, None)


@pytest.mark.parametrize("scheme", ["http", "root"])
def test_storage_that_may_only_be_read_does_not_pass(storage, scheme):
    fault = failure(an_endpoint(storage, scheme, "storage.read:/user"), "SE")
    assert fault is not None
    assert fault.cause is TransferCause.PERMISSION


@pytest.mark.parametrize("scheme", ["http", "root"])
def test_a_server_that_is_not_there_is_down(lfn, scheme):
    gone = endpoint(files.StorageElement("SE", "SITE", f"{scheme}://127.0.0.1:9//"), "", 3.0)
    with pytest.raises(TransferError) as error:
        put(gone, lfn)
    assert error.value.cause in (TransferCause.DOWN, TransferCause.TIME_OUT)


def test_a_prefix_that_names_a_user_is_refused():
    with pytest.raises(UserError, match="no prefix"):
        endpoint(files.StorageElement("SE", "SITE", "http://ok@evil.example.org/store"))


@pytest.mark.parametrize("scheme", ["http", "root"])
def test_the_agent_brings_outputs_to_a_real_storage_element(storage, tmp_path, scheme):
    base = f"/user/alice/run-{scheme}"
    site = {"name": "HERE_DISK", "prefix": f"file://{tmp_path}/here"}
    token = str(storage.token(f"agent-{scheme}", f"storage.read:{base} storage.modify:{base}"))
    home = {"name": "HOME_DISK", "prefix": storage.prefix(scheme), "token": token}
    sites = {"HERE": {"storage": site}, "HOME": {"storage": home}}
    (tmp_path / "glideroute.yaml").write_text(json.dumps({"sites": sites}))
    (tmp_path / "glideroute.yaml").chmod(0o600)
    wanted = []
    for number in range(20):
        file = File(f"{base}/out_{number}.root", *FACTS)
        path = tmp_path / "here" / file.lfn[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
        wanted.append(Transfer(file, "alice", "run", f"{number:04d}", "HERE_DISK", "HOME_DISK"))
    store = Store(sqlite_url(tmp_path / "glideroute.db"))
    store.hand_over(wanted, NOON)
    store.register([Located(each.file, (Replica("HERE_DISK", "HERE", "file://x"),)) for each in wanted], "alice", NOON)
    command = [sys.executable, "-m", "router.cli.main", "stageout", "run", "--once", "--json"]
    environment = {**os.environ, "GLIDEROUTE_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 20
    for each in store.files(store.listing(base)):
        assert [replica.se for replica in each.replicas] == ["HOME_DISK"]
        assert (storage.data / each.file.lfn[1:]).read_bytes() == CONTENT
    assert len(list((storage.data / base[1:]).iterdir())) == 20
    store.close()
