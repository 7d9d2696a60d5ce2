"""The plug-in for lfn:// as HTCondor calls it: copies in their order, and what each answered."""

import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from router.worker import lfn_plugin

LFN = "/demo/x.root"
CONTENT = b"events" * 1000


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's directory at SITE_B, with a copy of the file at each of two sites."""
    for site in "AB":
        (tmp_path / site).write_bytes(CONTENT)
    replicas = [{"se": f"SE_{site}", "site": f"SITE_{site}", "pfn": f"file://{tmp_path}/{site}"} for site in "AB"]
    told = {LFN: {"size": len(CONTENT), "adler32": f"{zlib.adler32(CONTENT):08x}", "replicas": replicas}}
    quoted = json.dumps(told).replace("\\", "\\\\").replace('"', '\\"')
    (tmp_path / "job.ad").write_text(f'Owner = "alice"\nRouterCopies = "{quoted}"\n')
    (tmp_path / "machine.ad").write_text('GLIDEIN_Site = "SITE_B"\n')
    monkeypatch.setenv("_CONDOR_JOB_AD", str(tmp_path / "job.ad"))
    monkeypatch.setenv("_CONDOR_MACHINE_AD", str(tmp_path / "machine.ad"))
    return tmp_path


def called(node: Path, url: str = f"lfn://{LFN}") -> tuple[int, str]:
    """The exit code and the answer, as HTCondor would read it."""
    (node / "in").write_text(f'[ LocalFileName = "{node}/got.root"; Url = "{url}" ]\n')
    (node / "out").write_text(" " * 10)
    inode = (node / "out").stat().st_ino
    code = lfn_plugin.main(["-infile", str(node / "in"), "-outfile", str(node / "out")])
    assert (node / "out").stat().st_ino == inode
    return code, (node / "out").read_text()


def replicas(answer: str) -> list[Any]:
    return re.findall(r'Se = "(\w+)"; Cause = "([\w-]*)"', answer)


def test_it_says_what_it_can_do(capsys):
    assert lfn_plugin.main(["-classad"]) == 0
    assert 'SupportedMethods = "lfn"' in capsys.readouterr().out


def test_a_file_comes_from_the_jobs_own_site_first(node):
    code, answer = called(node)
    assert (code, replicas(answer)) == (0, [("SE_B", "")])
    assert (node / "got.root").read_bytes() == CONTENT


def test_where_a_copy_is_missing_the_next_is_taken_and_both_are_told(node):
    (node / "B").unlink()
    code, answer = called(node)
    assert (code, replicas(answer)) == (0, [("SE_B", "missing"), ("SE_A", "")])


def test_a_copy_with_other_bytes_is_refused(node):
    (node / "B").write_bytes(CONTENT[::-1])
    code, answer = called(node)
    assert (code, replicas(answer)) == (0, [("SE_B", "checksum"), ("SE_A", "")])


def test_when_no_copy_gives_the_file_all_answers_are_in_the_words_and_nothing_is_left(node):
    (node / "A").unlink()
    (node / "B").write_bytes(b"short")
    code, answer = called(node)
    assert code == 1
    assert "SE_B: checksum" in answer
    assert "SE_A: missing" in answer
    assert answer.count("ErrorType") == 2
    assert sorted(path.name for path in node.iterdir()) == ["B", "in", "job.ad", "machine.ad", "out"]


@pytest.mark.parametrize("url", ["lfn:///../etc/passwd", "lfn://host/x", "lfn:///a//b", "lfn:///a%2Fb", "file:///etc"])
def test_what_names_no_file_is_refused_in_words(node, url):
    code, answer = called(node, url)
    assert code == 1
    assert "names no file" in answer


def test_a_file_of_which_the_job_says_nothing_is_refused_in_words(node):
    assert "the job does not say where" in called(node, "lfn:///demo/other.root")[1]


def test_words_cannot_end_the_value_they_stand_in():
    assert lfn_plugin.classad('a"; Evil = true\n\\') == '"a\\"; Evil = true \\\\"'


def test_a_copy_that_only_xrootd_can_read_is_passed_over_and_not_called_down(node):
    told = (node / "job.ad").read_text().replace(f"file://{node}/B", "root://se.example.org//B")
    (node / "job.ad").write_text(told)
    code, answer = called(node)
    assert (code, replicas(answer)) == (0, [("SE_B", "unsupported"), ("SE_A", "")])


def test_a_full_disk_of_the_node_is_no_fault_of_the_storage(node, monkeypatch):
    monkeypatch.setattr(lfn_plugin, "copied", lambda *_: (_ for _ in ()).throw(lfn_plugin.Refused("node", "full")))
    code, answer = called(node)
    assert (code, replicas(answer)) == (1, [("SE_B", "node"), ("SE_A", "node")])


def test_a_directory_that_cannot_be_written_is_the_nodes_fault(tmp_path):
    with pytest.raises(lfn_plugin.Refused, match="cannot be written") as refused:
        lfn_plugin.copied(io.BytesIO(CONTENT), tmp_path / "none" / "x", 10**6)
    assert refused.value.cause == "node"


def test_what_never_ends_is_not_what_was_registered(tmp_path):
    with pytest.raises(lfn_plugin.Refused, match="longer than the 10 bytes") as refused:
        lfn_plugin.copied(io.BytesIO(CONTENT), tmp_path / "x", 10)
    assert refused.value.cause == "checksum"
