"""Folders of code: packed alike, and neither packing nor unpacking reaches a file outside."""

import io
import os
import tarfile

import pytest
from code_folder import a_code_folder

from router.errors import UserError
from router.packages import bundle
from router.worker.wrapper.bundle import check_bundle, unpack
from router.worker.wrapper.exit_codes import Failure


@pytest.fixture
def folder(tmp_path):
    return a_code_folder(tmp_path)


@pytest.mark.attack("A42")
@pytest.mark.parametrize("kind", ["link", "folder link", "pipe"])
def test_what_is_no_file_of_the_folder_is_refused_by_name(folder, tmp_path, kind):
    (tmp_path / "secret").write_text("secret")
    odd = folder / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to(tmp_path / "secret" if kind == "link" else tmp_path)
    with pytest.raises(UserError, match=r"mylib/odd is .* cannot be sent.* /odd into .*glideignore"):
        bundle.pack(folder, tmp_path / "store")
    (folder / ".glideignore").write_text("/odd\n")
    with tarfile.open(bundle.pack(folder, tmp_path / "store")) as tar:
        assert tar.getnames() == ["a.py", "inner/run.sh"]


@pytest.mark.attack("A42")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../out", tarfile.REGTYPE),
        ("/tmp/out", tarfile.REGTYPE),
        ("a/../../out", tarfile.REGTYPE),
        ("a\\b", tarfile.REGTYPE),
        ("out", tarfile.SYMTYPE),
        ("out", tarfile.LNKTYPE),
        ("out", tarfile.CHRTYPE),
        ("out", tarfile.FIFOTYPE),
        ("..", tarfile.DIRTYPE),
    ],
)
def test_a_hostile_bundle_is_not_unpacked(tmp_path, name, kind):
    hostile = tarfile.TarInfo(name)
    hostile.type, hostile.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        tar.addfile(hostile, io.BytesIO(b""))
    with pytest.raises(Failure, match="cannot be unpacked"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "x")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["x", "x.tar.gz"]


@pytest.mark.attack("A42")
def test_a_bundle_writes_over_nothing(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO(b""))
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO(b""))
    with pytest.raises(Failure, match="exists"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "x")
    (tmp_path / "y").symlink_to(tmp_path)
    with pytest.raises(Failure, match="exists"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "y")
    (tmp_path / "z.tar.gz").write_bytes(b"no tarball")
    with pytest.raises(Failure, match="cannot be unpacked"):
        unpack(tmp_path / "z.tar.gz", tmp_path / "z")


@pytest.mark.attack("A43")
@pytest.mark.parametrize("poison", ["other bytes", "link", "no digest", "nothing"])
def test_code_that_another_job_changed_on_the_node_is_not_unpacked(folder, tmp_path, poison):
    packed = bundle.pack(folder, tmp_path / "store")
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    ours, told = sandbox / "mylib.tar.gz", sandbox / "mylib.tar.gz.sha256"
    ours.write_bytes(packed.read_bytes())
    told.write_text(packed.name.partition(".")[0] + "\n")
    check_bundle(ours)
    match poison:
        case "other bytes":
            with ours.open("ab") as changed:
                changed.write(b"x")
        case "link":
            ours.unlink()
            ours.symlink_to(packed)
        case "no digest":
            told.unlink()
        case "nothing":
            ours.unlink()
    with pytest.raises(Failure, match=r"mylib\.tar\.gz (has other bytes|did not come)") as refused:
        check_bundle(ours)
    assert refused.value.cause == "stage_in_failed"
