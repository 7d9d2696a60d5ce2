"""How a job gets at its inputs: a copy, or reading them where they lie, by what that takes."""

import json
import signal

import pytest

from router.model.policy import BrokerPolicy
from router.worker.wrapper import description, reading, stage_in

LFN = "/demo/zmumu/f03.root"


def an_input(*sites: str, share: float = 1.0, scheme: str = "root") -> description.Input:
    copies = tuple(description.Replica(f"{site}_DISK", site, f"{scheme}://{site.lower()}//x") for site in sites)
    return description.Input("/x", 10**9, "00000001", 0, 100, copies, share=share)


@pytest.mark.parametrize(
    ("wanted", "how", "expected"),
    [
        (an_input("B", "A"), "copy", [("A", "copy"), ("B", "copy")]),
        (an_input("A"), "auto", [("A", "copy"), ("A", "remote")]),
        (an_input("A", share=0.5), "auto", [("A", "remote"), ("A", "copy")]),
        (an_input("A", scheme="file"), "auto", [("A", "local"), ("A", "copy")]),
        (an_input("B", scheme="file"), "auto", [("B", "copy")]),
        (
            an_input("A", "B", share=0.5),
            "auto",
            [("A", "remote"), ("A", "copy"), ("B", "remote"), ("B", "copy")],
        ),
        (
            an_input("A", "B", share=0.001),
            "auto",
            [("A", "remote"), ("B", "remote"), ("A", "copy"), ("B", "copy")],
        ),
        (an_input("B", "A"), "remote", [("A", "remote"), ("B", "remote")]),
        (an_input("B", scheme="file"), "remote", []),
    ],
    ids=[
        "a copy, from the own site first",
        "what takes as long is copied, for a copy is checked",
        "a part is read where the file lies",
        "the own site's disk needs no copy",
        "another site's disk is not mounted here",
        "the own site's storage is nearer",
        "a very small part from elsewhere comes before a whole copy",
        "nothing is copied",
        "what can only be copied cannot be read remotely",
    ],
)
def test_inputs_are_got_at_in_the_way_that_takes_least_time(wanted, how, expected):
    rates = (100.0, 0.5) if wanted.share != 0.001 else (100.0, 1.0)
    assert [(way.replica.site, way.kind) for way in stage_in.ways(wanted, "A", how, rates)] == expected


def test_a_file_on_the_sites_disk_is_read_where_it_lies(sandbox):
    copy = sandbox.replica(LFN, b"muons")
    sandbox.reads(LFN, b"muons", copy)
    sandbox.describe(access="auto")
    sandbox.payload('cat "$GLIDEROUTE_INPUTS" > hist.root')
    ended = sandbox.run()
    (listed,) = json.loads((sandbox.scratch / "hist.root").read_bytes())
    assert (listed["path"], listed["access"]) == (str(sandbox.storage("SITE_A") / LFN[1:]), "local")
    [read] = ended.report["inputs"]
    assert (read["access"], "adler32" in read) == ("local", False)


def test_a_part_of_a_file_is_read_over_http_where_it_lies(sandbox, http_storage):
    down = {"se": "SITE_A_WEB", "site": "SITE_A", "pfn": f"{http_storage}/down"}
    good = {"se": "SITE_B_WEB", "site": "SITE_B", "pfn": f"{http_storage}/demo/a b.root"}
    sandbox.reads(LFN, b"muons", down, good, events=10)
    sandbox.described["inputs"][0]["file_events"] = 40
    sandbox.describe(access="remote")
    sandbox.payload('cat "$GLIDEROUTE_INPUTS" > hist.root')
    ended = sandbox.run()
    (listed,) = json.loads((sandbox.scratch / "hist.root").read_bytes())
    assert (listed["path"], listed["access"]) == (good["pfn"], "remote")
    [read] = ended.report["inputs"]
    assert (read["bytes"], read["failed"][0]["se"]) == (1, "SITE_A_WEB")


def test_what_lies_there_with_another_size_is_not_read(sandbox):
    sandbox.reads(LFN, b"muons", {**sandbox.replica(LFN, b"muons and more")})
    sandbox.describe(access="auto")
    ended = sandbox.run()
    assert ended.code == 71
    assert "it has 14 bytes, and the catalogue says 5" in ended.report["message"]


def test_another_way_to_get_at_inputs_is_refused(sandbox):
    sandbox.describe(access="guess")
    ended = sandbox.run()
    assert (ended.code, "'guess' is no way to get at inputs" in ended.report["message"]) == (70, True)


@pytest.mark.parametrize(
    ("told", "rates"), [("50:5", (50.0, 5.0)), ("", stage_in.READ_MB_S), ("0:1", stage_in.READ_MB_S)]
)
def test_the_glidein_says_how_fast_storage_is_read(monkeypatch, told, rates):
    monkeypatch.setenv("ROUTER_READ_MB_S", told)
    assert stage_in.read_rates() == rates


def test_by_default_storage_is_as_fast_as_brokerage_has_it():
    assert (BrokerPolicy().local_mb_s, BrokerPolicy().remote_mb_s) == stage_in.READ_MB_S


def test_a_program_that_reads_for_the_wrapper_and_fails_says_why_and_does_not_stay():
    with reading.written_by("sh", "-c", "echo bytes; echo 'no such file' >&2; exit 3") as stream:
        assert stream.read(6) == b"bytes\n"
        with pytest.raises(OSError, match="no such file"):
            stream.read(1)
    with reading.written_by("sleep", "60") as stream:
        process = stream.process
    assert process.returncode == -signal.SIGKILL


def test_xrootds_own_programs_read_where_they_are_on_the_node(sandbox):
    programs = sandbox.top / "bin"
    programs.mkdir()
    (programs / "xrdcp").write_text('#!/bin/sh\nprintf muons; echo "$@" >&2\n')
    (programs / "xrdfs").write_text('#!/bin/sh\nprintf "Path:   x\\nSize:   5\\n"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    sandbox.environment["PATH"] = f"{programs}:{sandbox.environment['PATH']}"
    for number, how in enumerate(("copy", "remote")):
        sandbox.described["inputs"] = []
        sandbox.reads(f"/demo/f{number}", b"muons", {"se": "S", "site": "X", "pfn": "root://se//demo/f"})
        sandbox.describe(access=how)
        sandbox.payload('cat "$GLIDEROUTE_INPUTS" > hist.root')
        assert sandbox.run().code == 0
        (listed,) = json.loads((sandbox.scratch / "hist.root").read_bytes())
        assert listed["path"].endswith("f0") if how == "copy" else listed["path"] == "root://se//demo/f"
