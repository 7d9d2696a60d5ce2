"""Where files come from: from an output back through jobs and tasks to what was registered."""

import json
import shutil
from pathlib import Path

import pytest
from fake_organisation import SPLIT_PAYLOAD, Organisation, a_router, an_output_of

from router.errors import NotFound, PermissionRefused
from router.model.files import Located
from router.model.merging import is_merge
from router.model.provenance import Source, Standing
from router.model.rights import Members
from router.model.task import MERGE_BATCH, Task
from router.render import lineage_text
from router.testing.build import a_file, a_report

NODE = {"Name": "slot1@glidein_1", "ROUTER_PYTHON_VERSION": "3.11.4", "ROUTER_MODULE_VERSIONS": "uproot-5.7.7"}
CODE = {"analyse.py": "a" * 64, "run_job.pyz": "b" * 64}


def fetched(files: list[Located]) -> list[dict[str, object]]:
    told = {"se": "SITE_A_DISK", "pfn": "file:///x", "seconds": 0.1, "failed": []}
    return [{**told, "lfn": f.file.lfn, "bytes": f.file.size, "adler32": f.file.adler32} for f in files]


def leave(organisation: Organisation, task: Task, job: str, batch: str, read: list[Located]) -> None:
    """Let a job have left its output and its report."""
    output = an_output_of(task, "merged" if batch == MERGE_BATCH else job)
    more = {"inputs": fetched(read), "code": CODE, "node": NODE, "host": "node7", "started": 100.0, "ended": 160.5}
    text = a_report(job, task=task.id, batch=batch, outputs=[output], **more)
    organisation.reports.add(task.id, job, text)
    (Path(task.directory) / "reports" / f"{job}.json").write_text(text)


def ran(organisation: Organisation, task: Task) -> Task:
    """Let all jobs of a task run, and the router see what they left."""
    organisation.glidein("SITE_A")
    organisation.glidein("SITE_B")
    for _ in range(6):
        organisation.step()
        organisation.pool.negotiate()
        for site in ("SITE_A", "SITE_B"):
            for job in organisation.pool.finish(site):
                parts = [an_output_of(task, f"{number:04d}") for number in range(6)] if is_merge(job.batch) else []
                leave(organisation, task, job.job, job.batch, parts)
        organisation.step()
    return task


@pytest.fixture
def task(router, organisation, folder):
    """Six jobs of two batches, and what a merge job made of their outputs."""
    return ran(organisation, router.submit(router.plan(SPLIT_PAYLOAD, "my.yaml", folder), folder).task)


@pytest.fixture
def merged(task):
    return f"{task.outputs}/hist_merged.root"


def test_a_merged_file_leads_back_through_its_parts_and_jobs_to_what_was_registered(router, task, merged):
    found = router.provenance(merged).lineage
    assert found.roots == (merged,) and not found.cut
    parts = {f"{task.outputs}/hist_{number:04d}.root" for number in range(6)}
    assert set(found.artifacts) == {merged, *parts, "/demo/f1.root", "/demo/f2.root", "/demo/f3.root"}
    assert {each.standing for each in found.artifacts.values()} == {Standing.REGISTERED}
    merge = found.executions[task.id, MERGE_BATCH]
    assert (merge.merge, merge.program, merge.arguments) == (True, "merge_files.pyz", ("hist.root",))
    assert {use.lfn for use in merge.uses} == parts
    first = found.executions[task.id, "0000"]
    assert (first.program, first.site in ("SITE_A", "SITE_B"), first.exit_code) == ("analyse.py", True, 0)
    assert (first.started, first.ended, first.host) == (100.0, 160.5, "node7")
    assert dict(first.node) == NODE and dict(first.code) == CODE
    assert [(use.lfn, use.first_event, use.events) for use in first.uses] == [("/demo/f1.root", 0, 60)]
    facts = found.tasks[task.id]
    assert (facts.owner, facts.reads, facts.split) == ("alice", "dataset /demo/zmumu", "by events, target 60")
    assert (facts.document, len(facts.program_digest), len(facts.submission_digest)) == (SPLIT_PAYLOAD, 64, 64)


def test_a_chain_of_tasks_is_followed_to_its_beginning(router, organisation, task, merged, folder):
    text = f"name: second\nexecutable: analyse.py\ninput: {{query: {task.outputs}//}}\noutputs: [{{name: hist.root}}]\n"
    second = router.submit(router.plan(text, "s.yaml", folder), folder).task
    ran(organisation, second)
    found = router.provenance(f"{second.outputs}/hist_0000.root").lineage
    assert {key[0] for key in found.executions} == {task.id, second.id} == set(found.tasks)
    assert "/demo/f1.root" in found.artifacts
    near = router.provenance(f"{second.outputs}/hist_0000.root", depth=1).lineage
    assert near.cut and set(near.tasks) == {second.id}


def test_a_file_keeps_its_makers_when_it_is_renamed(router, task, merged):
    router.catalogue.make_directory("/user/alice/paper")
    kept = router.catalogue.move(merged, "/user/alice/paper")
    assert router.provenance(kept).lineage.executions[task.id, MERGE_BATCH].merge


def test_what_was_removed_or_exchanged_since_is_told_so(router, organisation, task, merged):
    parts = [f"{task.outputs}/hist_{number:04d}.root" for number in range(2)]
    router.catalogue.remove(parts)
    organisation.store.register([a_file(parts[0], "SITE_A", adler32="00000001")], "alice", 2.0)
    found = router.provenance(merged).lineage
    assert found.artifacts[parts[0]].standing is Standing.CHANGED
    assert found.artifacts[parts[1]].standing is Standing.REMOVED
    assert (task.id, "0000") not in found.executions and (task.id, "0001") in found.executions
    told = lineage_text.text(found)
    assert "1 another file has this name by now" in told and "1 removed since" in told


def test_without_the_tasks_directory_the_ledger_tells_what_it_knows(router, task, merged):
    shutil.rmtree(task.directory)
    router.catalogue.remove([f"{task.outputs}/hist_0001.root"])
    found = router.provenance(merged).lineage
    merge, first = found.executions[task.id, MERGE_BATCH], found.executions[task.id, "0000"]
    assert (len(merge.uses), merge.told_by, first.told_by) == (6, Source.BATCH, Source.BATCH)
    assert {use.lfn for use in first.uses} == {"/demo/f1.root"}
    assert (first.site in ("SITE_A", "SITE_B"), first.host) == (True, "")
    assert "as the ledger says of all jobs of the batch together" in lineage_text.text(found)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1, "inputs": 5, "code": [], "node": 7, "started": true}'])
def test_a_report_that_was_exchanged_takes_nothing_else_away(router, task, merged, text):
    (Path(task.directory) / "reports" / "0000.json").write_text(text)
    first = router.provenance(merged).lineage.executions[task.id, "0000"]
    assert (first.host, first.told_by, first.uses[0].lfn) == ("", Source.DESCRIPTION, "/demo/f1.root")


def test_a_report_that_names_its_own_output_as_input_makes_no_circle(router, task, merged):
    part = f"{task.outputs}/hist_0000.root"
    path = Path(task.directory) / "reports" / "merge.json"
    told = json.loads(path.read_text())
    told["inputs"] = fetched([an_output_of(task, "merged")])
    path.write_text(json.dumps(told))
    found = router.provenance(merged).lineage
    assert set(found.artifacts) == {merged} and part not in found.artifacts
    assert "as above" in lineage_text.text(found)


def test_others_see_what_they_may_read_and_not_what_lies_behind_closed_doors(organisation, task, merged, tmp_path):
    bob = a_router(organisation, tmp_path / "tasks", "bob")
    alice = a_router(organisation, tmp_path / "tasks")
    alice.catalogue.set_mode([f"{task.outputs}/hist_0001.root"], 0o600)
    found = bob.provenance(merged).lineage
    assert found.artifacts[f"{task.outputs}/hist_0001.root"].standing is Standing.UNSEEN
    assert (task.id, "0001") not in found.executions and (task.id, "0002") in found.executions
    alice.catalogue.set_mode([task.outputs], 0o700)
    with pytest.raises(PermissionRefused):
        bob.provenance(merged)
    with pytest.raises(NotFound):
        alice.provenance("/user/alice/nothing.root")


def test_a_file_that_nobody_made_here_is_its_own_beginning(router):
    found = router.provenance("/demo/f1.root").lineage
    assert (list(found.artifacts), found.executions, found.tasks) == (["/demo/f1.root"], {}, {})
    assert lineage_text.text(found) == "/demo/f1.root  1.0 kB, adler32 0badcafe, 100 events, registered by alice\n"


def test_the_tree_tells_alike_jobs_together(router, task, merged):
    told = lineage_text.text(router.provenance(merged).lineage).splitlines()
    assert told[0] == f"{merged}  1.0 kB, adler32 0badcafe, 100 events"
    assert told[1].startswith("└─ job merge (") and told[1].endswith(f") of {task.id}: merge_files.pyz hist.root")
    assert (
        told[2].startswith("   │  at SITE_")
        and "slot1@glidein_1; 1970-01-01T00:01:40Z to 1970-01-01T00:02:40Z" in told[2]
    )
    assert told[3] == "   │  python 3.11.4, uproot-5.7.7"
    assert told[4] == f"   └─ {task.outputs}/hist_0000.root … hist_0005.root  6 files, 6.0 kB"
    assert told[5] == f"      └─ 6 jobs 0000 … 0005 of {task.id}: analyse.py"
    assert told[7] == "         │  python 3.11.4, uproot-5.7.7; analyse.py aaaaaaaaaaaa"
    assert told[8] == "         │  reading 300 events, as they were given"
    assert told[9] == "         └─ /demo/f1.root … f3.root  3 files, 3.0 kB, registered by alice"
    assert f"Task {task.id} of alice, submitted" in told[11]


def test_what_others_wrote_leads_no_terminal(router, task, merged):
    path = Path(task.directory) / "reports" / "0000.json"
    path.write_text(path.read_text().replace("slot1@glidein_1", "\\u001b]0;x\\u0007\\u202e"))
    assert lineage_text.plain("\x1b]0;x\u202e") == "\ufffd]0;x\ufffd"
    assert "\x1b" not in lineage_text.text(router.provenance(f"{task.outputs}/hist_0000.root").lineage)


def test_administrators_follow_everybodys_files(organisation, task, merged, tmp_path):
    a_router(organisation, tmp_path / "tasks").catalogue.set_mode([task.outputs], 0o700)
    organisation.store.members = Members(frozenset({"root"}))
    try:
        assert a_router(organisation, tmp_path / "tasks", "root").provenance(merged).lineage.executions
    finally:
        organisation.store.members = Members()


def test_a_task_is_done_when_what_its_jobs_left_is_registered(router, organisation, folder):
    task = router.submit(router.plan(SPLIT_PAYLOAD.replace(", merge: auto", ""), "my.yaml", folder), folder).task
    organisation.glidein("SITE_A")
    organisation.glidein("SITE_B")
    organisation.step()
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        for job in organisation.pool.finish(site):
            leave(organisation, task, job.job, job.batch, [])
    late = organisation.reports.texts.pop((task.id, "0003"))
    organisation.step()
    status = router.status(task.id)
    assert (status.counts["finished"], status.unread, status.done) == (6, 1, False)
    organisation.reports.add(task.id, "0003", late)
    organisation.step()
    assert (router.status(task.id).unread, router.status(task.id).done) == (0, True)
