"""What a job's report says of where and with what it ran, as provenance reads it."""

import hashlib

from router.model import run_details


def test_a_report_tells_the_code_as_it_was_found_and_what_was_fetched(sandbox):
    (sandbox.scratch / "cuts.json").write_text("{}\n")
    (sandbox.scratch / ".hidden").write_text("x")
    (sandbox.scratch / "link").symlink_to("/etc/hostname")
    sandbox.reads("/demo/f1.root", b"events", sandbox.replica("/demo/f1.root", b"events"))
    sandbox.payload("echo > hist.root; echo changed > cuts.json")
    ended = sandbox.run()
    code = ended.report["code"]
    assert set(code) == {"analyse.sh", "cuts.json", "run_job.pyz"}
    assert code["cuts.json"] == hashlib.sha256(b"{}\n").hexdigest()
    (used,) = run_details.parse((sandbox.scratch / "job_report.json").read_text()).fetched
    assert (used.lfn, used.size, used.se) == ("/demo/f1.root", 6, "SITE_A_DISK")
    assert used.adler32 == sandbox.described["inputs"][0]["adler32"]


def test_a_report_tells_what_the_slots_ad_says_of_the_node_and_nothing_else_of_it(sandbox):
    (sandbox.top / "machine.ad").write_text(
        'Name = "slot1@glidein_1"\nROUTER_MODULE_VERSIONS = "uproot-5.7.7"\nSecret = "x"\nArch = undefined\n'
        'CondorVersion = "$CondorVersion: 25.14.1 $"\n'
    )
    sandbox.environment["_CONDOR_MACHINE_AD"] = str(sandbox.top / "machine.ad")
    sandbox.payload("echo > hist.root")
    assert sandbox.run().report["node"] == {
        "Name": "slot1@glidein_1",
        "ROUTER_MODULE_VERSIONS": "uproot-5.7.7",
        "CondorVersion": "$CondorVersion: 25.14.1 $",
    }


def test_without_an_ad_of_the_slot_the_node_is_not_told(sandbox):
    sandbox.environment.pop("_CONDOR_MACHINE_AD", None)
    sandbox.payload("echo > hist.root")
    ended = sandbox.run()
    assert (ended.code, ended.report["node"]) == (0, {})
