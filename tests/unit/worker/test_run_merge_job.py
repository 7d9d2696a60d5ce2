"""Merge jobs, as the wrapper runs them."""

import json
import zlib

import pytest


def a_report(sandbox, number, content, **changes):
    lfn = f"/user/alice/zmumu-3f9c2a/hist_{number}.root"
    sized = {"name": "hist.root", "lfn": lfn, "size": len(content), "adler32": f"{zlib.adler32(content):08x}"}
    outputs = [sized | sandbox.replica(lfn, content)]
    report = {"version": 1, "task": "zmumu-3f9c2a", "batch": "b0", "job": number, "exit_code": 0, "events": 10}
    reports = sandbox.scratch / "reports"
    reports.mkdir(exist_ok=True)
    (reports / f"{number}.json").write_text(json.dumps(report | {"outputs": outputs} | changes))


def a_merge(sandbox, parts):
    merge = {"parts_of": "hist.root", "expected_parts": parts}
    merged = {"name": "hist.root", "lfn": "/user/alice/zmumu-3f9c2a/hist.root"}
    sandbox.describe(batch="merge", job="merge", merge=merge, inputs=[], outputs=[merged])
    sandbox.payload("cat glideroute_inputs/*/* > hist.root")


def test_a_merge_job_gets_the_parts_of_all_jobs_in_their_order(sandbox):
    for job, content in (("0002", b"c"), ("0000", b"a"), ("0001", b"b")):
        a_report(sandbox, job, content)
    a_report(sandbox, "merge", b"", batch="merge", exit_code=74, outputs=[])  # what its earlier try left
    a_merge(sandbox, parts=3)
    ended = sandbox.run()
    assert (ended.code, ended.report["events"]) == (0, 30)
    assert (sandbox.storage("SITE_A") / "user/alice/zmumu-3f9c2a/hist.root").read_bytes() == b"abc"


def test_what_joins_some_of_the_parts_already_is_no_part(sandbox):
    for job, content in (("0000", b"a"), ("0001", b"b")):
        a_report(sandbox, job, content)
    a_report(sandbox, "partial-1", b"ab", batch="partial-1")
    a_merge(sandbox, parts=2)
    assert sandbox.run().code == 0
    assert (sandbox.storage("SITE_A") / "user/alice/zmumu-3f9c2a/hist.root").read_bytes() == b"ab"


def test_a_merge_job_of_a_tree_gets_the_parts_that_it_names(sandbox):
    for job, content in (("0002", b"c"), ("0000", b"a"), ("0001", b"b")):
        a_report(sandbox, job, content)
    a_merge(sandbox, parts=2)
    sandbox.describe(merge={"parts_of": "hist.root", "expected_parts": 2, "jobs": ["0002", "0000"]})
    assert sandbox.run().code == 0
    assert (sandbox.storage("SITE_A") / "user/alice/zmumu-3f9c2a/hist.root").read_bytes() == b"ac"


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (None, "1 parts of hist.root are there, 2 are expected"),
        ({"job": "0000"}, "two reports speak for job 0000"),
        ({"task": "other-1"}, "it belongs to task other-1"),
        ({"exit_code": 72}, "its job ended with exit code 72"),
        ({"outputs": []}, "it lists 0 outputs named hist.root"),
        ({"outputs": None}, "gives no part to merge"),
        ({"job": "../x"}, "no plain file name"),
    ],
)
def test_a_merge_job_without_exactly_the_parts_it_expects_ends_with_71(sandbox, second, why):
    a_report(sandbox, "0000", b"a")
    if second is not None:
        a_report(sandbox, "0001", b"b", **second)
    a_merge(sandbox, parts=2)
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"]) == (71, "stage_in_failed")
    assert why in ended.report["message"]


def test_a_part_that_changed_since_it_was_reported_is_not_merged(sandbox):
    a_report(sandbox, "0000", b"a")
    sandbox.replica("/user/alice/zmumu-3f9c2a/hist_0000.root", b"x")
    a_merge(sandbox, parts=1)
    assert sandbox.run().code == 71


def test_a_merge_that_fails_is_told_apart_from_a_payload_that_fails(sandbox):
    a_report(sandbox, "0000", b"a")
    a_merge(sandbox, parts=1)
    sandbox.payload("exit 77")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"], ended.report["payload"]["exit_code"]) == (77, "merge_failed", 77)
