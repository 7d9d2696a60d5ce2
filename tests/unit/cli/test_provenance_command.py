"""`glideroute provenance` as a user runs it."""

import json

from router.model.provenance import Maker
from router.testing.build import a_file


def made(organisation, router, payload):
    """A file that a job of a task made, of which nobody remembers more."""
    text = payload.read_text()
    task = router.submit(router.plan(text, "my.yaml", payload.parent), payload.parent).task
    lfn = f"{task.outputs}/hist_0000.root"
    organisation.store.register([a_file(lfn, "SITE_A")], "alice", 1.0, Maker(task.id, "0000", 1, 0))
    return lfn


def test_each_form_tells_the_same_file(run, router, organisation, payload):
    lfn = made(organisation, router, payload)
    assert run("provenance", lfn).out.startswith(f"{lfn}  1.0 kB")
    told = run("provenance", lfn, "--json").json
    assert (told["roots"], told["files"][0]["lfn"], told["jobs"][0]["made"]) == ([lfn], lfn, [lfn])
    prov = json.loads(run("provenance", lfn, "--format", "prov-json").out)
    assert [each["prov:label"] for each in prov["entity"].values() if "gr:lfn" in each] == [lfn]
    crate = json.loads(run("provenance", lfn, "--format", "ro-crate", "--license", "for members").out)
    assert {"lfn://" + lfn, "./"} <= {each["@id"] for each in crate["@graph"]}


def test_a_file_that_is_not_there_is_told_so(run):
    answer = run("provenance", "/demo/nothing.root")
    assert (answer.code, answer.out) == (2, "") and "There is no file" in answer.err
