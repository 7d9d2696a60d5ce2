"""The wrapper, run as the program it is, against storage in a temporary directory."""

import json
import os
import signal
import socket
import zlib

import pytest
from web_storage import WebStorage

from router.worker.wrapper import description, exit_codes

LFN = "/demo/zmumu/f03.root"
MERGED = "/user/alice/zmumu-3f9c2a/hist_0003.root"


def test_a_job_reads_its_input_and_its_output_reaches_the_sites_storage(sandbox):
    sandbox.reads(LFN, b"muons", sandbox.replica(LFN, b"muons"))
    sandbox.payload("cat glideroute_inputs/0000/f03.root > hist.root; echo done; echo hm >&2")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"]) == (0, None)
    assert (sandbox.storage("SITE_A") / MERGED[1:]).read_bytes() == b"muons"
    [output] = ended.report["outputs"]
    assert output == {
        "name": "hist.root",
        "lfn": MERGED,
        "se": "SITE_A_DISK",
        "site": "SITE_A",
        "pfn": f"file://{sandbox.storage('SITE_A')}{MERGED}",
        "size": 5,
        "adler32": f"{zlib.adler32(b'muons'):08x}",
    }
    assert (ended.output, ended.errors) == ("done\n", "hm\n")
    assert list((sandbox.storage("SITE_A") / "user").rglob("*.part-*")) == []


def test_the_report_says_who_ran_what_where_and_at_what_cost(sandbox):
    sandbox.reads(LFN, b"muons", sandbox.replica(LFN, b"muons"), events=192)
    sandbox.reads("/demo/zmumu/f04.root", b"more", sandbox.replica("/demo/zmumu/f04.root", b"more"), events=8)
    sandbox.payload("echo > hist.root")
    report = sandbox.run().report
    assert [report[name] for name in ("version", "task", "batch", "job")] == [1, "zmumu-3f9c2a", "b0", "0003"]
    assert (report["site"], report["host"], report["events"]) == ("SITE_A", socket.gethostname(), 200)
    assert report["started"] <= report["ended"]
    assert (report["payload"]["exit_code"], report["payload"]["signal"]) == (0, None)
    assert report["payload"]["seconds"] >= 0 and report["payload"]["max_rss_kb"] > 100
    assert [one["bytes"] for one in report["inputs"]] == [5, 4]


def test_the_payload_finds_its_inputs_its_names_and_its_own_environment(sandbox):
    sandbox.reads(LFN, b"muons", sandbox.replica(LFN, b"muons"))
    odd = "a;b \"c\" 'd'=\nü"
    sandbox.describe(environment={"K": odd})
    sandbox.payload('cat "$GLIDEROUTE_INPUTS" > hist.root; printf "%s|%s|%s" "$GLIDEROUTE_TASK" "$GLIDEROUTE_JOB" "$K"')
    assert sandbox.run().output == f"zmumu-3f9c2a|0003|{odd}"
    path = str(sandbox.scratch / "glideroute_inputs" / "0000" / "f03.root")
    listed = json.loads((sandbox.scratch / "hist.root").read_bytes())
    assert listed == [{"lfn": LFN, "path": path, "first_event": 0, "events": 192}]


def test_the_payload_and_the_report_are_told_the_values_of_swept_parameters(sandbox):
    sandbox.describe(parameters={"mass": "110"})
    sandbox.payload('printf "%s" "$GLIDEROUTE_PARAMETERS"; touch hist.root')
    ended = sandbox.run()
    assert (ended.output, ended.report["parameters"]) == ('{"mass": "110"}', {"mass": "110"})


def test_the_payload_is_told_the_luminosity_sections_that_are_its_own(tmp_path, sandbox):
    sandbox.reads(LFN, b"muons", sandbox.replica(LFN, b"muons"))
    sandbox.described["inputs"][0]["lumis"] = {"148029": [[1, 50], [60, 60]]}
    sandbox.payload('cat "$GLIDEROUTE_INPUTS" > hist.root')
    assert sandbox.run().code == 0
    (listed,) = json.loads((sandbox.scratch / "hist.root").read_bytes())
    assert listed["lumis"] == {"148029": [[1, 50], [60, 60]]}


@pytest.mark.parametrize("lumis", [[1], {"1": [[1]]}, {"1": [[1, -2]]}, {"1": 5}, {"1": [["a", "b"]]}])
def test_luminosity_sections_that_are_none_are_refused(tmp_path, sandbox, lumis):
    sandbox.reads(LFN, b"muons")
    sandbox.described["inputs"][0]["lumis"] = lumis
    (tmp_path / "part.json").write_text(json.dumps(sandbox.described))
    with pytest.raises(exit_codes.Failure, match="is no job description"):
        description.read_job(str(tmp_path / "part.json"), "0003")


def test_the_payload_does_not_see_the_pilots_credentials(sandbox):
    secrets = ["_CONDOR_SEC_TOKEN_DIRECTORY", "_CONDOR_CREDS", "BEARER_TOKEN_FILE", "X509_USER_PROXY", "CONDOR_CONFIG"]
    for name in [*secrets, "_CONDOR_SCRATCH_DIR"]:
        sandbox.environment[name] = "/somewhere"
    sandbox.payload("env > hist.root")
    sandbox.run()
    seen = {line.partition("=")[0] for line in (sandbox.scratch / "hist.root").read_text().splitlines()}
    assert seen.isdisjoint(secrets)
    assert {"_CONDOR_SCRATCH_DIR", "GLIDEIN_Site"} <= seen


def test_arguments_reach_the_payload_byte_for_byte(sandbox):
    arguments = ["--bins", "60", "", " ", 'say "hi"', "it's", "''", "a\nb", "$HOME `id` $(id)", "\\", "*", "Zµµ→é", "-"]
    sandbox.describe(arguments=arguments)
    sandbox.environment["LC_ALL"] = "C"
    sandbox.payload("printf '%s\\0' \"$@\" > hist.root")
    assert sandbox.run().code == 0
    assert (sandbox.scratch / "hist.root").read_bytes() == "".join(a + "\0" for a in arguments).encode()


@pytest.mark.parametrize(
    ("script", "ends", "code", "killed_by", "message"),
    [
        ("exit 3", (72, "payload_failed"), 3, None, "analyse.sh ended with exit code 3"),
        ("exit 255", (72, "payload_failed"), 255, None, "analyse.sh ended with exit code 255"),
        ("kill -SEGV $$", (139, "payload_killed"), None, 11, "analyse.sh was killed by signal 11"),
        ("sh -c 'kill -ILL $$'; exit $?", (132, "payload_killed"), 132, None, "analyse.sh ended with exit code 132"),
        ("kill -KILL $$", (78, "payload_memory"), None, 9, "analyse.sh was killed by signal 9"),
        ("no-such-command", (79, "payload_not_started"), 127, None, "analyse.sh ended with exit code 127"),
    ],
)
def test_a_payload_that_fails_ends_the_job_with_a_code_that_tells_how(sandbox, script, ends, code, killed_by, message):
    sandbox.payload(f"echo > hist.root; {script}")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"], ended.report["events"]) == (*ends, 0)
    assert (ended.report["payload"]["exit_code"], ended.report["payload"]["signal"]) == (code, killed_by)
    assert ended.report["message"].startswith(message)
    assert ended.report["outputs"] == []


def test_a_payload_that_fails_with_more_memory_than_it_asked_for_is_told_apart(sandbox):
    (sandbox.top / "job.ad").write_text('Owner = "alice"\nRequestMemory = 1\n')
    sandbox.environment["_CONDOR_JOB_AD"] = str(sandbox.top / "job.ad")
    sandbox.payload("exit 1")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"]) == (78, "payload_memory")
    assert "MB of memory and asked for 1" in ended.report["message"]


def test_a_payload_whose_interpreter_is_missing_says_so(sandbox):
    (sandbox.scratch / "analyse.sh").write_text("#!/no/such/python\n")
    ended = sandbox.run()
    assert (ended.code, ended.report["payload"]) == (79, None)
    assert "a script needs a first line such as #!/usr/bin/env python3" in ended.report["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"task": None},
        {"jobs": {}},
        {"jobs": {"0002": {}}},
        {"jobs": ["0003"]},
        {"jobs": "0003"},
        {"jobs": {"0003": None}},
        {"executable": "/bin/sh"},
        {"executable": "../analyse.sh"},
        {"executable": "a" * 201},
        {"arguments": "--bins 60"},
        {"environment": []},
        {"arguments": [60]},
        {"arguments": ["\0"]},
        {"arguments": ["\ud800"]},
        {"environment": {"A=B": "c"}},
        {"environment": {"": "c"}},
        {"environment": {"A": 1}},
        {"inputs": [{"lfn": LFN}]},
        {"outputs": [{"name": "a/b", "lfn": MERGED}]},
        {"outputs": [{"name": "..", "lfn": MERGED}]},
        {"outputs": [{"name": "a\nb", "lfn": MERGED}]},
        {"outputs": [{"name": "hist.root", "lfn": "/user/../../etc/hist.root"}]},
        {"outputs": [{"name": "hist.root", "lfn": "/user//hist.root"}]},
        {"outputs": [{"name": "hist.root", "lfn": "user/hist.root"}]},
        {"outputs": [{"name": "hist.root", "lfn": "/user/%2e%2e/hist.root"}]},
        {"outputs": [{"name": "hist.root", "lfn": "/user/a\\b"}]},
        {"outputs": [{"name": "hist.root", "lfn": "/user/a\0b"}]},
        {"outputs": [{"name": "hist.root", "lfn": "/user" * 300}]},
        {"merge": {"parts_of": "../hist.root", "expected_parts": 2}},
        {"merge": {"parts_of": "hist.root", "expected_parts": -2}},
    ],
)
def test_a_description_that_could_do_harm_is_refused(tmp_path, sandbox, changes):
    (tmp_path / "part.json").write_text(json.dumps(sandbox.described | changes))
    with pytest.raises(exit_codes.Failure) as refused:
        description.read_job(str(tmp_path / "part.json"), "0003")
    assert refused.value.cause == "bad_description"


def test_a_job_whose_name_is_no_file_name_is_refused(tmp_path, sandbox):
    (tmp_path / "part.json").write_text(json.dumps(sandbox.described | {"jobs": {"../0003": {}}}))
    with pytest.raises(exit_codes.Failure, match="no plain file name"):
        description.read_job(str(tmp_path / "part.json"), "../0003")


def test_a_job_has_what_its_part_says_of_all_and_of_itself_and_nothing_of_the_others(tmp_path, sandbox):
    of_all = {name: sandbox.described[name] for name in ("version", "task", "batch", "executable", "environment")}
    jobs = {
        job: {"arguments": [job], "inputs": [], "outputs": [{"name": "a", "lfn": f"/a_{job}"}]}
        for job in ("0002", "0003", "0004")
    }
    (tmp_path / "part.json").write_text(json.dumps({**of_all, "arguments": [], "jobs": jobs}))
    found = description.read_job(str(tmp_path / "part.json"), "0003")
    assert (found.task, found.batch, found.job) == ("zmumu-3f9c2a", "b0", "0003")
    assert (found.arguments, found.outputs) == (("0003",), (description.Output("a", "/a_0003"),))


@pytest.mark.parametrize(
    "pfn",
    [
        "ftp://host/f",
        "/etc/passwd",
        "file://other/f",
        "file:///a/../../etc/passwd",
        "file:///a/%2e%2e/b",
        "gopher://h/f",
        "",
    ],
)
def test_only_replicas_of_the_allowed_kinds_are_read(pfn):
    with pytest.raises(ValueError, match=r"not readable here|another host|climbs out"):
        description.physical_name(pfn)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"version": 2}', "[" * 100_000])
def test_what_is_no_description_is_refused_in_words(tmp_path, content):
    (tmp_path / "part.json").write_text(content)
    with pytest.raises(exit_codes.Failure, match=r"part\.json (is no job description|does not say)"):
        description.read_job(str(tmp_path / "part.json"), "0003")


def test_a_bad_description_ends_the_job_with_70_and_a_report_without_a_task(sandbox):
    sandbox.described = {"version": 2, "jobs": {"0003": {}}}
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"], ended.report["task"]) == (70, "bad_description", None)
    assert ended.errors == "glideroute: b0-0.json does not say 'arguments'\n"


def test_a_fault_of_the_wrapper_itself_is_76_and_not_the_users(sandbox):
    sandbox.environment["GLIDEROUTE_GRACE_S"] = "soon"
    sandbox.payload("true")
    ended = sandbox.run()
    assert (ended.code, ended.report["cause"]) == (76, "wrapper_error")
    assert "Traceback" not in ended.errors


def test_a_report_that_cannot_be_written_is_76_even_when_the_job_went_well(sandbox):
    sandbox.payload("echo > hist.root; mkdir job_report.json; touch job_report.json/full")
    wrapper = sandbox.start()
    _, errors = wrapper.communicate(timeout=20)
    assert wrapper.returncode == 76
    assert b"could not write job_report.json" in errors


def started_payload(sandbox, script):
    """A wrapper whose payload has got as far as its own first line."""
    ready = sandbox.scratch / "ready"
    os.mkfifo(ready)
    sandbox.payload(f"{script}\necho > ready\nwhile :; do sleep 60 & wait; done")
    wrapper = sandbox.start()
    ready.read_bytes()
    return wrapper


def test_sigterm_reaches_the_payload_and_the_job_is_evicted(sandbox):
    wrapper = started_payload(sandbox, "trap 'echo saved > state; exit 0' TERM")
    wrapper.send_signal(signal.SIGTERM)
    ended = sandbox.end(wrapper)
    assert (ended.code, ended.report["cause"], ended.report["payload"]["exit_code"]) == (75, "evicted", 0)
    assert (sandbox.scratch / "state").read_text() == "saved\n"


def test_a_payload_deaf_to_sigterm_is_killed_after_the_grace(sandbox):
    sandbox.environment["GLIDEROUTE_GRACE_S"] = "0.1"
    wrapper = started_payload(sandbox, "trap '' TERM")
    wrapper.send_signal(signal.SIGTERM)
    ended = sandbox.end(wrapper)
    assert (ended.code, ended.report["payload"]["signal"]) == (75, signal.SIGKILL)


def test_sigterm_during_stage_in_ends_the_job_at_once(sandbox, http_storage):
    WebStorage.hung.clear()
    WebStorage.done.clear()
    second = sandbox.replica(LFN, b"muons", "SITE_B")
    sandbox.reads(LFN, b"muons", {"se": "SITE_A_WEB", "site": "SITE_A", "pfn": f"{http_storage}/hang"}, second)
    sandbox.payload("echo ran > hist.root")
    wrapper = sandbox.start()
    assert WebStorage.hung.wait(20)
    wrapper.send_signal(signal.SIGTERM)
    ended = sandbox.end(wrapper)
    WebStorage.done.set()
    assert (ended.code, ended.report["payload"]) == (75, None)
    assert not (sandbox.scratch / "hist.root").exists()


def test_what_a_payload_leaves_running_ends_with_it(sandbox):
    sandbox.payload("sleep 600 & echo > hist.root")
    assert sandbox.run().code == 0  # run() waits for whoever holds the job's output, so for the sleep too
