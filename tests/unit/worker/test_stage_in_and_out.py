"""Inputs from whichever replica is right, and outputs to whichever storage takes them."""

import json

import pytest

LFN = "/demo/zmumu/f03.root"
MERGED = "/user/alice/zmumu-3f9c2a/hist_0003.root"


def test_the_own_sites_replica_is_read_before_those_of_others(sandbox):
    near, far = sandbox.replica(LFN, b"muons"), sandbox.replica(LFN, b"muons", "SITE_B")
    sandbox.reads(LFN, b"muons", far, near)
    sandbox.payload("echo > hist.root")
    assert [one["se"] for one in sandbox.run().report["inputs"]] == ["SITE_A_DISK"]


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"nuons", "it has 5 bytes, adler32"),
        (b"muo", "it has 3 bytes, adler32"),
        (b"muons and more", "it is longer than the 5 bytes the catalogue says"),
    ],
)
def test_a_replica_with_other_bytes_than_the_catalogue_says_is_passed_over(sandbox, damaged, why):
    sandbox.reads(LFN, b"muons", sandbox.replica(LFN, damaged), sandbox.replica(LFN, b"muons", "SITE_B"))
    sandbox.payload("cat glideroute_inputs/0000/f03.root > hist.root")
    ended = sandbox.run()
    assert ended.code == 0
    assert (sandbox.scratch / "hist.root").read_bytes() == b"muons"
    [read] = ended.report["inputs"]
    assert read["se"] == "SITE_B_DISK"
    assert [(one["se"], why in one["error"]) for one in read["failed"]] == [("SITE_A_DISK", True)]


def test_an_input_that_no_replica_gives_ends_the_job_with_71_and_names_each_fault(sandbox):
    gone = {"se": "SITE_B_DISK", "site": "SITE_B", "pfn": f"file://{sandbox.top}/nowhere"}
    sandbox.reads(LFN, b"muons", sandbox.replica(LFN, b"MUONS"), gone)
    sandbox.payload("echo ran > hist.root")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"], ended.report["payload"]) == (71, "stage_in_failed", None)
    assert "SITE_A_DISK: it has 5 bytes" in ended.report["message"]
    assert "SITE_B_DISK: [Errno 2]" in ended.report["message"]
    assert ended.errors == f"glideroute: {ended.report['message']}\n"
    assert not (sandbox.scratch / "hist.root").exists()


@pytest.mark.parametrize("path", ["/demo/a b.root", "/demo/a%20b.root", "/moved"])
def test_an_input_can_be_read_over_http(sandbox, http_storage, path):
    down = {"se": "SITE_A_WEB", "site": "SITE_A", "pfn": f"{http_storage}/down"}
    escape = {"se": "SITE_C_WEB", "site": "SITE_C", "pfn": f"{http_storage}/escape"}
    sandbox.reads(LFN, b"muons", down, escape, {"se": "SITE_B_WEB", "site": "SITE_B", "pfn": http_storage + path})
    sandbox.payload("cp glideroute_inputs/0000/f03.root hist.root")
    ended = sandbox.run()
    assert ended.code == 0
    [read] = ended.report["inputs"]
    assert read["se"] == "SITE_B_WEB"
    assert "503: pool node is down" in read["failed"][0]["error"]
    assert "redirection to url 'file:///etc/hostname' is not allowed" in read["failed"][1]["error"].lower()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "hist.root was not written"),
        ("mkdir hist.root", "hist.root: it is no regular file"),
        ("mkfifo hist.root", "hist.root: it is no regular file"),
        ("ln -s /etc/hostname hist.root", "hist.root: it is a symbolic link"),
    ],
)
def test_a_promised_output_that_is_no_file_of_the_sandbox_ends_the_job_with_73(sandbox, script, why):
    sandbox.payload(script)
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"]) == (73, "output_missing")
    assert why in ended.report["message"]


def test_a_site_without_storage_for_the_output_ends_the_job_with_74(sandbox):
    sandbox.environment["GLIDEIN_Site"] = "SITE_C"
    sandbox.payload("echo > hist.root")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"]) == (74, "stage_out_failed")
    assert ended.report["message"] == f"could not write {MERGED}: site SITE_C has no storage whose rules take it"


@pytest.mark.parametrize("content", [None, "", "{", "{}", '[{"site": "SITE_A"}]'])
def test_a_storage_description_that_cannot_be_used_ends_the_job_with_74(sandbox, content):
    if content is None:
        del sandbox.environment["GLIDEROUTE_STORAGE"]
    else:
        (sandbox.top / "storage.json").write_text(content)
    sandbox.payload("echo > hist.root")
    assert sandbox.run().code == 74


def test_storage_that_cannot_be_written_is_named_and_the_next_volume_is_tried(sandbox):
    blocked = sandbox.volume("SITE_A")
    blocked["protocols"][0]["prefix"] = f"file://{sandbox.top}/storage.json"
    (sandbox.top / "storage.json").write_text(json.dumps([blocked]))
    sandbox.payload("echo > hist.root")
    ended = sandbox.run()
    assert ended.code == 74
    assert "SITE_A_DISK: [Errno 20] Not a directory" in ended.report["message"]
    (sandbox.top / "storage.json").write_text(json.dumps([blocked, sandbox.volume("SITE_A")]))
    assert sandbox.run().code == 0


def test_a_retry_replaces_the_output_of_its_earlier_try(sandbox):
    for content in ("first", "second"):
        sandbox.payload(f"printf {content} > hist.root")
        assert sandbox.run().code == 0
        assert (sandbox.storage("SITE_A") / MERGED[1:]).read_text() == content


def test_a_file_that_is_not_the_tasks_own_is_never_overwritten_but_may_be_the_same(sandbox):
    sandbox.describe(outputs=[{"name": "hist.root", "lfn": "/user/alice/thesis/hist.root"}])
    sandbox.replica("/user/alice/thesis/hist.root", b"years of work")
    sandbox.payload("printf 'years of work' > hist.root")
    assert sandbox.run().code == 0
    sandbox.payload("printf 'a typo' > hist.root")
    ended = sandbox.run()
    assert ended.code == 74
    assert "another file has this name" in ended.report["message"]
    kept = sandbox.storage("SITE_A") / "user/alice/thesis"
    assert [path.read_bytes() for path in kept.iterdir()] == [b"years of work"]


def test_a_copy_that_was_made_at_the_site_since_the_job_was_described_is_read_there(sandbox):
    remote = sandbox.replica(LFN, b"events", "SITE_B")
    sandbox.replica(LFN, b"events", "SITE_A")
    sandbox.reads(LFN, b"events", remote)
    assert [one["se"] for one in sandbox.run().report["inputs"]] == ["SITE_A_DISK"]


def test_what_lies_at_the_site_under_that_name_is_not_believed_unless_its_bytes_are_right(sandbox):
    remote = sandbox.replica(LFN, b"events", "SITE_B")
    sandbox.replica(LFN, b"rotten", "SITE_A")
    sandbox.reads(LFN, b"events", remote)
    assert [one["se"] for one in sandbox.run().report["inputs"]] == ["SITE_B_DISK"]


def test_a_site_whose_storage_is_described_wrongly_reads_from_elsewhere(sandbox):
    (sandbox.top / "storage.json").write_text('[{"site": "SITE_A"}]')
    sandbox.reads(LFN, b"events", sandbox.replica(LFN, b"events", "SITE_B"))
    assert [one["se"] for one in sandbox.run().report["inputs"]] == ["SITE_B_DISK"]
