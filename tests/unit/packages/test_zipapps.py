"""The programs of worker nodes: one file each, whole, alike everywhere, and for old Pythons too."""

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from router.packages.zipapps import zip_application
from router.render.jdl import WRAPPER
from router.render.parts import MERGER

PROGRAMS = pytest.mark.parametrize("name", [WRAPPER, MERGER])
AT_SITES = {"awkward", "numpy", "pyarrow", "uproot"}
"""What merging needs of a node, and asks for only when it merges such files."""


@PROGRAMS
def test_a_program_is_alike_on_every_machine(name):
    built = zip_application(name)
    assert built.startswith(b"#!/usr/bin/env python3\nPK")
    with zipfile.ZipFile(io.BytesIO(built)) as archive:
        members = archive.infolist()
    assert [member.filename for member in members] == sorted(member.filename for member in members)
    told = {(m.date_time, m.external_attr >> 16, m.create_system, m.compress_type, m.extra) for m in members}
    assert told == {((1980, 1, 1, 0, 0, 0), 0o100644, 3, zipfile.ZIP_STORED, b"")}
    assert zip_application.__wrapped__(name) == built


@PROGRAMS
def test_a_program_needs_the_standard_library_of_python_3_9_to_start(name):
    with zipfile.ZipFile(io.BytesIO(zip_application(name))) as archive:
        held = {path.removesuffix(".py").replace("/", "."): archive.read(path) for path in archive.namelist()}
    for source in held.values():
        tree = ast.parse(source, feature_version=(3, 9))
        at_start = {each for node in tree.body for each in imported(node)}
        assert {each.partition(".")[0] for each in at_start if each not in held} <= sys.stdlib_module_names
        later = {each for node in ast.walk(tree) for each in imported(node)} - at_start
        assert {each.partition(".")[0] for each in later if each not in held} <= sys.stdlib_module_names | AT_SITES


def imported(node: ast.AST) -> set[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return {node.module or ""}
    return {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()


@pytest.mark.parametrize("by", [[sys.executable, "-I", "-S", f"./{WRAPPER}"], [f"./{WRAPPER}"]])
def test_the_wrapper_runs_in_a_directory_that_has_nothing_else(tmp_path: Path, by: list[str]):
    (tmp_path / WRAPPER).write_bytes(zip_application(WRAPPER))
    (tmp_path / WRAPPER).chmod(0o555)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [*by, "none.json", "0000"], cwd=tmp_path, env={"PATH": path}, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr[:43]) == (70, b"glideroute: none.json is no job description")
    assert json.loads((tmp_path / "job_report.json").read_text())["cause"] == "bad_description"


def test_the_merge_program_runs_in_a_directory_that_has_nothing_else(tmp_path: Path):
    (tmp_path / MERGER).write_bytes(zip_application(MERGER))
    (tmp_path / "part.txt").write_text("muons")
    (tmp_path / "inputs.json").write_text(json.dumps([{"lfn": "/user/alice/part.txt", "path": "part.txt"}] * 2))
    command = [sys.executable, "-I", "-S", MERGER, "all.txt"]
    subprocess.run(command, cwd=tmp_path, env={"GLIDEROUTE_INPUTS": "inputs.json"}, capture_output=True, check=True)
    assert (tmp_path / "all.txt").read_text() == "muons\nmuons\n"
