"""What a glidein is made of, and the job that carries it."""

import hashlib
import json
import string
import subprocess
from pathlib import Path

import htcondor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import resources
from router.errors import RouterError, UserError
from router.model.node import Gpus
from router.model.pilot import Entry, Software
from router.render.glidein import (
    CHECKS,
    MANIFEST,
    STARTUP,
    TOKEN,
    GlideinFile,
    GlideinJob,
    PoolContact,
    glidein_files,
    glidein_submit,
    manifest_digest,
)

CONTACT = PoolContact("127.0.0.1:9618", "pool.test", "/opt/condor")
JOB = GlideinJob("/factory/e1", "/factory/logs", "schedd@pool", count=3)


def an_entry(**changes: object) -> Entry:
    fields = {"name": "e1", "site": "SITE_A", "cpus": 2, "memory_mb": 3000, "disk_mb": 500, "walltime_s": 7200}
    return Entry(**{**fields, **changes})


def files_of(entry: Entry | None = None, contact: PoolContact = CONTACT, token: str = "a.b.c"):  # noqa: S107, no password
    return glidein_files(entry or an_entry(), contact, [{"site": "SITE_A"}], token, not_before=1000)


def lines(file: GlideinFile) -> list[str]:
    return file.content.decode().splitlines()


def settings(file: GlideinFile) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in lines(file))


def submitted(entry: Entry, job: GlideinJob = JOB) -> htcondor2.Submit:
    return htcondor2.Submit(glidein_submit(entry, job, files_of(entry)))


def test_the_manifest_names_every_file_but_itself_and_the_token():
    files = files_of()
    assert [line.split("  ")[1] for line in lines(files[MANIFEST])] == sorted(files.keys() - {MANIFEST, TOKEN})


def test_the_manifest_is_in_the_form_sha256sum_checks(tmp_path: Path):
    files = files_of()
    for name, file in files.items():
        (tmp_path / name).write_bytes(file.content)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", MANIFEST], cwd=tmp_path, check=True)  # noqa: S607


def test_the_digest_seals_every_parameter_but_not_the_token():
    digest = manifest_digest(files_of())
    assert manifest_digest(files_of(an_entry(idle_s=7))) != digest
    assert manifest_digest(files_of(token="x.y.z")) == digest  # noqa: S106, no password
    assert digest == hashlib.sha256(files_of()[MANIFEST].content).hexdigest()


def test_scripts_may_be_run_and_only_the_owner_may_read_the_token():
    files = files_of()
    assert {files[name].mode for name in (STARTUP, *CHECKS, "error_gen.sh")} == {0o755}
    assert files[TOKEN] == GlideinFile(b"a.b.c\n", 0o600)


def test_every_script_of_the_folder_is_taken_along():
    shipped = {path.name for path in resources.folder("glidein_scripts").iterdir()}
    assert shipped <= files_of().keys()


def test_the_entry_speaks_in_glideinwms_keys():
    entry = an_entry(
        software=Software("/opt/py/bin/python3", ("uproot", "hist"), ("root-6.30", "/cvmfs/a.b.ch")),
        gpus=Gpus(2, 16_000, 7.5),
        attributes=(("ROUTER_MIN_TMP_MB", "50"),),
    )
    assert settings(files_of(entry)["entry.params"]) == {
        "ROUTER_MIN_TMP_MB": "50",
        "GLIDEIN_Name": "glideroute",
        "GLIDEIN_Entry_Name": "e1",
        "GLIDEIN_Site": "SITE_A",
        "GLIDEIN_CPUS": "2",
        "GLIDEIN_MaxMemMBs": "3000",
        "GLIDEIN_Max_Walltime": "7200",
        "GLIDEIN_Max_Idle": "1200",
        "GLIDEIN_Collector": "127.0.0.1:9618",
        "CONDOR_DIR": "/opt/condor",
        "ROUTER_DISK_MB": "500",
        "ROUTER_PYTHON": "/opt/py/bin/python3",
        "ROUTER_PYTHON_MODULES": "uproot,hist",
        "ROUTER_SOFTWARE_TAGS": "root-6.30,/cvmfs/a.b.ch",
        "ROUTER_GPUS": "2",
        "ROUTER_GPU_MEMORY_MB": "16000",
        "ROUTER_GPU_CAPABILITY": "7.5",
        "ROUTER_NOT_BEFORE": "1000",
        "ROUTER_READ_MB_S": "",
        "ROUTER_HIDDEN": "",
    }


def test_the_checks_are_listed_in_their_order():
    assert tuple(lines(files_of()["file_list"])) == CHECKS


def test_the_storage_description_is_json():
    assert json.loads(files_of()["storage.json"].content) == [{"site": "SITE_A"}]


@pytest.mark.parametrize(
    ("collector", "on_loopback"),
    [
        ("127.0.0.1:9618", True),
        ("localhost:9618", True),
        ("<127.0.0.1:9618?sock=collector>", True),
        ("[::1]:9618", True),
        ("cm.example.org:9618", False),
        ("192.0.2.1", False),
    ],
)
def test_a_glidein_of_a_pool_on_loopback_stays_there(collector: str, on_loopback: bool):
    contact = PoolContact(collector, "pool.test", "/opt/condor", (("SEC_DEFAULT_ENCRYPTION", "REQUIRED"),))
    text = lines(files_of(contact=contact)["pool.config"])
    assert ("NETWORK_INTERFACE = 127.0.0.1" in text) is on_loopback
    assert f"COLLECTOR_HOST = {collector}" in text
    assert text[-1] == "SEC_DEFAULT_ENCRYPTION = REQUIRED"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (an_entry(site="A,B"), "the site 'A,B' is not of the form"),
        (an_entry(site=""), "the site '' is not of the form"),
        (an_entry(name="e1\nqueue 9"), "the name 'e1\\nqueue 9'"),
        (an_entry(attributes=(("X", "1\nGLIDEIN_Site EVIL"),)), "the attribute 'X' has the character '\\n'"),
        (an_entry(attributes=(("X", "\x00"),)), "has the character '\\x00'"),
        (an_entry(attributes=(("X", "a\u2028b"),)), "has the character '\\u2028'"),
        (an_entry(attributes=(("X", "a\\"),)), "the attribute 'X' ends in a backslash"),
        (an_entry(attributes=(("X Y", "1"),)), "the attribute name 'X Y'"),
        (an_entry(attributes=(("GLIDEIN_Site", "B"),)), "the attribute GLIDEIN_Site is given by the entry itself"),
        (an_entry(attributes=(("GLIDEIN_Failure_Sleep", "-1"),)), "GLIDEIN_Failure_Sleep is '-1', not a number"),
        (an_entry(software=Software(modules=("os; x",))), "the module 'os; x'"),
        (an_entry(grid_resource="batch slurm\nqueue"), "the grid_resource has the character '\\n'"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(entry: Entry, words: str):
    with pytest.raises(UserError) as refusal:
        files_of(entry)
    assert words in str(refusal.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(UserError, match=r"site.*collector.*release_dir"):
        files_of(an_entry(site="A B"), PoolContact("h\n", "pool.test", "/opt\n"))


@pytest.mark.parametrize(
    "job", [GlideinJob("/x\ny", "/logs", "s"), GlideinJob("/x", "/l\n", "s"), GlideinJob("/x", "/l", "s s")]
)
def test_a_job_with_impossible_places_is_refused(job: GlideinJob):
    with pytest.raises(UserError, match="cannot be described"):
        glidein_submit(an_entry(), job, files_of())


def test_without_a_grid_resource_the_job_is_of_the_local_universe():
    assert submitted(an_entry())["universe"] == "local"


def test_with_a_grid_resource_the_files_travel():
    job = submitted(an_entry(grid_resource="batch slurm"))
    assert (job["universe"], job["grid_resource"]) == ("grid", "batch slurm")
    assert set(job["transfer_input_files"].split(", ")) == files_of().keys() - {STARTUP}


def test_the_job_carries_the_seal_and_its_own_identity():
    entry = an_entry(attributes=(("GLIDEIN_Failure_Sleep", "60"),))
    assert submitted(entry)["arguments"] == (
        f'"-manifest {manifest_digest(files_of(entry))} -failure_sleep 60'
        ' -clusterid $(ClusterId) -subcluster $(ProcId) -schedd schedd@pool"'
    )


def test_the_job_asks_for_what_the_glidein_promises():
    job = submitted(an_entry(grid_resource="batch slurm"))
    assert (job["request_cpus"], job["request_memory"], job["request_disk"]) == ("2", "3000", str(500 * 1024))
    assert job["My.GLIDEIN_Site"] == '"SITE_A"'
    assert job.getQArgs() == "3"


def test_a_local_job_asks_for_one_core_so_that_any_schedd_starts_it():
    assert submitted(an_entry(cpus=64))["request_cpus"] == "1"


def test_the_token_is_not_in_the_job():
    assert "a.b.c" not in glidein_submit(an_entry(), JOB, files_of())


@given(st.text(alphabet=string.printable + "$()é", max_size=20))
def test_no_path_can_add_a_command_to_the_job(text: str):
    job = GlideinJob(f"/f/{text}", "/logs", "schedd")
    try:
        description = glidein_submit(an_entry(), job, files_of())
    except UserError:
        return
    expected = glidein_submit(an_entry(), GlideinJob("/f/x", "/logs", "schedd"), files_of())
    assert htcondor2.Submit(description).keys() == htcondor2.Submit(expected).keys()


def test_a_folder_that_is_not_installed_is_named():
    with pytest.raises(RouterError, match="lacks its folder no_such_folder"):
        resources.folder("no_such_folder")
