"""The border to HTCondor: whatever an attribute holds, our values are whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.job import Decision, EndedJob, JobGroup, JobState, SlotGroup
from router.model.node import Gpus, Platform
from router.model.payload import Requests
from router.model.pilot import ValidationFailure
from router.pool import ads
from router.testing.build import a_decision

JOB = {
    "ClusterId": 7,
    "JobCount": 3,
    "Owner": "alice",
    "JobStatus": 2,
    "RouterTask": "zmumu-1",
    "RouterBatch": "b0",
    "RequestCpus": 2,
    "RequestMemory": 500,
    "RequestDisk": 1025,
    "MaxWallTimeMins": 11,
    "RouterDataset": "/demo/zmumu",
    "RouterInputs": "SITE_B, SITE_A",
    "RouterAllowSites": "SITE_A",
    "RouterBlockSites": "SITE_C",
    "AcctGroup": "higgs",
    "DESIRED_Sites": "SITE_A,SITE_B",
    "MachineAttrGLIDEIN_Site0": "SITE_A",
    "QDate": 100,
    "RouterFixed": True,
    "RequestGPUs": 2,
    "GPUsMinMemory": 16_000,
    "GPUsMinCapability": 7.5,
    "RouterArch": "X86_64-v1",
    "RouterOS": "el9",
    "RouterSoftware": "b, a,,no good",
    "ContainerImage": "docker://debian:12",
}
ODD = [None, 1, -1, 2**63, 1.5, True, "", "text", "two\nlines", "x" * 70_000, [], ["SITE_A"], [[1]], {}, {"Epoch": 1}]


def test_a_job_group_is_read_whole():
    assert ads.job_group(JOB) == JobGroup(
        cluster=7,
        owner="alice",
        state=JobState.RUNNING,
        count=3,
        task="zmumu-1",
        batch="b0",
        requests=Requests(2, 500, 2, 660, Gpus(2, 16_000, 7.5), Platform("x86_64", "el9", ("a", "b"), ("docker",))),
        dataset="/demo/zmumu",
        held_by=("SITE_A", "SITE_B"),
        allow=("SITE_A",),
        block=("SITE_C",),
        group="higgs",
        sites=("SITE_A", "SITE_B"),
        site="SITE_A",
        oldest=100,
        fixed=True,
    )


def test_a_job_that_says_nothing_has_the_defaults():
    assert ads.job_group({}) == JobGroup(0, "", JobState.REMOVED, 0)


@pytest.mark.parametrize(
    ("status", "state"), [(1, "idle"), (2, "running"), (3, "removed"), (4, "finished"), (5, "held"), (6, "running")]
)
def test_every_status_of_htcondor_has_a_word(status, state):
    assert ads.job_group({"JobStatus": status}).state == state


def test_an_idle_job_is_nowhere_even_if_it_ran_before():
    assert ads.job_group({**JOB, "JobStatus": 1}).site == ""


@pytest.mark.parametrize("name", ["RequestCpus", "RequestMemory", "RequestDisk", "MaxWallTimeMins"])
@pytest.mark.parametrize("value", [0, -5, -(2**62)])
def test_a_job_cannot_ask_for_less_than_nothing(name, value):
    requests = ads.job_group({**JOB, name: value}).requests
    assert min(requests.cpus, requests.memory_mb, requests.disk_mb, requests.walltime_s) >= 1


@pytest.mark.parametrize("name", ads.JOB)
@pytest.mark.parametrize("value", ODD)
def test_an_odd_attribute_of_a_job_makes_no_odd_group(name, value):
    group = ads.job_group({**JOB, name: value})
    hash(group)
    for text in (group.owner, group.task, group.batch, group.dataset, group.group):
        assert isinstance(text, str)
        assert "\n" not in text
        assert len(text) <= 16_384
    assert all("," not in site and site for site in (*group.allow, *group.block, *group.held_by, *(group.sites or ())))


@pytest.mark.parametrize(
    ("value", "sites"),
    [
        ("A,B", ("A", "B")),
        (" B , A ,,A", ("A", "B")),
        ("", ()),
        ('A,",B"', ("A",)),
        ("*", ()),
        ("A\nB,C", ("C",)),
        ("х" * 5 + ",A", ("A",)),  # noqa: RUF001, a look-alike
        ("x" * 65_536, ()),
        (["B", "A", 1, None], ("A", "B")),
        (7, ()),
        (None, ()),
    ],
)
def test_a_list_of_sites_holds_names_only(value, sites):
    assert ads.words(value) == sites


@pytest.mark.parametrize("site", ["A,B", 'A"', "*", "", "S" * 65_536, "SIT\u0415", "a b", "A\nB", 7, None, ["A"]])
def test_a_glidein_that_calls_its_site_no_name_is_not_counted(site):
    row = {"GLIDEIN_Site": site, "TotalSlotCpus": 8, "Cpus": 8}
    assert ads.slot_groups([row]) == ()
    assert ads.validation_failure(row).site == ""


def test_slots_are_added_up_by_site_and_entry():
    row = {
        "GLIDEIN_Site": "SITE_A",
        "GLIDEIN_Entry_Name": "e1",
        "SlotType": "Partitionable",
        "TotalSlotCpus": 8,
        "TotalSlotMemory": 1000,
        "TotalSlotDisk": 2048,
        "Cpus": 5,
        "NumDynamicSlots": 3,
        "MyCurrentTime": 100,
    }
    rows = [
        row,
        {**row, "Cpus": 8, "NumDynamicSlots": 0, "TotalSlotMemory": 3000},
        {**row, "Cpus": 8, "NumDynamicSlots": 0, "GLIDEIN_ToRetire": 99},
        {**row, "SlotType": "Dynamic"},
    ]
    unknown = Platform("unknown", "unknown")
    assert ads.slot_groups(rows) == (
        SlotGroup("SITE_A", "e1", 3, 24, 13, 3000, 2, 8, 3, retiring=1, idle_glideins=1, platform=unknown),
    )


def test_each_kind_of_node_of_an_entry_is_told_apart():
    row = {"GLIDEIN_Site": "SITE_A", "GLIDEIN_Entry_Name": "e1", "TotalSlotCpus": 8, "Arch": "X86_64"}
    newer = {
        **{"Microarch": "x86_64-v3", "OpSysName": "AlmaLinux", "OpSysMajorVer": 9, "ROUTER_SOFTWARE": "b,a"},
        **{"TotalSlotGPUs": 2, "GPUs_GlobalMemoryMb": 8000, "GPUs_Capability": 7.5, "HasSIF": True},
    }
    old, new = ads.slot_groups([row, {**row, **newer}, {**row, **newer}])
    assert (old.glideins, old.platform, old.gpus) == (1, Platform("x86_64", "unknown"), Gpus())
    assert (new.glideins, new.platform) == (2, Platform("x86_64-v3", "el9", ("a", "b"), ("sif",)))
    assert new.gpus == Gpus(2, 8000, 7.5)


@pytest.mark.parametrize(
    ("name", "version", "system"),
    [
        ("Debian", 12, "debian12"),
        ("Rocky", 8, "el8"),
        ("openSUSE", 15, "opensuse15"),
        ("LINUX", 0, "unknown"),
        ("", 9, "unknown"),
    ],
)
def test_systems_have_the_names_that_jobs_ask_for(name, version, system):
    row = {"GLIDEIN_Site": "SITE_A", "OpSysName": name, "OpSysMajorVer": version}
    assert ads.slot_groups([row])[0].platform.os == system


def test_a_refusal_is_read_in_one_line():
    row = {"GLIDEIN_Site": "SITE_A", "GLIDEIN_FAILURE_REASON": "no\x1b[31m disk\nleft", "LastHeardFrom": 9}
    assert ads.validation_failure(row) == ValidationFailure("", "SITE_A", "", "", "no [31m disk left", 9.0)


ENDED = {"ClusterId": 7, "ProcId": 1, "RouterTask": "t", "RouterBatch": "b0", "RouterJob": "0001", "Owner": "alice"}


@pytest.mark.parametrize(
    ("row", "state", "exit_code", "ended"),
    [
        ({"JobStatus": 4, "ExitCode": 0, "CompletionDate": 50, "EnteredCurrentStatus": 51}, "finished", 0, 50.0),
        ({"JobStatus": 3, "EnteredCurrentStatus": 51, "CompletionDate": 0}, "removed", None, 51.0),
        ({"JobStatus": 3, "ExitCode": "0"}, "removed", None, 0.0),
    ],
)
def test_how_a_job_ended_is_read(row, state, exit_code, ended):
    assert ads.ended_job({**ENDED, **row}) == EndedJob(
        7, 1, "t", "b0", "0001", "alice", JobState(state), exit_code, "", ended
    )


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, {"Epoch": "1"}, {"Epoch": 1.5}, {"Sites": "A"}])
def test_what_is_no_decision_of_ours_is_none(value):
    assert ads.decision(value) is None


def test_a_decision_with_missing_fields_has_their_defaults():
    assert ads.decision({"Epoch": 3, "Sites": 7}) == Decision(3, 0, (), (), "", "", 0)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("B@2,A@1", (("A", 1), ("B", 2))),
        ("A@1,A@5", (("A", 5),)),
        ("A,@1,A@x,A@-1,a b@1, C@7 ", (("C", 7),)),
        ("", ()),
        (7, ()),
        (None, ()),
    ],
)
def test_the_sites_that_a_job_left_are_names_with_times(value, left):
    assert ads.decision({"Epoch": 1, "Left": value}).left == left


@given(st.text(max_size=1100), st.integers(min_value=0, max_value=2**31), st.sampled_from(["", "validation"]))
def test_any_words_make_a_decision_of_one_line_without_a_backslash(words, epoch, tag):
    text = ads.decision_text(a_decision("SITE_A", words=words, epoch=epoch, tag=tag).carried)
    assert "\n" not in text
    assert text.replace('\\"', "").count("\\") == 0
    assert text.replace('\\"', "").count('"') == 8


DRY_RUN = """\
Dry-run job(s)
ClusterId=1
ProcId=0
RouterDataset="/demo/zmumu"
Iwd="/home/alice"
RequestMemory=700
.
ProcId=1
RequestMemory=800
.
"""


def test_the_jobs_of_a_dry_run_share_what_their_cluster_says():
    text = ads.whole_ads(DRY_RUN, ("ClusterId", "ProcId", "RouterDataset", "RequestMemory"))
    assert [sorted(block.splitlines()) for block in text.split("\n\n")] == [
        ["ClusterId = 1", "ProcId = 0", "RequestMemory = 700", 'RouterDataset = "/demo/zmumu"'],
        ["ClusterId = 1", "ProcId = 1", "RequestMemory = 800", 'RouterDataset = "/demo/zmumu"'],
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Epoch", "Sites"]), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*ads.JOB, *ads.ENDED, *ads.SLOT, *ads.FAILURE, "JobCount"]), json_values))
def test_any_row_at_all_is_read(row):
    ads.job_group(row)
    ads.ended_job(row)
    ads.slot_groups([row])
    ads.validation_failure(row)
