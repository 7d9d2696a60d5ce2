"""A task's directory: made again without harm, and never a way to read other files."""

import hashlib
import os
from pathlib import Path

import pytest

from router.errors import RouterError, UserError
from router.model.report import MAX_BYTES
from router.packages.bundle import BUNDLES, pack
from router.packages.taskdir import TaskDirectory

WORKER = ("run_job.pyz",)


@pytest.fixture
def code(tmp_path: Path) -> dict[str, Path]:
    source = tmp_path / "analyse.py"
    source.write_text("print(1)\n")
    return {"analyse.py": source}


@pytest.fixture
def made(tmp_path: Path, code: dict[str, Path]) -> TaskDirectory:
    directory = TaskDirectory(tmp_path / "tasks" / "t1")
    directory.make("name: a\n", code, WORKER)
    return directory


def test_it_holds_a_snapshot_of_the_code_that_can_be_run(made, code):
    code["analyse.py"].write_text("changed\n")
    copy = made.path / "code" / "analyse.py"
    assert copy.read_text() == "print(1)\n"
    assert os.access(copy, os.X_OK)
    assert os.access(made.path / "code" / "run_job.pyz", os.X_OK)
    assert {path.name for path in made.path.iterdir()} == {"code", "jobs", "logs", "reports", "results", "payload.yaml"}


def test_making_it_again_keeps_what_came_back(made, code):
    (made.path / "reports" / "0000.json").write_text("{}")
    made.make("name: a\n", code, WORKER)
    assert made.report("0000") == "{}"


def test_every_missing_file_is_named_at_once(made, tmp_path):
    gone = {name: tmp_path / name for name in ("b.py", "a.py")}
    with pytest.raises(UserError, match=r"Not found: .*a\.py, .*b\.py"):
        made.make("", gone, WORKER)
    with pytest.raises(UserError, match="Not found"):
        made.make("", {"folder": tmp_path}, WORKER)


def test_descriptions_are_written_by_part(made):
    made.describe({"b0-0": "{}", "merge": "[]"})
    assert {path.name: path.read_text() for path in (made.path / "jobs").iterdir()} == {
        "b0-0.json": "{}",
        "merge.json": "[]",
    }


def test_a_path_that_cannot_be_written_is_told_in_words(tmp_path, code):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RouterError, match="cannot be written"):
            TaskDirectory(path).make("", code, WORKER)
    with pytest.raises(RouterError, match="cannot be written"):
        TaskDirectory(tmp_path / "none").describe({"b0-0": "{}"})


def test_what_is_not_there_yet_is_nothing(made, tmp_path):
    assert made.report("0000") is None
    assert made.log("0000", "out") is None
    assert TaskDirectory(tmp_path / "none").report("0000") is None


def test_a_log_that_is_no_text_is_read_as_far_as_it_is_one(made):
    (made.path / "logs" / "0000.out").write_bytes(b"\xff\x00ok")
    assert made.log("0000", "out") == "\ufffd\x00ok"


@pytest.mark.parametrize(
    "job", ["../payload", "..", ".", "/etc/passwd", "a/../../b", "..%5c", "a\x00b", "a\nb", "", "-rf"]
)
def test_no_job_name_leads_out_of_the_directory(made, job):
    (made.path / "payload.json").write_text("secret")
    for read in (lambda: made.report(job), lambda: made.log(job, "out")):
        try:
            assert read() is None
        except RouterError as error:
            assert "secret" not in str(error)


def test_a_link_is_not_followed(made, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (made.path / "reports" / "0000.json").symlink_to(tmp_path / "secret")
    (made.path / "logs" / "0000.out").symlink_to("/etc/passwd")
    with pytest.raises(RouterError, match="cannot be read"):
        made.report("0000")
    with pytest.raises(RouterError, match="cannot be read"):
        made.log("0000", "out")


def test_a_directory_or_a_pipe_in_the_place_of_a_report_is_told_at_once(made):
    (made.path / "reports" / "0000.json").mkdir()
    os.mkfifo(made.path / "reports" / "0001.json")
    for job in ("0000", "0001"):
        with pytest.raises(RouterError, match="cannot be read"):
            made.report(job)


def test_no_more_of_a_report_is_read_than_a_report_may_be_long(made):
    with (made.path / "reports" / "0000.json").open("wb") as endless:
        endless.truncate(1 << 40)
    assert len(made.report("0000")) == MAX_BYTES + 1


def test_a_packed_folder_comes_with_its_digest_and_is_kept_once(tmp_path, made):
    folder = tmp_path / "mylib"
    folder.mkdir()
    (folder / "a.py").write_text("print(1)\n")
    packed = pack(folder, tmp_path / BUNDLES)
    made.make("name: a\n", {"mylib.tar.gz": packed}, WORKER)
    copy = made.path / "code" / "mylib.tar.gz"
    assert copy.samefile(packed)
    told = (made.path / "code" / "mylib.tar.gz.sha256").read_text().strip()
    assert told == hashlib.sha256(copy.read_bytes()).hexdigest()
