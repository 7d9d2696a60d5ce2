"""S3 on a real object store: what is particular to it."""

import itertools
import os
import zlib

import pytest
from s3_storage import KEYS, SECRET, ObjectStore

from router.errors import RouterError, UserError
from router.model import files
from router.model.files import File, Replica
from router.model.transfer import Transfer, TransferCause, TransferError
from router.transfer import s3
from router.transfer.copying import Copier
from router.transfer.endpoints import endpoint, endpoints
from router.transfer.reading import Reader, own_keys
from router.transfer.s3 import S3Endpoint

LEAST = 5 << 20
CONTENT = os.urandom(2 * LEAST + 1000)
FACTS = (len(CONTENT), f"{zlib.adler32(CONTENT):08x}")
NUMBERS = itertools.count()


@pytest.fixture
def lfn() -> str:
    return f"/user/alice/pieces-{next(NUMBERS)}/hist=a+b@c.root"


@pytest.fixture
def reached(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> S3Endpoint:
    """A bucket to which files go in pieces as small as S3 allows."""
    monkeypatch.setattr(s3, "PIECE", LEAST)
    monkeypatch.setattr(s3, "COPIED", LEAST)
    return S3Endpoint(object_store.prefix, lambda: KEYS, 20.0)


def blocks(content: bytes = CONTENT):
    return (content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000))


def test_a_large_file_is_written_and_named_in_pieces(reached, lfn):
    reached.write(lfn, "1", blocks(), len(CONTENT))
    assert (reached.facts(lfn), reached.facts(lfn, "1")) == (None, FACTS)
    reached.publish(lfn, "1")
    assert (reached.facts(lfn), reached.facts(lfn, "1")) == (FACTS, None)


def test_a_source_that_fails_leaves_no_upload_behind(reached, lfn):
    def broken():
        yield from itertools.islice(blocks(), 8)
        raise TransferError(TransferCause.SOURCE_DOWN, "the source went away")

    with pytest.raises(TransferError, match="went away"):
        reached.write(lfn, "1", broken(), len(CONTENT))
    assert reached._uploads(lfn, "1") == []


def test_an_upload_that_was_killed_is_removed_with_its_part(reached, lfn):
    path = reached._path(lfn, "1")
    with reached._answer("POST", lfn, path, {"uploads": ""}) as found:
        assert found.status == 200
    assert len(reached._uploads(lfn, "1")) == 1
    assert reached._uploads(lfn, "11") == []
    reached.remove(lfn, "11")
    assert len(reached._uploads(lfn, "1")) == 1
    reached.remove(lfn, "1")
    assert reached._uploads(lfn, "1") == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (KEYS.replace(SECRET, "canary"), "SignatureDoesNotMatch"),
        (KEYS.replace("agent", "who"), "403"),
        ("", "no section"),
    ],
    ids=["a wrong secret", "somebody unknown", "no keys"],
)
def test_keys_that_are_wrong_are_a_permission_that_is_missing(object_store, lfn, keys, words):
    wrong = S3Endpoint(object_store.prefix, lambda: keys, 20.0)
    with pytest.raises(TransferError, match=words) as error:
        wrong.write(lfn, "1", blocks(), len(CONTENT))
    assert error.value.cause is TransferCause.PERMISSION
    assert "canary" not in str(error.value)


def test_a_bucket_that_is_not_there_is_told_and_no_file_is_missing(object_store, lfn):
    other = S3Endpoint(object_store.prefix.replace("bucket", "none"), lambda: KEYS, 20.0)
    for ask in (lambda: other.facts(lfn), lambda: other.write(lfn, "1", [b"x"], 1)):
        with pytest.raises(TransferError, match="NoSuchBucket") as error:
            ask()
        assert error.value.cause is TransferCause.PERMISSION


def test_keys_that_others_may_read_are_not_used(object_store, lfn):
    element = files.StorageElement("SE", "SITE", object_store.prefix)
    with pytest.raises(TransferError, match="others may read them") as error:
        endpoint(element, str(object_store.keys(mode=0o640)), 20.0).facts(lfn)
    assert error.value.cause is TransferCause.PERMISSION


def test_a_prefix_without_a_bucket_is_refused():
    with pytest.raises(UserError, match="names no bucket"):
        S3Endpoint("s3s://s3.example.org/", lambda: KEYS, 20.0)


def test_outputs_are_moved_there_and_from_there_and_read_by_their_owner(object_store, tmp_path, lfn):
    bucket, disk = "BUCKET", "DISK"
    elements = {
        bucket: files.StorageElement(bucket, "CLOUD", object_store.prefix),
        disk: files.StorageElement(disk, "HERE", f"file://{tmp_path}"),
    }
    keys = object_store.keys()
    copier = Copier(elements, endpoints(elements.values(), {bucket: str(keys)}, 20.0), 2)
    place = tmp_path / lfn[1:]
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    there = Transfer(File(lfn, *FACTS), "alice", "t", "0000", disk, bucket, epoch=2)
    assert [outcome for outcome in copier.move([there]) if outcome] == [(there, None)]
    copier.clear(there)
    assert not place.exists()
    owners = {"AWS_SHARED_CREDENTIALS_FILE": str(keys)}
    reader = Reader.of(elements.values(), lambda: "", lambda: own_keys(owners, os.getuid()))
    copy = Replica(bucket, "CLOUD", elements[bucket].pfn(lfn))
    assert b"".join(reader.blocks("/renamed", copy)) == CONTENT
    back = Transfer(File(lfn, *FACTS), "alice", "t", "0000", bucket, disk, epoch=1)
    assert [outcome for outcome in copier.move([back]) if outcome] == [(back, None)]
    copier.clear(back)
    assert not reader.has(lfn, copy)
    assert place.read_bytes() == CONTENT


def test_without_keys_the_reader_is_told_where_they_are_looked_for(object_store, tmp_path, lfn):
    with pytest.raises(RouterError, match="keys for S3 cannot be read: No such file"):
        own_keys({"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}, os.getuid())
