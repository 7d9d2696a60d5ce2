"""Parts that are not kept go when the file that joins them is verified, and not a moment before."""

import zlib
from pathlib import Path

import pytest
from fake_organisation import Organisation, a_router

from router.decide.joined import joined
from router.errors import TemporaryError
from router.loops.parts import AGAIN_S, Parts
from router.model.audit import AuditQuery
from router.model.files import File, Located, Replica, StorageElement
from router.model.merging import PartCopy
from router.model.payload import Output
from router.model.task import MERGE_BATCH
from router.testing.build import a_batch, a_payload, a_report, a_task, an_ended_job, an_output
from router.transfer.local import LocalEndpoint
from router.transfer.parts import PartStore

PAYLOAD = (
    "name: a\nexecutable: a.py\njobs: {jobs}\noutputs: [{{name: hist.root, merge: auto, keep_parts: false{more}}}]\n"
)
ALL = ["hist_0000.root", "hist_0001.root", "hist_0002.root"]


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


class Site:
    """A task whose files lie at a storage element in a folder."""

    def __init__(self, organisation: Organisation, top: Path, jobs: int = 3, more: str = "") -> None:
        self.organisation, self.store, self.disk = organisation, organisation.store, top / "disk"
        self.disk.mkdir()
        (top / "a.py").write_text("")
        self.element = StorageElement("SITE_A_DISK", "SITE_A", f"file://{self.disk}")
        self.storage = PartStore({"SITE_A_DISK": LocalEndpoint(self.disk)})
        self.router = a_router(organisation, top / "tasks")
        text = PAYLOAD.format(jobs=jobs, more=more)
        self.task = self.router.submit(self.router.plan(text, "a.yaml", top), top).task
        self.jobs = [f"{number:04d}" for number in range(jobs)]

    def lfn(self, job: str) -> str:
        return self.task.output("hist.root", job)

    def leaves(self, job: str, batch: str = "b0", name: str = "", reads: tuple[str, ...] = ()) -> None:
        """Let a job end and leave a file, having read those of others, and the router read its report."""
        lfn, content = self.lfn(name or job), f"what {job} left".encode()
        path = self.disk / lfn[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        file = File(lfn, len(content), f"{zlib.adler32(content):08x}")
        made = Located(file, (Replica("SITE_A_DISK", "SITE_A", self.element.pfn(lfn)),))
        inputs = [{"lfn": self.lfn(each), "se": "SITE_A_DISK"} for each in reads]
        told = a_report(job, task=self.task.id, batch=batch, outputs=[made], inputs=inputs)
        self.organisation.reports.add(self.task.id, job, told)
        cluster = next(each.cluster or 0 for each in self.store.batches(self.task.id) if each.key == batch)
        proc = int(job) if job.isdecimal() else 0
        ended = an_ended_job(cluster=cluster, proc=proc, task=self.task.id, batch=batch, job=job)
        self.store.record_ended([ended])
        self.organisation.step()

    def merges(self) -> "Site":
        """The last merge job leaves the file that joins all parts."""
        self.leaves("merge", MERGE_BATCH, "merged", tuple(self.jobs))
        return self

    def parts(self) -> Parts:
        """What removes them, new as after a restart."""
        return Parts(self.store, self.storage, {"SITE_A_DISK": self.element}, self.organisation.clock)

    def known(self) -> list[str]:
        """What the catalogue has of the task, without the directory."""
        return [each.rpartition("/")[2] for each in self.store.listing(self.task.outputs)]

    def there(self) -> list[str]:
        """The files on the disk."""
        return sorted(path.name for path in self.disk.rglob("*") if path.is_file())


@pytest.fixture
def site(organisation: Organisation, tmp_path: Path) -> Site:
    """A task whose three jobs have left their parts."""
    made = Site(organisation, tmp_path)
    for job in made.jobs:
        made.leaves(job)
    return made


def test_parts_go_when_what_joins_them_is_there_and_only_then(site):
    site.parts().step()
    assert site.known() == site.there() == ALL
    site.merges()
    assert site.known() == site.there() == [*ALL, "hist_merged.root"]
    assert site.parts().step() == 3
    assert site.known() == site.there() == ["hist_merged.root"]
    assert site.parts().step() == 0


def test_the_audit_says_what_was_removed_for_what(site):
    site.merges().parts().step()
    (entry,) = [each.entry for each in site.store.audit(AuditQuery(task=site.task.id)) if each.entry.who == "stageout"]
    assert (entry.act, entry.outcome) == ("remove parts", "done")
    assert entry.words.startswith(f"3 part(s), which {site.lfn('merged')} (15 bytes, adler32 ")


def test_where_the_merged_file_came_from_stays_known(site):
    site.merges().parts().step()
    found = site.store.as_user("alice", site.organisation.clock).traced([site.lfn("0000")])[site.lfn("0000")]
    assert (found.removed, found.maker.job) == (True, "0000")


@pytest.mark.parametrize(
    "damage",
    [
        lambda site: (site.disk / site.lfn("merged")[1:]).write_bytes(b"what merge lost"),
        lambda site: (site.disk / site.lfn("merged")[1:]).unlink(),
        lambda site: site.store.remove_replica(site.lfn("merged"), "SITE_A_DISK"),
    ],
    ids=["other bytes", "no file", "no copy"],
)
def test_parts_stay_while_the_merged_file_is_not_what_the_catalogue_says(site, damage):
    damage(site.merges())
    parts = site.parts()
    assert parts.step() == 0
    assert site.known() == [*ALL, "hist_merged.root"]
    assert site.there()[:3] == ALL


def test_a_merged_file_that_is_mended_is_looked_at_again_after_a_while(site):
    path = site.merges().disk / site.lfn("merged")[1:]
    content, parts = path.read_bytes(), site.parts()
    path.write_bytes(b"?")
    parts.step()
    path.write_bytes(content)
    assert parts.step() == 0
    site.organisation.clock.pass_time(AGAIN_S)
    assert parts.step() == 3


SEAMS = [("store", "retire_parts"), ("storage", "remove"), ("store", "removed")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name"), SEAMS)
def test_cut_anywhere_no_name_stands_for_bytes_that_are_gone_and_the_next_pass_goes_on(
    site, monkeypatch, owner, name, after
):
    site.merges()
    real = type(getattr(site, owner))

    def deadly(self, *given, **named):
        if after:
            found(self, *given, **named)
        raise Killed

    found = getattr(real, name)
    with monkeypatch.context() as patched:
        patched.setattr(real, name, deadly)
        with pytest.raises(Killed):
            site.parts().step()
    assert set(site.known()) <= set(site.there())
    site.parts().step()
    assert site.known() == site.there() == ["hist_merged.root"]


def test_a_router_that_is_cut_while_it_reads_the_report_forgets_no_part(site, monkeypatch):
    def deadly(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(site.store), "note_joined", deadly)
        with pytest.raises(Killed):
            site.merges()
    site.organisation.step()
    assert site.parts().step() == 3


def test_in_a_tree_what_lies_between_goes_too(organisation, tmp_path):
    site = Site(organisation, tmp_path, jobs=4, more=", fan_in: 2")
    for job in site.jobs:
        site.leaves(job)
    site.leaves("merge-1-0", "merge-1-0", reads=("0000", "0001"))
    site.leaves("merge-1-1", "merge-1-1", reads=("0002", "0003"))
    assert site.parts().step() == 0
    site.leaves("merge", MERGE_BATCH, "merged", ("merge-1-0", "merge-1-1"))
    assert site.parts().step() == 6
    assert site.known() == site.there() == ["hist_merged.root"]


def test_what_others_count_on_stays(site):
    site.store.add_dataset("/demo/mine", [site.lfn("0000")], "alice", 1.0)
    reader = a_task("reader-1")
    site.store.open_task(reader, "name: a\nexecutable: b\n", "x", [a_batch()], 0)
    site.store.plan_merge(reader.id, "b1", [site.lfn("0001")])
    site.merges().parts().step()
    assert site.known() == site.there() == ["hist_0000.root", "hist_0001.root", "hist_merged.root"]


def test_parts_that_a_merge_on_request_still_reads_stay(site):
    site.router.memory.set_stage(site.task.id, "main")
    (asked,) = site.router.merge_now(site.task.id)
    site.merges()
    assert site.parts().step() == 0
    site.store.record_ended(
        [an_ended_job(cluster=asked.cluster, task=site.task.id, batch="partial-1", job="partial-1")]
    )
    assert site.parts().step() == 3


def test_a_copy_that_lies_elsewhere_than_its_name_says_stays(site):
    parts = site.merges().parts()
    parts.elements = {"SITE_A_DISK": StorageElement("SITE_A_DISK", "SITE_A", "file:///other")}
    assert parts.step() == 0
    assert site.known()[:3] == ALL


def test_bytes_that_cannot_be_removed_now_are_removed_later(site, monkeypatch):
    site.merges()
    parts = site.parts()
    parts.storage = PartStore({})
    monkeypatch.setattr(PartStore, "holds", lambda *_: True)
    assert parts.step() == 0
    assert site.store.retired(9)[0] == PartCopy(site.lfn("0000"), "SITE_A_DISK")
    with pytest.raises(TemporaryError, match=r"3 part\(s\) of .* are being removed"):
        site.router.make_again(site.task.id, [])
    assert site.parts().step() == 3


def test_parts_that_are_gone_on_purpose_are_not_lost_and_the_merged_file_is_the_result(site):
    site.merges().parts().step()
    assert site.router.lost(site.task.id) == ()
    for partial in (False, True):
        assert [each.file.lfn for each in site.router.outputs(site.task.id, partial).files] == [site.lfn("merged")]


def test_where_the_merged_file_is_lost_all_parts_are_made_again(site):
    site.merges().parts().step()
    site.store.remove_replica(site.lfn("merged"), "SITE_A_DISK")
    assert {each.job for each in site.router.lost(site.task.id)} == {*site.jobs, "merge"}


def test_a_report_frees_only_parts_of_its_own_task_that_are_not_kept():
    given = ["/user/alice/zmumu-1/hist_0000.root", "/user/alice/zmumu-1/hist_merge-1-0.root"]
    others = ["/user/bob/zmumu-1/hist_0000.root", "/user/alice/zmumu-1/hist_merged.root", "/demo/a", *given]
    job = an_ended_job(batch=MERGE_BATCH, job="merge")
    task = a_task(payload=a_payload(outputs=(Output("hist.root", merge=True, keep_parts=False),)))
    assert joined(task, job, others) == ("/user/alice/zmumu-1/hist_merged.root", tuple(given))
    assert joined(task, an_ended_job(), given) == ("", ())
    kept = a_task(payload=a_payload(outputs=(an_output(merge=True),)))
    assert joined(kept, job, given) == ("", ())
