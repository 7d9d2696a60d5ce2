"""`/proc`: tasks and jobs as directories of the catalogue."""

import json
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD, a_router
from test_provenance import leave, ran

from router.errors import NotFound, PermissionRefused, RouterError, UserError
from router.model.entry import Kind
from router.model.rights import Members
from router.testing.build import a_file, an_ended_job


@pytest.fixture
def task(router, organisation, folder):
    """Six jobs of two batches, and a merge job, none of which has run."""
    return router.submit(router.plan(SPLIT_PAYLOAD, "my.yaml", folder), folder).task


def names(router, directory: str) -> list[str]:
    return [each.name.removeprefix(f"{directory}/") for each in router.catalogue.entries(directory)]


def a_job(router, task, job: str = "0000") -> str:
    return router.catalogue.stat(f"/proc/{task.id}/jobs/{job}").name


def test_the_root_directory_shows_it_and_it_shows_the_tasks_of_whoever_looks(router, task, organisation, tmp_path):
    assert "/proc" in [each.name for each in router.catalogue.entries("/")]
    assert names(router, "/proc") == [task.id]
    assert str(router.catalogue.stat("/proc").rights) == "r-xr-xr-x - -"
    assert names(a_router(organisation, tmp_path / "tasks", "bob"), "/proc") == []


def test_a_task_has_its_document_its_code_and_its_jobs(router, task):
    place = f"/proc/{task.id}"
    assert names(router, place) == ["code", "jobs", "payload.yaml", "task.json"]
    assert router.catalogue.content(f"{place}/payload.yaml").decode() == SPLIT_PAYLOAD
    assert json.loads(router.catalogue.content(f"{place}/task.json"))["split"] == "by events, target 60"
    assert {"analyse.py", "cuts.json", "run_job.pyz"} <= set(names(router, f"{place}/code"))
    assert router.catalogue.content(f"{place}/code/analyse.py") == b"print('hello')\n"
    assert names(router, f"{place}/jobs") == [*(f"{number:04d}" for number in range(6)), "merge"]


def test_a_job_has_what_it_is_given_before_it_runs(router, task):
    job = a_job(router, task)
    assert names(router, job) == ["inputs", "job.json", "outputs", "task"]
    told = json.loads(router.catalogue.content(f"{job}/job.json"))
    assert (told["id"], told["state"], told["program"]) == (job.removeprefix("/proc/"), "in the queue", "analyse.py")
    assert told["inputs"][0] | {"lfn": "/demo/f1.root", "events": 60, "told": ""} == told["inputs"][0] | {"told": ""}
    (link,) = router.catalogue.entries(f"{job}/inputs")
    assert (link.kind, link.target) == (Kind.LINK, "/demo/f1.root")
    assert router.catalogue.stat(f"{job}/inputs/f1.root").size == 1000
    assert router.catalogue.stat(f"{job}/task").name == f"/proc/{task.id}"
    assert router.catalogue.entries(f"{job}/task") == router.catalogue.entries(f"/proc/{task.id}")


def test_a_job_that_ran_has_what_it_wrote_and_its_report(router, task, organisation):
    (Path(task.directory) / "logs" / "0000.out").write_bytes(b"150 muon pairs\xff\n")
    ran(organisation, task)
    job = a_job(router, task)
    assert {"report.json", "stdout"} <= set(names(router, job)) and "stderr" not in names(router, job)
    assert router.catalogue.content(f"{job}/stdout") == b"150 muon pairs\xff\n"
    assert router.catalogue.stat(f"/proc/{task.id}/jobs/0000/stdout").size == 16
    told = json.loads(router.catalogue.content(f"{job}/job.json"))
    assert (told["state"], told["exit_code"], told["host"], told["node"]["Name"]) == (
        "finished", 0, "node7", "slot1@glidein_1",
    )  # fmt: skip
    assert told["outputs"] == [f"{task.outputs}/hist_0000.root"]
    merge = a_job(router, task, "merge")
    assert len(names(router, f"{merge}/inputs")) == 6
    assert router.catalogue.stat(f"{merge}/outputs/hist_merged.root").name == f"{task.outputs}/hist_merged.root"


def test_all_files_of_a_task_or_a_job_can_be_listed_but_not_those_of_all(router, task):
    job = a_job(router, task)
    assert router.catalogue.below(job) == [f"{job}/job.json"]
    assert f"/proc/{task.id}/code/analyse.py" in router.catalogue.below(f"/proc/{task.id}")
    with pytest.raises(UserError, match="Name one of them"):
        router.catalogue.below("/proc")


def test_what_is_not_there_is_told_so(router, task):
    of_job = [f"{a_job(router, task)}/inputs/f1.root/x"]
    of_task = [f"/proc/{task.id}/{each}" for each in ("nothing", "payload.yaml/x", "jobs/9999")]
    for name in (
        "/proc/nothing-1",
        "/proc/99.0",
        "/proc/1.99",
        f"/proc/{2**31}.0",
        f"/proc/1.{10**200}",
        "/proc/0",
        "/proc/zmumu",
    ):
        with pytest.raises(NotFound):
            router.catalogue.stat(name)
    for name in (*of_task, *of_job):
        with pytest.raises(NotFound):
            router.catalogue.stat(name)


def test_a_directory_has_no_content_and_a_file_elsewhere_is_copied(router, task):
    with pytest.raises(UserError, match="is a directory"):
        router.catalogue.content(f"/proc/{task.id}")
    with pytest.raises(UserError, match="glideroute get"):
        router.catalogue.content(f"{a_job(router, task)}/inputs/f1.root")


def test_only_the_owner_and_administrators_look_into_a_task_or_a_job(router, task, organisation, tmp_path):
    job = a_job(router, task)
    bob = a_router(organisation, tmp_path / "tasks", "bob").catalogue
    assert str(bob.stat(job).rights) == "r-x------ alice -"
    looks = (bob.entries, bob.below)
    for name in (f"/proc/{task.id}", job):
        for look in looks:
            with pytest.raises(PermissionRefused):
                look(name)
    for name in (f"{job}/job.json", f"{job}/nothing", f"/proc/{task.id}/payload.yaml"):
        for look in (bob.stat, bob.content):
            with pytest.raises(PermissionRefused):
                look(name)
    organisation.store.members = Members(frozenset({"root"}))
    try:
        root = a_router(organisation, tmp_path / "tasks", "root")
        assert names(root, "/proc") == [task.id] and root.catalogue.content(f"{job}/job.json")
    finally:
        organisation.store.members = Members()


WRITES = {
    "register": lambda catalogue, name: catalogue.register([a_file(name, "SITE_A")]),
    "make_directory": lambda catalogue, name: catalogue.make_directory(name, parents=True),
    "link": lambda catalogue, name: catalogue.link("/demo/f1.root", name),
    "move to": lambda catalogue, name: catalogue.move("/demo/f1.root", name),
    "move away": lambda catalogue, name: catalogue.move(name, "/demo/mine"),
    "remove": lambda catalogue, name: catalogue.remove([name], recursive=True),
    "chmod": lambda catalogue, name: catalogue.set_mode([name], 0o777),
    "add_dataset": lambda catalogue, name: catalogue.add_dataset(name, ["/demo/f1.root"]),
    "describe": lambda catalogue, name: catalogue.describe({name: {"run": 1}}),
}


@pytest.mark.parametrize("user", ["alice", "root"])
def test_nobody_writes_there_be_it_through_a_link(router, task, organisation, tmp_path, user):
    router.catalogue.link(f"/proc/{task.id}", "/demo/through")
    organisation.store.members = Members(frozenset({"root"}))
    try:
        catalogue = a_router(organisation, tmp_path / "tasks", user).catalogue
        before = catalogue.below("/")
        for name in ("/proc", "/proc/mine", f"/proc/{task.id}/payload.yaml", "/demo/through/mine"):
            for write in WRITES.values():
                with pytest.raises(RouterError):
                    write(catalogue, name)
        assert catalogue.below("/") == before
        assert [each.name for each in catalogue.entries("/") if each.name.startswith("/proc")] == ["/proc"]
    finally:
        organisation.store.members = Members()


def test_links_from_elsewhere_lead_there_and_circles_are_told(router, task):
    router.catalogue.link(f"/proc/{task.id}", "/demo/mytask")
    assert router.catalogue.stat("/demo/mytask/payload.yaml").size == len(SPLIT_PAYLOAD)
    assert names(router, "/demo/mytask") and router.catalogue.stat("/demo/mytask").kind is Kind.DIRECTORY


def test_a_job_of_others_that_claims_to_be_of_a_task_is_not_shown_as_its(router, task, organisation, tmp_path):
    organisation.store.record_ended([an_ended_job(cluster=77, task=task.id, owner="mallory", job="0000")])
    for user in ("alice", "mallory"):
        with pytest.raises(NotFound):
            a_router(organisation, tmp_path / "tasks", user).catalogue.stat("/proc/77.0")


def test_a_jobs_name_leads_out_of_no_folder(router, task, organisation):
    for proc, job in enumerate(("../../etc/passwd", "..", "a\nb", "")):
        organisation.store.record_ended([an_ended_job(cluster=77, proc=proc, task=task.id, job=job)])
        told = json.loads(router.catalogue.content(f"/proc/77.{proc}/job.json"))
        assert (told["job"], told["host"]) == (job, "")
        assert {"stdout", "report.json"}.isdisjoint(names(router, f"/proc/77.{proc}"))
        assert names(router, f"/proc/77.{proc}/outputs") == []
    assert names(router, f"/proc/{task.id}/jobs") == [*(f"{number:04d}" for number in range(6)), "merge"]


def test_links_and_pipes_that_an_owner_put_in_place_of_a_log_are_not_read(router, task, organisation, tmp_path):
    (tmp_path / "secret").write_text("secret")
    log = Path(task.directory) / "logs" / "0000.out"
    log.symlink_to(tmp_path / "secret")
    assert "stdout" not in names(router, a_job(router, task))
    leave(organisation, task, "0001", "b0", [])
    report = Path(task.directory) / "reports" / "0001.json"
    shown = f"{a_job(router, task, '0001')}/report.json"
    assert router.catalogue.content(shown)
    report.unlink()
    report.symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        router.catalogue.content(shown)
