"""Every command: its exit code, its JSON, and words instead of tracebacks."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fake_organisation import an_output_of

from router import wiring
from router.cli.main import COMMANDS, HELP, glideroute
from router.decide.share_wait import Outlook
from router.errors import OutcomeUnknown, PermissionRefused, PoolUnreachable
from router.model.files import Located
from router.model.policy import BrokerPolicy
from router.store.worlds import Worlds
from router.testing.build import a_group, a_report, a_site, a_world, inputs_at


@pytest.fixture
def task(run, payload, organisation) -> str:
    """A submitted and placed task."""
    found = run("submit", payload, "--json").json["task"]
    organisation.step()
    return found


def test_help_names_every_command_and_every_exit_code():
    shown = CliRunner().invoke(glideroute, ["--help"])
    assert shown.exit_code == 0
    for name in COMMANDS:
        assert name in shown.output
    for line in ("0  done", "1  failed", "2  what was asked", "3  nothing fits", "4  temporarily impossible"):
        assert line in shown.output
    assert list(HELP) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    shown = CliRunner().invoke(glideroute, [name, "--help"])
    assert shown.exit_code == 0
    command = glideroute.get_command(click.Context(glideroute), name)
    assert command is not None
    assert command.help


def test_a_payload_is_submitted_and_its_task_named(run, payload, organisation):
    shown = run("submit", payload)
    assert shown.code == 0
    assert "6 job(s) in 3 batch(es)" in shown.out
    assert "Follow it with: glideroute watch zmumu-" in shown.out
    assert "4 of 4 batches are in the queue" in shown.err
    assert len(organisation.pool.jobs()) == 4


def test_a_submission_as_json_is_json_and_nothing_else(run, payload):
    found = run("submit", payload, "--json").json
    assert found == {"task": found["task"], "resumed": False, "clusters": {"b0": 1, "b1": 2, "b2": 3, "merge": 4}}


def test_a_dry_run_changes_nothing(run, payload, router, organisation):
    found = run("submit", payload, "--dry-run", "--json").json
    assert (found["payload"], found["jobs"]) == ("zmumu", 6)
    assert [(each["batch"], each["jobs"], each["sites"]) for each in found["batches"]] == [
        ("b0", 2, ["SITE_A"]),
        ("b1", 2, ["SITE_A", "SITE_B"]),
        ("b2", 2, ["SITE_B"]),
    ]
    assert found["estimate"]["sites"] == ["SITE_A", "SITE_B"]
    assert (found["estimate"]["jobs"], found["estimate"]["hours"]) == (6, 48)
    shown = run("submit", payload, "--dry-run")
    assert (shown.code, "nothing is submitted" in shown.out) == (0, True)
    assert "at most 48 h of jobs, the longest 8 h, at 2 site(s); reads 3.0 kB; the program has not" in shown.out
    assert (router.tasks(), organisation.pool.jobs()) == ([], ())


@pytest.mark.parametrize(
    ("added", "code", "words"),
    [
        ("jbos: 3\n", 2, "line 7: jbos: is not a known key"),
        ("requests: {memory: 1 PB}\n", 2, "requests.memory: must be a size"),
        ("requests: {memory: 64 GB}\n", 3, "No site can ever run batch b0:\n  SITE_A: asks for 65,536 MB"),
        ("sites: {block: [SITE_A, SITE_B]}\n", 3, "the payload blocks it"),
    ],
)
def test_a_payload_that_cannot_be_run_ends_with_the_reason(run, payload, organisation, added, code, words):
    payload.write_text(payload.read_text() + added)
    shown = run("submit", payload)
    assert (shown.code, shown.out) == (code, "")
    assert words in shown.err
    assert organisation.pool.jobs() == ()


def test_a_document_that_is_not_there_or_no_text_is_told(run, tmp_path):
    assert run("submit", tmp_path / "none.yaml").code == 2
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    shown = run("submit", tmp_path / "bad.yaml")
    assert (shown.code, "cannot be read" in shown.err) == (2, True)


def test_a_pool_that_is_down_is_temporary(run, payload, organisation):
    organisation.pool.break_at("jobs", PoolUnreachable("HTCondor cannot be reached: down. Is the pool running?"))
    shown = run("submit", payload)
    assert (shown.code, shown.err) == (4, "glideroute: HTCondor cannot be reached: down. Is the pool running?\n")


@pytest.mark.parametrize(("error", "code"), [(OutcomeUnknown("no answer"), 4), (PermissionRefused("denied"), 1)])
def test_what_went_wrong_tells_whether_to_try_again(run, payload, organisation, error, code):
    organisation.pool.break_at("submit", error)
    assert run("submit", payload).code == code


def test_a_submission_cut_short_is_taken_up_and_said_so(run, payload, organisation):
    organisation.pool.break_at("submit applied", PoolUnreachable("down"))
    assert run("submit", payload).code == 4
    shown = run("submit", payload)
    assert "taking up where an earlier submission stopped" in shown.out
    assert sum(group.count for group in organisation.pool.jobs()) == 7


def test_a_fault_of_our_own_is_told_as_one(run, monkeypatch):
    def broken(_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(wiring, "user_session", broken)
    shown = run("status")
    assert shown.code == 1
    assert "This is a fault of glideroute: ZeroDivisionError: division by zero" in shown.err
    assert "GLIDEROUTE_DEBUG=1" in shown.err


@pytest.mark.parametrize("arguments", [["nonsense"], ["submit"], ["status", "--nonsense"], ["why"], ["logs", "x"]])
def test_a_command_that_is_not_understood_is_a_usage_error(run, arguments):
    shown = run(*arguments)
    assert (shown.code, shown.out) == (2, "")
    assert "Usage: " in shown.err


def test_the_status_of_a_task_in_numbers(run, task):
    found = run("status", task, "--json").json
    assert (found["counts"], found["jobs"], found["done"]) == ({"idle": 6, "waiting": 1}, 7, False)
    assert found["in_queue"] == []
    shown = run("status", task)
    assert (shown.code, "idle" in shown.out, task in shown.out) == (0, True, True)


def test_the_status_of_every_job(run, task, organisation):
    organisation.glidein("SITE_A", 1)
    organisation.pool.negotiate()
    found = run("status", "zmumu", "--jobs", "--json").json
    assert [(each["job"], each["state"], each["site"]) for each in found["in_queue"]][:2] == [
        ("0000", "running", "SITE_A"),
        ("0001", "idle", ""),
    ]
    assert "placed at SITE_A" in run("status", task, "--jobs").out


def test_the_list_of_tasks(run, task):
    assert [each["task"]["id"] for each in run("status", "--json").json] == [task]
    assert [each["task"]["id"] for each in run("status", "--all", "--json").json] == [task]
    assert task in run("status").out


def test_why_tells_each_sites_verdict(run, task):
    run("sites", "drain", "SITE_B", "--reason", "a fire")
    found = run("why", task, "--json").json
    assert [each["batch"] for each in found] == ["b0", "b1", "b2", "merge"]
    verdicts = {each["site"]: each["refusal"] for each in found[0]["choice"]["verdicts"]}
    assert verdicts["SITE_A"] is None
    assert verdicts["SITE_B"] == {"tag": "site-draining", "words": "is draining: a fire"}
    shown = run("why", "1.0").out
    assert "can run it" in shown
    assert "is draining: a fire" in shown


def test_why_tells_a_program_what_fair_share_makes_jobs_wait(run, task, monkeypatch):
    expected = Outlook("alice", 3.0, 60.0, 1800.0, beyond=False, by_quota=0.0, by_others=0.9)
    monkeypatch.setattr(wiring, "outlooks", lambda _, submitters: (expected,) if "alice" in submitters else ())
    found = run("why", task, "--json").json
    idle = [any(group["state"] == "idle" for group in each["groups"]) for each in found]
    assert any(idle)
    assert [bool(each["fair_share"]) for each in found] == idle
    [told] = found[0]["fair_share"]
    assert (told["submitter"], told["last_s"], told["words"]) == ("alice", 1800.0, str(expected))
    assert str(expected) in run("why", task).out


def test_why_says_what_tells_jobs_of_one_cluster_apart(run, task, organisation):
    job = next(each for each in organisation.pool.schedd.queue if each.like.cluster == 1)
    job.like = replace(job.like, block=("SITE_A",))
    shown = run("why", "1.0").out
    assert shown.count("cluster 1: 1 idle; asks for 1 core(s)") == 2
    assert shown.count("not at SITE_A") == 1
    assert shown.count("Decisions") == 1


@pytest.mark.parametrize("command", ["status", "why", "kill", "retry", "results", "watch"])
def test_a_task_nobody_knows_is_a_usage_error(run, command):
    shown = run(command, "higgs")
    assert (shown.code, "There is no task higgs" in shown.err) == (2, True)


def test_killing_and_retrying_say_how_many(run, task, organisation):
    organisation.glidein("SITE_A", 2)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A")
    assert run("retry", task, "--json").json == {"released": 2}
    assert run("retry", task).out == "0 job(s) released.\n"
    assert run("kill", task, "--json").json == {"removed": 7}
    assert run("kill", task).out == "0 job(s) removed.\n"


def test_sending_jobs_elsewhere_says_how_many_and_goes_alone(run, task, organisation):
    organisation.step()
    assert run("retry", f"{organisation.groups('b0')[0].cluster}.0", "--elsewhere", "--json").json == {"elsewhere": 1}
    assert "6 job(s) go elsewhere" in run("retry", task, "--elsewhere").out
    assert run("retry", task, "--elsewhere", "--lost").code == 2


def test_lost_outputs_are_told_and_made_again(run, task, organisation, tmp_path):
    made = organisation.store.task(task)
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.finish(site)
    for job in range(6):
        organisation.reports.add(
            made.id, f"{job:04d}", a_report(f"{job:04d}", task=made.id, outputs=[on_disk(made, job, tmp_path)])
        )
    organisation.step()
    assert "0 finished job(s) have lost their outputs" in run("retry", task, "--lost").out
    (tmp_path / "hist_0003.root").unlink()
    assert run("retry", task, "--lost", "--dry-run", "--json").json == {"released": 0, "lost": ["0003"], "clusters": {}}
    assert "1 finished job(s) have lost their outputs; `glideroute retry" in run("status", task).out.replace("\n", "")
    shown = run("retry", task, "--lost").out
    assert "1 finished job(s) have lost their outputs: 0003." in shown
    assert "Batch b1-r1 is in the queue as cluster 5." in shown
    assert run("status", task, "--json").json["counts"] == {"finished": 5, "idle": 2}


def test_a_failed_job_is_replaced_by_smaller_ones(run, task, organisation):
    organisation.glidein("SITE_A", 1)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=72)
    assert run("retry", task, "0000").code == 2
    assert run("retry", task, "--split", "2", "0000", "--lost").code == 2
    assert (
        run("retry", "--split", "2", task, "0000").out == "Job 0000 is replaced by those of batch b0-s1, cluster 5.\n"
    )
    assert run("retry", "--split", "2", task, "0000").code == 2


def on_disk(task, job, folder):
    """What a job left, where it can be looked for."""
    path = folder / f"hist_{job:04d}.root"
    path.write_bytes(b"hist")
    located = an_output_of(task, f"{job:04d}")
    return replace(located, replicas=(replace(located.replicas[0], pfn=f"file://{path}"),))


def test_what_becomes_of_failed_jobs_is_told_in_a_line(run, task, organisation):
    organisation.glidein("SITE_A", 2)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=72)
    assert "2 job(s) held at SITE_A: The payload ended with an error" in run("status", task).out
    organisation.step()
    assert "2 job(s) failed at SITE_A: The payload ended with an error; not retried" in run("status", task).out
    assert "give-up (applied)" in run("why", task).out
    (failure,) = run("status", task, "--json").json["failures"]
    assert (failure["cause"], failure["fault"], failure["jobs"], failure["tries"]) == ("payload-failed", "user", 2, 0)


def test_watching_ends_with_the_task(run, task, organisation):
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.finish(site)
    organisation.pool.release(4, "all parts are there")
    organisation.step()
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.finish(site)
    organisation.step()
    assert "finished" in run("status", task).out and not run("status", task, "--json").json["done"]
    organisation.clock.pass_time(601)  # no report comes any more
    organisation.step()
    assert run("watch", task).code == 0


def test_watching_a_task_that_was_removed_fails(run, task, organisation):
    run("kill", task)
    organisation.step()
    shown = run("watch", task)
    assert (shown.code, "7 job(s)" in shown.err) == (1, True)


def test_a_log_is_printed_as_it_is(run, task, router):
    home = Path(router.memory.task(task).directory)
    (home / "logs" / "0000.out").write_text("hello\n")
    (home / "logs" / "0000.err").write_text("oops\n")
    assert run("logs", task, "0000").out == "hello\n"
    assert run("logs", task, "0000", "--err").out == "oops\n"
    assert run("logs", task, "0001").code == 2
    assert run("logs", task, "../../payload").code != 0


def test_results_are_copied_and_named(run, task, router, organisation, tmp_path):
    assert run("results", task).code == 4
    content = b"some histograms"
    target = tmp_path / "se" / "hist_merged.root"
    target.parent.mkdir()
    target.write_bytes(content)
    found = an_output_of(router.memory.task(task), "merged")
    file = replace(found.file, size=len(content), adler32=f"{zlib.adler32(content):08x}")
    copies = (replace(found.replicas[0], pfn=f"file://{target}"),)
    organisation.store.register([Located(file, copies)], "alice", 1.0)
    shown = run("results", task, "--to", tmp_path / "here", "--json").json
    assert (shown["merged"], shown["files"]) == (True, [str(tmp_path / "here" / "hist_merged.root")])
    assert (tmp_path / "here" / "hist_merged.root").read_bytes() == content


def test_the_catalogue_is_listed(run):
    files = [f"/demo/f{n}.root" for n in (1, 2, 3)]
    assert [each["name"] for each in run("ls", "/demo", "--json").json] == [*files, "/demo/zmumu"]
    assert "/demo/f2.root" in run("ls", "-R").out
    assert [each["site"] for each in run("replicas", "/demo/f3.root", "--json").json["replicas"]] == [
        "SITE_A",
        "SITE_B",
    ]
    assert run("replicas", "/demo/none").code == 2


def test_datasets_are_listed_and_shown(run):
    assert run("dataset", "list", "--json").json == [{"name": "/demo/zmumu", "files": 3, "size": 3000, "closed": False}]
    assert "/demo/zmumu" in run("dataset", "list").out
    assert len(run("dataset", "show", "/demo/zmumu", "--json").json["files"]) == 3
    assert "SITE_A, SITE_B" in run("dataset", "show", "/demo/zmumu").out
    assert run("dataset", "show", "/demo/none").code == 2


def a_manifest(tmp_path, **changes):
    path = tmp_path / "files.json"
    each = {"lfn": "/demo/new.root", "size": 5, "adler32": "0badcafe", "events": 1, "sites": ["SITE_A"]}
    path.write_text(json.dumps([each | changes]))
    return path


def test_files_are_registered_from_a_list(run, tmp_path, organisation):
    manifest = a_manifest(tmp_path, lumis={"7": [[1, 9]]})
    assert run("dataset", "add", "/demo/new", manifest).out == "/demo/new has 1 file(s), 5 B\n"
    assert organisation.store.lumis(["/demo/new.root"])["/demo/new.root"].document() == {"7": [[1, 9]]}
    (found,) = organisation.store.files(["/demo/new.root"])
    assert found.replicas[0].pfn == "file:///se/SITE_A/demo/new.root"


@pytest.mark.parametrize(
    "changes",
    [
        {"lfn": "../x"},
        {"size": "big"},
        {"adler32": "xyz"},
        {"adler32": 7},
        {"sites": ["NOWHERE"]},
        {"sites": None},
        {"sites": ["A,B"]},
        {"lumis": [[1, 2]]},
        {"lumis": {"7": [[9, 1]]}},
    ],
)
def test_a_list_of_files_that_is_wrong_registers_nothing(run, tmp_path, organisation, changes):
    assert run("dataset", "add", "/demo/new", a_manifest(tmp_path, **changes)).code == 2
    assert organisation.store.files(["/demo/new.root"]) == ()


def test_a_downtime_is_announced_shown_and_forgotten(run, organisation):
    soon = "2023-11-15T00:13"
    shown = run("sites", "drain", "SITE_A", "--from", soon, "--until", "2023-11-15T02:13", "--reason", "switches")
    assert shown.out == (
        "SITE_A is announced to be draining from 2023-11-15 00:13 UTC to 2023-11-15 02:13 UTC: switches\n"
    )
    assert run("sites", "--json").json["sites"][0]["closes_in_s"] == 7180
    assert run("sites", "resume", "SITE_A").code == 0
    assert run("sites", "--json").json["sites"][0]["closes_in_s"] is None
    assert run("sites", "drain", "SITE_A", "--until", "2023-11-16", "--json").json["begins"] == organisation.clock.now()
    assert run("sites", "--json").json["sites"][0]["status"] == "draining"


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (("--from", "2023-11-15"), "--from needs --until"),
        (("--until", "2001-01-01"), "not in the past"),
        (("--from", "2023-11-16", "--until", "2023-11-15"), "ends after it begins"),
        (("--until", "tomorrow"), "tomorrow"),
    ],
)
def test_times_of_a_downtime_that_make_no_sense_are_told(run, times, told):
    shown = run("sites", "drain", "SITE_A", *times)
    assert (shown.code, told in shown.err) == (2, True)


@pytest.mark.parametrize("text", ["", "{", "7", '{"a": 1}', '["a"]', "[[]]", "null", "true"])
def test_what_is_no_list_of_files_is_told(run, tmp_path, text):
    (tmp_path / "files.json").write_text(text)
    shown = run("dataset", "add", "/demo/new", tmp_path / "files.json")
    assert (shown.code, "is no list of files" in shown.err) == (2, True)


def test_sites_are_shown_drained_and_resumed(run, organisation):
    organisation.glidein("SITE_A", 4)
    state = run("sites", "drain", "SITE_A", "--reason", "cooling", "--json").json
    assert (state["site"], state["status"], state["reason"]) == ("SITE_A", "draining", "cooling")
    found = run("sites", "--json").json
    assert [(site["name"], site["status"], site["cores"]) for site in found["sites"]] == [
        ("SITE_A", "draining", 4),
        ("SITE_B", "online", 0),
    ]
    assert "cooling" in run("sites").out
    assert run("sites", "drain", "SITE_A", "--offline").out.startswith("SITE_A is offline")
    assert run("sites", "resume", "SITE_A").out == "SITE_A is online\n"
    assert run("sites", "drain", "SITE_X").code == 2


def test_one_pass_of_the_router_tells_what_it_did(run, payload):
    run("submit", payload)
    done = run("router", "run", "--once", "--json").json
    assert [(each["action"], each["cluster"]) for each in done] == [("Place", 1), ("Place", 2), ("Place", 3)]
    assert run("router", "run", "--once", "--json").json == []


def test_settings_that_are_wrong_are_told_with_their_line(run, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "glideroute.yaml").write_text("site: {}\n")
    shown = run("router", "run", "--once")
    assert (shown.code, "line 1: site: is not a known key; did you mean 'sites'?" in shown.err) == (2, True)


@pytest.fixture
def saved(tmp_path) -> Path:
    """A world with 30 jobs to place, saved while the policy was `overflow`."""
    sites = [a_site(name, cores=16, idle_cores=16) for name in ("SITE_A", "SITE_B")]
    world = a_world(*sites, jobs=(a_group(7, count=30),), inputs=((7, inputs_at("SITE_A", "SITE_B")),))
    Worlds(tmp_path / "worlds", 1, BrokerPolicy(name="overflow")).save(world)
    [path] = (tmp_path / "worlds").iterdir()
    return path


def test_a_saved_world_is_decided_again_as_it_was(run, saved):
    [placed] = run("router", "replay", saved, "--json").json
    assert placed["decision"]["words"] == "placed at SITE_A or SITE_B by overflow"
    assert run("router", "replay", saved, "--json") == run("router", "replay", saved, "--json")
    assert "by overflow" not in run("router", "replay", saved, "--settings").out


def test_a_saved_world_is_decided_by_two_policies_side_by_side(run, saved):
    shown = run("router", "replay", saved, "--policy", "panda")
    assert "30 to SITE_A,SITE_B (placed)" in shown.out
    assert "overflow: 1 action(s), panda: " in shown.out
    found = run("router", "replay", saved, "--policy", "panda", "--json").json
    assert [action["count"] for action in found["overflow"]] == [30]
    assert sum(action["count"] for action in found["panda"]) == 30
