"""Rendered descriptions, whole: what HTCondor is told of a batch, and what the wrappers are told of their jobs.

A golden file that is wrong after a wanted change is written anew with ACCEPT=1.
"""

import json
import os
from pathlib import Path

import classad2
import htcondor2
import pytest

from router.decide.split import batches
from router.errors import UserError
from router.model.node import Gpus, Platform
from router.model.payload import Output, Split
from router.model.sweep import Sweep
from router.model.task import Batch, Chunk
from router.render import jdl, parts
from router.testing.build import a_batch, a_dataset, a_file, a_payload, a_task, an_output

GOLDEN = Path(__file__).parent / "golden"

FREE = ["--bins", "60", "a \"b\" 'c'", "", "$ENV(HOME)", "{{7*7}}", "1\\", "x;y=z", "ärger"]


def a_whole_task():
    payload = a_payload(
        arguments=tuple(FREE),
        environment=(("A", 'x; y="1"'), ("B", "{% include '/etc/passwd' %}")),
        files=("cuts.json", "lumi.txt"),
        dataset="/demo/zmumu",
        split=Split("events", 500),
        outputs=(an_output("hist.root", merge=True), an_output("tree.tar.gz")),
        cpus=2,
        memory_mb=500,
        disk_mb=1000,
        walltime_s=601,
        gpus=Gpus(1, 16_384, 7.5),
        platform=Platform("x86_64-v2", "el9", ("/cvmfs/a.b.ch", "root-6.30")),
        allow=("SITE_A", "SITE_B"),
        block=("SITE_C",),
        group="higgs.zz",
    )
    return a_task("zmumu-3f9c2a", payload=payload, directory="/tasks/alice/zmumu-3f9c2a")


def a_whole_batch():
    files = a_dataset(files=[a_file("/demo/f1.root", "SITE_A", "SITE_B")]).files
    return a_batch("b0", jobs=2, files=files, sites=frozenset({"SITE_B", "SITE_A"}))


def matches_golden(name: str, text: str) -> bool:
    path = GOLDEN / name
    if os.environ.get("ACCEPT"):
        path.write_text(text)
    return text == path.read_text()


def test_the_description_of_a_batch_is_what_it_was():
    injection = jdl.batch_injection(a_whole_task(), a_whole_batch())
    assert matches_golden("analysis.jdl", injection.text)
    assert [dict(item) for item in injection.items] == [
        {"RouterJob": "0000", "RouterPart": "b0-0"},
        {"RouterJob": "0001", "RouterPart": "b0-0"},
    ]


def test_the_description_of_a_merge_job_is_what_it_was():
    injection = jdl.merge_injection(a_whole_task())
    assert matches_golden("merge.jdl", injection.text)
    assert (injection.batch, list(map(dict, injection.items))) == (
        "merge",
        [{"RouterJob": "merge", "RouterPart": "merge"}],
    )


def test_the_description_of_a_task_that_says_little_is_what_it_was():
    assert matches_golden("plain.jdl", jdl.batch_injection(a_task(), a_batch()).text)


def test_a_folder_of_code_goes_once_to_a_glidein_and_its_digest_with_every_job():
    described = htcondor2.Submit(jdl.batch_injection(a_task(payload=a_payload(folder="mylib")), a_batch()).text)
    assert described["transfer_common_input"] == "code/mylib.tar.gz"
    files = described["transfer_input_files"].split(", ")
    assert "code/mylib.tar.gz.sha256" in files
    assert "code/mylib.tar.gz" not in files


def test_a_container_is_named_to_htcondor():
    payload = a_payload(container="docker://debian:12", platform=Platform(images=("docker",)))
    found = htcondor2.Submit(jdl.batch_injection(a_task(payload=payload), a_batch()).text)
    assert found["container_image"] == "docker://debian:12"
    assert "requirements" not in found


def spread(text: str) -> str:
    """JSON in a form that people can compare."""
    return json.dumps(json.loads(text), indent=1) + "\n"


def told(task=None, batch=None):
    """What the wrappers of a batch's first part are told."""
    task, batch = task or a_whole_task(), batch or a_whole_batch()
    return json.loads(parts.part_text(task, batch.key, parts.parts(batch)[0], task.outputs))


def test_what_the_wrapper_reads_is_what_it_was():
    assert matches_golden("b0-0.json", spread(json.dumps(told())))
    task = a_whole_task()
    assert matches_golden("merge.json", spread(parts.merge_text(task, 2, task.outputs)))


@pytest.mark.parametrize(
    ("jobs", "copies", "sizes"),
    [
        (1, 0, [1]),
        (100, 0, [100]),
        (250, 0, [100, 100, 50]),
        (250, 2, [100, 100, 50]),
        (10, 300, [3, 3, 3, 1]),
        (3, 2000, [1, 1, 1]),
    ],
)
def test_a_part_has_a_hundred_jobs_or_as_many_as_name_a_thousand_copies(jobs, copies, sizes):
    batch = a_batch("b7", jobs=jobs, files=[a_file("/f", *[f"SITE_{number}" for number in range(copies)])])
    found = parts.parts(batch)
    assert [len(part.chunks) for part in found] == sizes
    assert [part.name for part in found] == [f"b7-{number}" for number in range(len(sizes))]
    assert tuple(chunk for part in found for chunk in part.chunks) == batch.chunks


def test_each_job_is_sent_the_part_that_describes_it():
    batch = a_batch("b0", jobs=201)
    described = {part.name: {chunk.job for chunk in part.chunks} for part in parts.parts(batch)}
    items = [dict(item) for item in jdl.batch_injection(a_task(), batch).items]
    assert len(items) == 201
    assert all(item["RouterJob"] in described[item["RouterPart"]] for item in items)


def test_the_values_of_a_swept_parameter_are_in_each_jobs_ad():
    payload = a_payload(sweep=Sweep((("mass", ("110", "120")), ("cut", ("pt.gt-20",)))))
    (batch,) = batches(payload, None)
    injection = jdl.batch_injection(a_task(payload=payload), batch)
    assert [dict(item)["RouterPoint"] for item in injection.items] == ["mass=110 cut=pt.gt-20", "mass=120 cut=pt.gt-20"]
    assert 'My.RouterPoint = "$(RouterPoint)"' in injection.text
    assert "RouterPoint" not in jdl.batch_injection(a_task(), a_batch()).text


@pytest.mark.parametrize("name", ["analysis.jdl", "merge.jdl", "plain.jdl"])
def test_htcondor_reads_every_line_and_queues_nothing_by_itself(name):
    text = (GOLDEN / name).read_text()
    description = htcondor2.Submit(text)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert {key.lower() for key in description} == {line.split(" =")[0].lower() for line in lines}
    assert description.getQArgs() in ("", None)


def test_htcondor_reads_the_attributes_as_they_are_meant():
    description = htcondor2.Submit((GOLDEN / "analysis.jdl").read_text())

    def attribute(name):
        return classad2.ExprTree(description.expand(f"My.{name}")).eval()

    assert attribute("RouterTask") == "zmumu-3f9c2a"
    assert attribute("RouterBatch") == "b0"
    assert attribute("RouterInputs") == "SITE_A,SITE_B"
    assert attribute("RouterAllowSites") == "SITE_A,SITE_B"
    assert attribute("RouterBlockSites") == "SITE_C"
    assert attribute("RouterDataset") == "/demo/zmumu"
    assert attribute("MaxWallTimeMins") == 11
    assert description.expand("request_disk") == "1000M"


@pytest.mark.parametrize("name", ["analysis.jdl", "merge.jdl"])
@pytest.mark.parametrize(
    ("ad", "hold", "reason", "subcode"),
    [
        ("[ExitBySignal = false; ExitCode = 0]", False, "exit code 0", 0),
        ("[ExitBySignal = false; ExitCode = 71]", True, "exit code 71", 71),
        ("[ExitBySignal = true; ExitSignal = 9]", True, "ended by signal 9", 137),
    ],
)
def test_a_job_that_fails_is_held_with_its_exit_code(name, ad, hold, reason, subcode):
    description = htcondor2.Submit((GOLDEN / name).read_text())
    job = classad2.ClassAd(ad)

    def value(key):
        return classad2.ExprTree(description.expand(key)).eval(job)

    assert (value("on_exit_hold"), value("on_exit_hold_reason"), value("on_exit_hold_subcode")) == (
        hold,
        reason,
        subcode,
    )


def test_what_a_user_writes_freely_reaches_the_wrapper_byte_for_byte_and_no_submit_description():
    assert told()["arguments"] == FREE
    assert told()["environment"] == {"A": 'x; y="1"', "B": "{% include '/etc/passwd' %}"}
    text = jdl.batch_injection(a_whole_task(), a_whole_batch()).text
    assert not [word for word in FREE if len(word) > 3 and word in text]


def test_outputs_go_to_names_of_their_own():
    assert [output["lfn"] for output in told()["jobs"]["0001"]["outputs"]] == [
        "/user/alice/zmumu-3f9c2a/hist_0001.root",
        "/user/alice/zmumu-3f9c2a/tree_0001.tar.gz",
    ]


def test_each_merged_output_has_a_merge_job_of_its_own():
    outputs = (an_output("a.root", merge=True), an_output("b.root"), an_output("c.root", merge=True))
    task = a_task(payload=a_payload(outputs=outputs))
    merges = json.loads(parts.merge_text(task, 5, "/user/alice/t"))["jobs"]
    assert {job: (each["merge"], each["outputs"][0]["lfn"]) for job, each in merges.items()} == {
        "merge0": ({"parts_of": "a.root", "expected_parts": 5}, "/user/alice/t/a_merged.root"),
        "merge1": ({"parts_of": "c.root", "expected_parts": 5}, "/user/alice/t/c_merged.root"),
    }
    assert [output["lfn"] for output in merges["merge1"]["outputs"]][1] == "/user/alice/t/c_merged.root.manifest.json"
    assert dict(jdl.merge_injection(task).items[1]) == {"RouterJob": "merge1", "RouterPart": "merge"}
    assert parts.merge_jobs(a_payload()) == ()


def test_a_merge_program_of_the_users_travels_with_the_merge_job_alone():
    task = a_task(payload=a_payload(outputs=(Output("a.dat", merge=True, command="join.py"),)))
    assert json.loads(parts.merge_text(task, 5, "/user/alice/t"))["jobs"]["merge"]["arguments"] == [
        "--command",
        "join.py",
        "a.dat",
    ]
    assert "code/merge_files.pyz, code/join.py, jobs" in jdl.merge_injection(task).text
    assert "join.py" not in jdl.batch_injection(task, a_batch()).text


@pytest.mark.parametrize(
    "task",
    [
        a_task("x\nqueue 1000"),
        a_task('x" || true || "y\\'),
        a_task(directory="/tasks/a\ninclude : touch CANARY |"),
        a_task(directory="/tasks/$ENV(HOME)"),
        a_task(payload=a_payload(group="a\nqueue 1000")),
        a_task(payload=a_payload(token="a\nqueue 1000")),  # noqa: S106 - a service
        a_task(payload=a_payload(dataset="/a\u2028queue")),
        a_task(payload=a_payload(allow=("A\r\nqueue",))),
        a_task(payload=a_payload(block=("A\\",))),
        a_task(payload=a_payload(executable="a\nqueue")),
        a_task(payload=a_payload(files=("a,b",))),
    ],
)
def test_a_value_that_slipped_past_every_check_still_makes_no_description(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        jdl.batch_injection(task, a_batch())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "priority", "expected"), [(0, 0, 0), (250, 0, -2), (250, 3, 29_998), (99, -1, -10_000)]
)
def test_the_jobs_of_a_task_come_later_the_more_of_it_go_before(first, priority, expected):
    task = a_task(payload=a_payload(priority=priority))
    batch = Batch("b1", tuple(Chunk(f"{number:04d}") for number in range(first, first + 2)))
    assert f"\npriority = {expected} - $(Process) / 100\n" in jdl.batch_injection(task, batch).text


def test_a_merge_job_goes_before_the_other_jobs_of_tasks_of_its_priority():
    task = a_task(payload=a_payload(priority=3, outputs=(an_output(merge=True),)))
    assert "\npriority = 30001 - $(Process) / 100\n" in jdl.merge_injection(task).text


def test_jobs_that_may_not_be_moved_say_so():
    assert "My.RouterFixed = True" in jdl.batch_injection(a_task(payload=a_payload(move=False)), a_batch()).text


def test_a_token_comes_with_every_job_that_asks_for_one_and_its_wrapper_is_told():
    task = a_task(payload=a_payload(token="storage", outputs=(an_output(merge=True),)))  # noqa: S106 - a service
    batch = a_batch()
    for text in (jdl.batch_injection(task, batch).text, jdl.merge_injection(task).text):
        assert "\nuse_oauth_services = storage\n" in text
    [part] = parts.parts(batch)
    for told in (parts.part_text(task, "b0", part, "/out"), parts.merge_text(task, 1, "/out")):
        assert json.loads(told)["token"] == "storage"  # noqa: S105 - a service


def test_without_one_nothing_is_said_of_tokens():
    task, batch = a_task(), a_batch()
    [part] = parts.parts(batch)
    assert "oauth" not in jdl.batch_injection(task, batch).text
    assert "token" not in json.loads(parts.part_text(task, "b0", part, "/out"))
