"""Getting a file: the first copy whose bytes are right, and words when there is none."""

import os
import zlib
from pathlib import Path

import pytest

from router.errors import TemporaryError
from router.model.files import File, Located, Replica
from router.transfer.fetch import fetch

CONTENT = b"events" * 1000


def located(*replicas: Replica, content: bytes = CONTENT) -> Located:
    return Located(File("/demo/a.root", len(content), f"{zlib.adler32(content):08x}"), replicas)


def copy_at(folder: Path, name: str, content: bytes = CONTENT) -> Replica:
    (folder / name).write_bytes(content)
    return Replica(name, "SITE_A", f"file://{folder / name}")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path / "to" / "a.root"


def test_a_file_arrives_whole(tmp_path, target):
    assert fetch(located(copy_at(tmp_path, "A")), target) == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["a.root"]


def test_an_empty_file_arrives_too(tmp_path, target):
    fetch(located(copy_at(tmp_path, "A", b""), content=b""), target)
    assert target.read_bytes() == b""


@pytest.mark.parametrize("broken", [b"events" * 999, CONTENT[:-1] + b"x", b"", CONTENT + b"x"])
def test_a_copy_with_other_bytes_is_passed_over(tmp_path, target, broken):
    fetch(located(copy_at(tmp_path, "A", broken), copy_at(tmp_path, "B")), target)
    assert target.read_bytes() == CONTENT


def test_what_every_copy_answered_is_told_and_nothing_is_left_behind(tmp_path, target):
    lost = Replica("B", "SITE_B", f"file://{tmp_path}/none")
    with pytest.raises(TemporaryError) as caught:
        fetch(located(copy_at(tmp_path, "A", b"short"), lost), target)
    words = str(caught.value)
    assert words.startswith("/demo/a.root cannot be read: A: 5 bytes with adler32")
    assert "B: " in words
    assert list(target.parent.iterdir()) == []


def test_what_was_there_before_stays_when_no_copy_is_right(tmp_path, target):
    target.write_bytes(b"old")
    with pytest.raises(TemporaryError):
        fetch(located(copy_at(tmp_path, "A", b"short")), target)
    assert target.read_bytes() == b"old"


def test_a_file_without_a_copy_is_told(target):
    with pytest.raises(TemporaryError, match="it has no copy"):
        fetch(located(), target)


def test_a_copy_that_is_no_regular_file_is_not_read(tmp_path, target):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TemporaryError, match="no regular file"):
        fetch(located(Replica("A", "SITE_A", f"file://{tmp_path}/pipe")), target)
    with pytest.raises(TemporaryError, match="no regular file"):
        fetch(located(Replica("A", "SITE_A", "file:///dev/zero")), target)
