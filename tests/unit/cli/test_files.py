"""The commands on the catalogue as a user runs them."""

import zlib
from pathlib import Path

import pytest

from router.api import Router
from router.model.files import StorageElement
from router.store.migrate import HEAD
from router.transfer import put as putting


@pytest.fixture
def storage(router: Router, tmp_path: Path) -> Path:
    """SITE_A's storage, which this machine mounts."""
    place = tmp_path / "se"
    router.storage = {  # type: ignore[assignment]
        "SITE_A": StorageElement("SITE_A_DISK", "SITE_A", f"file://{place}"),
        "SITE_B": StorageElement("SITE_B_DISK", "SITE_B", "root://se.example.org//store"),
    }
    return place


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of the user's."""
    made = tmp_path / "hist.root"
    made.write_bytes(b"some histograms")
    return made


def test_a_directory_is_made_filled_listed_and_removed(run):
    assert run("mkdir", "/demo/new/deep").code != 0
    assert run("mkdir", "-p", "/demo/new/deep").code == 0
    assert run("mv", "/demo/f1.root", "/demo/new").out == "/demo/new/f1.root\n"
    assert run("ln", "/demo/new/f1.root", "/demo/one").code == 0
    told = {each["name"]: each["kind"] for each in run("ls", "/demo", "--json").json}
    assert told == {
        "/demo/f2.root": "file", "/demo/f3.root": "file", "/demo/new": "directory", "/demo/one": "link",
        "/demo/zmumu": "dataset",
    }  # fmt: skip
    shown = run("ls", "/demo").out
    assert "drwxr-xr-x  alice" in shown
    assert "/demo/one -> /demo/new/f1.root" in shown
    assert run("rm", "/demo/new").code == 2
    assert run("rm", "-r", "/demo/new", "--dry-run", "--json").json == [
        "/demo/new",
        "/demo/new/deep",
        "/demo/new/f1.root",
    ]
    assert run("rm", "-r", "/demo/new").err == "3 name(s) removed.\n"
    assert [each["name"] for each in run("ls", "--removed", "--json").json] == ["/demo/new/f1.root"]
    assert "/demo/new/f1.root" in run("ls", "--removed").out
    assert run("restore", "/demo/new/f1.root").out == "/demo/new/f1.root is back.\n"
    assert run("stat", "/demo/one", "--json").json["target"] == "/demo/new/f1.root"


def test_rights_are_shown_and_changed(run):
    assert run("stat", "/demo/f1.root", "--json").json["mode"] == "644"
    assert run("chmod", "600", "/demo/f1.root", "/demo/f2.root").out == "2 name(s) changed.\n"
    assert "rw-------" in run("ls", "/demo/f1.root").out
    assert run("chmod", "-R", "750", "/demo").code == 0
    assert run("stat", "/demo/f1.root", "--json").json["mode"] == "640"
    assert "640" in run("stat", "/demo/f1.root").out
    for arguments in (("chmod", "rwx", "/demo"), ("chmod", "888", "/demo"), ("chmod", "4755", "/demo")):
        assert run(*arguments).code == 2
    assert run("chown", ":higgs", "/demo").err.endswith("alice is not in the group higgs, and gives it nothing.\n")
    assert run("chown", "bob", "/demo").code == 1
    assert run("chown", ":", "/demo").out == "1 name(s) changed.\n"
    assert run("quota", "bob", "--files", "5").code == 1
    assert run("quota", "--files", "5").code == 2
    assert run("quota", "--json").json[0]["used_files"] == 3
    assert "alice" in run("quota").out
    assert [each["what"] for each in run("changes", "/demo/f1.root", "--json").json] == ["chmod"]
    assert "chmod" in run("changes", "/demo").out


def test_files_are_found_by_name_and_by_query(run):
    assert run("find", "/demo").out.splitlines() == [f"/demo/f{n}.root" for n in (1, 2, 3)]
    assert run("find", "/", "--name", "f?.root", "--limit", "1", "--json").json == ["/demo/f1.root"]
    assert run("find", "/demo/", "size > 5", "--name", "f2*").out == "/demo/f2.root\n"
    for arguments in (("/demo", "/demo//: size > 5"), ("/demo", "size >"), ("/demo", "--name", "a/b"), ("demo",)):
        assert run("find", *arguments).code == 2


def test_a_file_is_put_and_got_with_its_checksum(run, storage, source, tmp_path):
    assert run("put", source, "/demo/mine/", "--at", "SITE_A", "--events", "7").code == 0
    told = run("stat", "/demo/mine/hist.root", "--json").json
    assert (told["size"], told["events"], told["adler32"]) == (15, 7, f"{zlib.adler32(b'some histograms'):08x}")
    assert (storage / "demo/mine/hist.root").read_bytes() == b"some histograms"
    assert run("put", source, "/demo/mine/hist.root", "--at", "SITE_A").code == 0  # again: it is there
    assert run("get", "/demo/mine/hist.root", tmp_path / "back.root").code == 0
    assert (tmp_path / "back.root").read_bytes() == b"some histograms"
    assert run("get", "/demo/mine/hist.root", tmp_path / "back.root").code == 2
    assert run("get", "/demo/mine/hist.root", tmp_path / "back.root", "--force").code == 0
    (storage / "demo/mine/hist.root").write_bytes(b"some histogramz")
    shown = run("get", "/demo/mine/hist.root", tmp_path / "other.root")
    assert (shown.code, (tmp_path / "other.root").exists()) == (4, False)


def test_a_dataset_is_got_whole(run, storage, source, tmp_path):
    run("put", source, "/demo/mine/a", "--at", "SITE_A")
    assert run("dataset", "put", "/demo/mine/all", "/demo/mine/a").out == "/demo/mine/all has 1 file(s), 15 B\n"
    assert run("get", "/demo/mine/all", tmp_path / "all", "--json").json == [str(tmp_path / "all" / "a")]
    assert run("dataset", "close", "/demo/mine/all").code == 0
    assert "closed" in run("dataset", "list").out
    assert "(closed)" in run("ls", "/demo/mine").out
    assert run("rm", "/demo/mine/a").code == 2
    assert run("dataset", "remove", "/demo/mine/all").code == 0
    assert run("rm", "/demo/mine/a").code == 0


def test_what_cannot_be_put_is_told_and_nothing_is_registered_as_readable(run, storage, source, monkeypatch):
    assert "There are: SITE_A, SITE_B" in run("put", source, "/demo/x").err
    assert "file:// only" in run("put", source, "/demo/x", "--at", "SITE_B").err
    assert run("put", source, "/demo", "--at", "SITE_A").code == 2
    taken = storage / "demo/x"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"somebody else's")
    assert "holds something else" in run("put", source, "/demo/x", "--at", "SITE_A").err
    assert taken.read_bytes() == b"somebody else's"
    assert [each["state"] for each in run("replicas", "/demo/x", "--json").json["replicas"]] == ["copying"]
    assert run("get", "/demo/x").code == 4
    taken.unlink()
    sums = iter([(15, "deadbeef")])
    real = putting._sum
    monkeypatch.setattr(putting, "_sum", lambda path: next(sums, None) if path.name.startswith(".x") else real(path))
    assert "has changed while it was copied" in run("put", source, "/demo/x", "--at", "SITE_A").err
    assert list(storage.rglob("*x*")) == []


def test_copies_are_shown_marked_and_forgotten(run):
    assert run("replicas", "/demo/f3.root", "--mark", "SITE_A_DISK=bad").code == 0
    assert "bad" in run("replicas", "/demo/f3.root").out
    assert run("replicas", "/demo/f3.root", "--mark", "SITE_A_DISK=worse").code == 2
    told = run("replicas", "/demo/f3.root", "--forget", "SITE_A_DISK", "--json").json
    assert [each["se"] for each in told["replicas"]] == ["SITE_B_DISK"]


def test_the_schema_is_shown_taken_back_and_forward(run, monkeypatch):
    assert run("store", "upgrade").out == f"The schema has revision {HEAD}.\n"
    assert run("store", "show", "--json").json["revision"] == HEAD
    assert run("store", "downgrade", "0001", "--yes").code == 0
    assert f"is at 0001, {HEAD} is needed" in run("store", "show").out
    assert run("store", "downgrade", "9", "--yes").code == 1


def test_a_directory_of_a_job_is_listed_and_its_files_are_got(run, payload, tmp_path):
    task = run("submit", payload, "--json").json["task"]
    assert "drwx" not in run("ls", "/proc").out and f"/proc/{task}" in run("ls", "/proc").out
    (first, *_) = run("ls", f"/proc/{task}/jobs", "--json").json
    assert run("stat", f"{first['target']}/task", "--json").json["target"] == f"/proc/{task}"
    assert run("get", f"/proc/{task}/jobs/0000/job.json", tmp_path / "job.json").code == 0
    assert f'"task": "{task}"' in (tmp_path / "job.json").read_text()
    assert run("get", f"/proc/{task}/payload.yaml", tmp_path / "job.json").code == 2
    assert run("get", f"/proc/{task}/payload.yaml", tmp_path / "job.json", "--force").code == 0
    assert (tmp_path / "job.json").read_text() == payload.read_text()
