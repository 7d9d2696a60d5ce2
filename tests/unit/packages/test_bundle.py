"""A packed folder: the same bytes for the same content, kept once, bounded, and unpacked as it was."""

import os
from pathlib import Path

import pytest
from code_folder import a_code_folder

from router.errors import UserError
from router.packages import bundle
from router.worker.wrapper.bundle import unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_code_folder(tmp_path)


def test_the_same_content_is_the_same_bytes_whenever_and_wherever(folder, tmp_path):
    first = bundle.pack(folder, tmp_path / "store")
    copy = tmp_path / "copy"
    (copy / "inner").mkdir(parents=True)
    for name in ("inner/run.sh", "a.py"):
        (copy / name).write_text((folder / name).read_text())
        os.utime(copy / name, (1, 1))
    (copy / "inner" / "run.sh").chmod(0o700)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "a.pyc").write_text("")
    assert bundle.pack(copy, tmp_path / "store") == first
    assert [path.name for path in (tmp_path / "store").iterdir()] == [first.name]
    (copy / "a.py").write_text("print(2)\n")
    assert bundle.pack(copy, tmp_path / "store") != first


def test_it_is_unpacked_as_it_was(folder, tmp_path):
    unpack(bundle.pack(folder, tmp_path / "store"), tmp_path / "there")
    assert (tmp_path / "there" / "a.py").read_text() == "print(1)\n"
    assert [os.access(tmp_path / "there" / name, os.X_OK) for name in ("a.py", "inner/run.sh")] == [False, True]


def test_what_is_too_large_is_told_with_its_largest_parts(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_BYTES", 1_000_000)
    (folder / "inner" / "big.root").write_bytes(bytes(1_500_000))
    with pytest.raises(UserError, match=r"(?s)1.5 MB in 3 files.*inner/big.root: 1.5 MB in 1 file.*glideignore"):
        bundle.pack(folder, tmp_path / "store")
    (folder / ".glideignore").write_text("*.root\n")
    assert bundle.pack(folder, tmp_path / "store").is_file()


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no file that is sent"):
        bundle.pack(tmp_path / "empty", tmp_path / "store")
