"""Mounted storage: causes by their names, and no symbolic link is followed."""

import errno
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.errors import UserError
from router.model.files import File, StorageElement
from router.model.transfer import Fault, Transfer, TransferCause
from router.testing.build import a_storage, a_transfer
from router.transfer.copying import Copier
from router.transfer.endpoints import endpoint, endpoints
from router.transfer.local import LocalEndpoint

LFN = "/user/alice/zmumu-1/hist.root"
CONTENT = b"histogram" * 1000


@pytest.fixture
def elements(tmp_path: Path) -> dict[str, StorageElement]:
    found = {}
    for site in ("SITE_A", "SITE_B"):
        (tmp_path / site).mkdir()
        found[f"{site}_DISK"] = a_storage(site, f"file://{tmp_path / site}")
    return found


@pytest.fixture
def copier(elements: dict[str, StorageElement]) -> Copier:
    return Copier(elements, endpoints(elements.values(), {}, 5.0), 2)


def at(tmp_path: Path, site: str, lfn: str = LFN) -> Path:
    path = tmp_path / site / lfn[1:]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def an_output(tmp_path: Path, content: bytes = CONTENT, epoch: int = 1) -> Transfer:
    at(tmp_path, "SITE_A").write_bytes(content)
    return a_transfer(file=File(LFN, len(content), f"{zlib.adler32(content):08x}"), epoch=epoch)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_an_output_is_copied_whole_and_nothing_else_stays_there(tmp_path, copier):
    [(moved, fault)] = copier.move([an_output(tmp_path)])
    assert fault is None
    assert at(tmp_path, "SITE_B").read_bytes() == CONTENT
    assert names(at(tmp_path, "SITE_B").parent) == ["hist.root"]
    copier.clear(moved)
    assert not at(tmp_path, "SITE_A").exists()
    copier.clear(moved)
    assert copier.replica(moved).pfn == f"file://{tmp_path}/SITE_B{LFN}"


def test_what_an_earlier_copy_brought_is_not_copied_again(tmp_path, copier):
    output = an_output(tmp_path, epoch=2)
    at(tmp_path, "SITE_B").write_bytes(CONTENT)
    at(tmp_path, "SITE_A").unlink()
    assert list(copier.move([output])) == [(output, None)]


def test_the_part_of_a_copy_that_was_killed_is_removed(tmp_path, copier):
    output = an_output(tmp_path, epoch=2)
    at(tmp_path, "SITE_B").with_name(".hist.root.part-1").write_bytes(b"half")
    assert list(copier.move([output])) == [(output, None)]
    assert names(at(tmp_path, "SITE_B").parent) == ["hist.root"]


def test_wrong_bytes_at_the_source_never_get_the_name(tmp_path, copier):
    output = an_output(tmp_path)
    at(tmp_path, "SITE_A").write_bytes(CONTENT[:-1] + b"X")
    [(_, fault)] = copier.move([output])
    assert fault is not None and fault.cause is TransferCause.CHECKSUM
    assert names(at(tmp_path, "SITE_B").parent) == []


class Spoilt(LocalEndpoint):
    """Storage that writes other bytes than it is given."""

    def write(self, lfn: str, part: str, blocks: object, size: int) -> None:
        assert isinstance(blocks, Iterator)
        super().write(lfn, part, [block[::-1] for block in blocks], size)


def test_what_the_destination_spoils_never_gets_the_name(tmp_path, elements):
    spoilt = {**endpoints(elements.values(), {}, 5.0), "SITE_B_DISK": Spoilt(tmp_path / "SITE_B")}
    [(_, fault)] = Copier(elements, spoilt, 1).move([an_output(tmp_path, b"abc")])
    assert fault is not None and fault.cause is TransferCause.CHECKSUM
    assert "SITE_B_DISK has 3 bytes" in fault.words
    assert names(at(tmp_path, "SITE_B").parent) == []


def failure(copier: Copier, output: Transfer) -> Fault:
    [(_, fault)] = copier.move([output])
    assert fault is not None
    return fault


def test_a_missing_source_is_named(tmp_path, copier):
    output = an_output(tmp_path)
    at(tmp_path, "SITE_A").unlink()
    assert failure(copier, output).cause is TransferCause.SOURCE_MISSING


def test_a_storage_that_is_not_mounted_is_down(tmp_path, copier):
    output = an_output(tmp_path)
    (tmp_path / "SITE_B").rename(tmp_path / "elsewhere")
    assert failure(copier, output).cause is TransferCause.DOWN


@pytest.mark.parametrize("place", ["file", "directory"])
def test_a_symbolic_link_at_the_source_is_not_followed(tmp_path, copier, place):
    output, secret = an_output(tmp_path), tmp_path / "secret"
    found = at(tmp_path, "SITE_A")
    if place == "file":
        found.rename(secret)
        found.symlink_to(secret)
    else:
        found.parent.rename(secret)
        found.parent.symlink_to(secret)
    fault = failure(copier, output)
    assert fault.cause is TransferCause.SOURCE_DOWN
    assert "symbolic link" in fault.words
    assert not at(tmp_path, "SITE_B").exists()


def test_a_symbolic_link_at_the_destination_is_not_written_through(tmp_path, copier):
    output, elsewhere = an_output(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "SITE_B" / "user").symlink_to(elsewhere)
    assert failure(copier, output).cause is TransferCause.PERMISSION
    assert not list(elsewhere.iterdir())


def test_a_named_pipe_at_the_source_does_not_block(tmp_path, copier):
    output = an_output(tmp_path)
    at(tmp_path, "SITE_A").unlink()
    os.mkfifo(at(tmp_path, "SITE_A"))
    assert failure(copier, output).cause is TransferCause.SOURCE_DOWN


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, TransferCause.QUOTA),
        (errno.EDQUOT, TransferCause.QUOTA),
        (errno.EACCES, TransferCause.PERMISSION),
        (errno.ETIMEDOUT, TransferCause.TIME_OUT),
        (errno.EIO, TransferCause.DOWN),
    ],
)
def test_what_the_system_says_is_a_cause(tmp_path, copier, monkeypatch, number, cause):
    output = an_output(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("router.transfer.local.os.fsync", refuse)
    assert failure(copier, output) == Fault(cause, f"{LFN}: {os.strerror(number)}")
    assert names(at(tmp_path, "SITE_B").parent) == []


def test_a_protocol_that_nobody_speaks_is_refused_by_its_name():
    with pytest.raises(UserError, match="gopher://"):
        endpoint(a_storage("SITE_A", "gopher://se/store"))
