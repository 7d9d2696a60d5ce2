"""Whether storage can be written to is tried as outputs are written, and nothing is left."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.model.transfer import TransferCause, TransferError
from router.transfer.endpoint import Facts
from router.transfer.local import LocalEndpoint
from router.transfer.writing import TEXT, WriteTester, failure


class Odd(LocalEndpoint):
    """Mounted storage that does what it is asked, but for one thing."""

    def __init__(self, root: Path, fails: str) -> None:
        super().__init__(root)
        self.fails = fails

    def __getattribute__(self, name: str):
        if name == object.__getattribute__(self, "fails"):

            def refuse(*_: object) -> None:
                raise TransferError(TransferCause.PERMISSION, f"no {name} here")

            return refuse
        return super().__getattribute__(name)


class Forgetful(LocalEndpoint):
    """Storage that gives back other bytes than it was given."""

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        found = super().facts(lfn, part)
        return found and (found[0], "00000000")


def left(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.is_file()]


def test_storage_that_takes_files_passes_and_keeps_none(tmp_path: Path) -> None:
    for _ in range(2):
        assert failure(LocalEndpoint(tmp_path), "A_DISK") is None
    assert left(tmp_path) == []


@pytest.mark.parametrize("step", ["write", "publish"])
def test_whatever_step_is_refused_is_told_and_nothing_is_left(tmp_path: Path, step: str) -> None:
    fault = failure(Odd(tmp_path, step), "A_DISK")
    assert fault is not None
    assert (fault.cause, fault.words) == (TransferCause.PERMISSION, f"no {step} here")
    assert left(tmp_path) == []


def test_a_file_that_cannot_be_removed_is_told_and_the_next_test_writes_over_it(tmp_path: Path) -> None:
    fault = failure(Odd(tmp_path, "remove"), "A_DISK")
    assert fault is not None
    assert fault.words == "no remove here"
    assert [path.read_bytes() for path in tmp_path.rglob("write-test-*")] == [TEXT]
    assert failure(LocalEndpoint(tmp_path), "A_DISK") is None
    assert left(tmp_path) == []


def test_other_bytes_than_were_written_are_a_failure(tmp_path: Path) -> None:
    fault = failure(Forgetful(tmp_path), "A_DISK")
    assert fault is not None
    assert fault.cause is TransferCause.CHECKSUM
    assert left(tmp_path) == []


def test_storage_that_is_not_there_is_down(tmp_path: Path) -> None:
    fault = failure(LocalEndpoint(tmp_path / "gone"), "A_DISK")
    assert fault is not None
    assert fault.cause is TransferCause.DOWN


class Hanging(LocalEndpoint):
    """Storage that answers when it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.answers = threading.Event()

    def write(self, *given) -> None:
        assert self.answers.wait(30)
        super().write(*given)


def outcomes(found: Iterator) -> list[str]:
    return [se for se, fault, took_s in found if fault is None and took_s >= 0]


def test_storage_that_hangs_is_waited_for_no_longer_than_asked_and_tested_once(tmp_path: Path) -> None:
    hanging = Hanging(tmp_path)
    tester = WriteTester({"HANGS": hanging, "WORKS": LocalEndpoint(tmp_path)})
    tester.begin("WORKS")
    assert outcomes(tester.ended(30.0)) == ["WORKS"]
    for _ in range(2):
        tester.begin("HANGS")
    assert outcomes(tester.ended(0.01)) == []
    hanging.answers.set()
    assert outcomes(tester.ended(30.0)) == ["HANGS"]
    assert outcomes(tester.ended(30.0)) == []


def test_a_fault_of_ours_is_not_taken_for_one_of_the_storage(tmp_path: Path) -> None:
    tester = WriteTester({})
    tester.begin("UNKNOWN")
    with pytest.raises(KeyError):
        list(tester.ended(30.0))
