"""Outputs are written to storage on the web with the owner's token: whole, verified, or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dav_storage import TOKEN, DavStorage, running

OUTPUT = "store/user/alice/zmumu-3f9c2a/hist_0003.root"
LFN = "/user/alice/zmumu-3f9c2a/hist_0003.root"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[DavStorage]:
    with running(tmp_path) as storage:
        yield storage


@pytest.fixture
def job(sandbox: Any, web: DavStorage) -> Any:
    """A job that writes to SITE_A's storage, which is on the web, with a token that HTCondor brought."""
    creds = sandbox.top / "creds"
    creds.mkdir()
    (creds / "storage.use").write_text(f"{TOKEN}\n")
    sandbox.environment |= {
        "_CONDOR_CREDS": str(creds), "SSL_CERT_FILE": str(web.certificate), "BEARER_TOKEN": "the.pilots.own",
        "BEARER_TOKEN_FILE": "/the/pilots/own",
    }  # fmt: skip
    sandbox.describe(token="storage")  # noqa: S106 - the name of a service
    keeps(sandbox, on_web(web))
    sandbox.payload("echo muons > hist.root")
    return sandbox


def on_web(web: DavStorage, site: str = "SITE_A", **changes: Any) -> dict[str, Any]:
    protocol = {"protocol": "davs", "access": "global-rw", "prefix": web.prefix}
    volume = {"site": site, "volume": "web", "protocols": [protocol], "type": "DISK", "rse": f"{site}_WEB"}
    return {**volume, **changes}


def keeps(sandbox: Any, *volumes: dict[str, Any]) -> None:
    (sandbox.top / "storage.json").write_text(json.dumps(volumes))


def test_an_output_is_written_verified_and_named(job, web):
    ended = job.run()
    assert ended.code == 0, ended.report["message"]
    assert web.files == {OUTPUT: b"muons\n"}
    [told] = ended.report["outputs"]
    assert (told["se"], told["pfn"], told["size"]) == ("SITE_A_WEB", f"{web.prefix}{LFN}", 6)
    assert set(web.shown) == {f"Bearer {TOKEN}"}


def test_where_the_directories_are_there_nothing_is_asked_but_to_write_look_and_name(job, web):
    web.folders.add(OUTPUT.rpartition("/")[0])
    assert job.run().code == 0
    assert web.asked == [f"{method} {OUTPUT}" for method in ("PUT", "HEAD", "MOVE")]


def test_a_storage_that_computes_no_checksum_is_read_back(job, web):
    web.digests = False
    assert job.run().code == 0
    assert f"GET {OUTPUT}" in web.asked


def test_a_storage_that_keeps_other_bytes_is_found_out_and_nothing_is_left(job, web):
    web.spoils = True
    ended = job.run()
    assert (ended.code, web.files) == (74, {})
    assert "the storage gives back other bytes than were written" in ended.report["message"]


@pytest.mark.parametrize(
    ("method", "status", "words"),
    [("PUT", 403, "write access denied"), ("PUT", 507, "the disk is full"), ("MOVE", 403, "no renaming here")],
)
def test_a_storage_that_refuses_is_quoted_and_nothing_is_left(job, web, method, status, words):
    web.faults[method] = (status, words)
    job.payload("head -c 3000000 /dev/zero > hist.root")  # more than fits into any buffer
    ended = job.run()
    assert (ended.code, web.files) == (74, {})
    assert f"{status} " in ended.report["message"]
    assert words in ended.report["message"]


def test_a_server_that_speaks_no_http_in_the_end_is_told_of_and_nothing_is_left(job, web):
    web.faults["MOVE"] = (0, "")
    ended = job.run()
    assert (ended.code, ended.report["cause"], web.files) == (74, "stage_out_failed", {})


def test_without_a_token_the_job_says_so(job, web):
    (job.top / "creds/storage.use").unlink()
    ended = job.run()
    assert ended.code == 74
    assert "403 Forbidden: permission denied (no token was shown)" in ended.report["message"]
    assert set(web.shown) == {""}


def test_a_job_that_names_no_service_shows_no_token_nor_the_pilots(job, web):
    job.described.pop("token")
    job.run()
    assert set(web.shown) == {""}


def test_the_token_of_a_monitor_that_keeps_the_issuers_answer_is_found_in_it(job, web):
    (job.top / "creds/storage.use").write_text(json.dumps({"access_token": TOKEN, "expires_in": 3600}))
    assert job.run().code == 0


@pytest.mark.parametrize("text", ["a b", "x\r\nHost: evil", "{", "[1]", '{"access_token": ["a"]}', "\N{SNOWMAN}"])
def test_what_is_no_token_is_not_shown(job, web, text):
    (job.top / "creds/storage.use").write_text(text)
    assert job.run().code == 74
    assert set(web.shown) == {""}


def test_a_storage_whose_certificate_nobody_vouches_for_gets_neither_token_nor_file(job, web):
    job.environment.pop("SSL_CERT_FILE")
    ended = job.run()
    assert (ended.code, web.asked) == (74, [])
    assert "certificate verify failed" in ended.report["message"].lower()


def test_the_grids_authorities_are_trusted_beside_the_machines(job, web):
    job.environment.pop("SSL_CERT_FILE")
    job.environment["X509_CERT_DIR"] = str(web.certificate.parent)
    assert job.run().code == 0


def test_the_token_is_not_shown_where_others_can_listen(job, web, http_storage):
    plain = {"protocol": "http", "access": "global-rw", "prefix": http_storage}
    keeps(job, on_web(web, protocols=[plain]))
    ended = job.run()
    assert ended.code == 74
    assert web.asked == []


def test_the_own_disk_comes_first_and_the_web_of_another_site_is_fallen_back_to(job, web):
    keeps(job, on_web(web, "SITE_B", fallback_of=["SITE_A"]), job.volume("SITE_A"))
    assert job.run().report["outputs"][0]["se"] == "SITE_A_DISK"
    assert web.asked == []
    job.storage("SITE_A").rename(job.top / "moved")
    job.storage("SITE_A").write_text("no directory")
    ended = job.run()
    assert (ended.code, ended.report["outputs"][0]["se"]) == (0, "SITE_B_WEB")


def test_an_earlier_try_of_the_job_is_replaced_and_a_strangers_file_is_not(job, web):
    web.files[OUTPUT] = b"of an earlier try"
    assert job.run().code == 0
    assert web.files == {OUTPUT: b"muons\n"}
    other = "/user/alice/results/hist.root"
    job.describe(outputs=[{"name": "hist.root", "lfn": other}])
    web.files[f"store{other}"] = b"somebody else's"
    ended = job.run()
    assert ended.code == 74
    assert "another file has this name" in ended.report["message"]
    assert web.files == {OUTPUT: b"muons\n", f"store{other}": b"somebody else's"}
    web.files[f"store{other}"] = b"muons\n"  # the same: an earlier try that was not heard of
    assert job.run().code == 0
    assert sorted(web.files) == [f"store{other}", OUTPUT]


def test_inputs_are_read_with_the_token_and_the_payload_finds_it(job, web):
    web.files["store/demo/f.root"] = b"muons"
    job.reads("/demo/f.root", b"muons", {"se": "X", "site": "SITE_X", "pfn": f"{web.prefix}/demo/f.root"})
    job.payload(
        'cp glideroute_inputs/0000/f.root hist.root; cat "$BEARER_TOKEN_FILE" > token; echo "$BEARER_TOKEN" >> token'
    )
    ended = job.run()
    assert ended.code == 0, ended.report["message"]
    assert (job.scratch / "token").read_text() == f"{TOKEN}\n\n"
    assert set(web.shown) == {f"Bearer {TOKEN}"}
