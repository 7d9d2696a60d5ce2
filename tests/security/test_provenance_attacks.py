"""Reports that lie about where outputs are, and what is shown of others' jobs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from emptied import empty
from fake_organisation import Organisation, a_router

from router.errors import NotFound, PermissionRefused
from router.model.files import Located, Replica
from router.model.provenance import Artifact, Execution, Lineage, Maker, Source, Standing
from router.services.provenance import Provenance
from router.settings import Settings, parse
from router.site_storage import misplaced
from router.store.store import Store
from router.testing.build import a_batch, a_file, a_report

SITES = "sites: {SITE_A: {storage: {name: SITE_A_DISK, prefix: 'file:///se/SITE_A'}}}"
HOSTILE = "\x1b]0;x\x07\u202e<script>alert(1)</script>[red]"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """A store whose statements are compiled once."""
    made = Store("sqlite://")
    yield made
    made.close()


@pytest.fixture
def organisation(store: Store) -> Iterator[Organisation]:
    """Two sites, and an empty store."""
    yield Organisation(store)
    empty(store)


@pytest.mark.attack("A41", "A43")
@pytest.mark.parametrize(
    "replica",
    [
        ("SITE_A_DISK", "SITE_A", "file:///etc/passwd"),
        ("SITE_A_DISK", "SITE_A", "file:///se/SITE_A/user/bob/z-1/hist_0000.root"),
        ("SITE_A_DISK", "SITE_A", "file:///se/SITE_A/user/alice/../bob/x"),
        ("SITE_A_DISK", "SITE_A", "http://169.254.169.254/latest"),
        ("SITE_A_DISK", "SITE_B", "file:///se/SITE_A/user/alice/zmumu-1/hist_0000.root"),
        ("MINE", "SITE_A", "https://evil.example.org/hist.root"),
    ],
)
def test_a_report_that_puts_an_output_elsewhere_registers_nothing(organisation, replica, tmp_path) -> None:
    task = organisation.submit(a_batch(jobs=2))
    organisation.glidein("SITE_A")
    good = a_file(f"{task.outputs}/hist_0001.root", "SITE_A")
    lies = Located(a_file(f"{task.outputs}/hist_0000.root").file, (Replica(*replica),))
    organisation.reports.add(task.id, "0000", a_report("0000", task=task.id, outputs=[lies]))
    organisation.reports.add(task.id, "0001", a_report("0001", task=task.id, outputs=[good]))
    route = replace(organisation.route(), misplaced=misplaced(parse(SITES, Settings(tmp_path)).sites))
    route.step()
    organisation.pool.negotiate()
    organisation.pool.finish("SITE_A")
    route.step()
    (known,) = organisation.store.files(organisation.store.listing("/"))
    assert known.file.lfn == good.file.lfn
    assert [each.pfn for each in known.replicas] == [f"file:///se/SITE_A{good.file.lfn}"]


@pytest.mark.attack("A40")
def test_a_name_that_only_begins_like_proc_is_a_name_like_any_other(organisation, tmp_path) -> None:
    catalogue = a_router(organisation, tmp_path).catalogue
    catalogue.register([a_file("/process/f.root", "SITE_A"), a_file("/user/alice/proc/f.root", "SITE_A")])
    with pytest.raises(PermissionRefused):
        catalogue.register([a_file("/proc/f.root", "SITE_A")])
    assert catalogue.below("/") == ["/process/f.root", "/user/alice/proc/f.root"]


@pytest.mark.attack("A40", "A11")
def test_a_task_is_not_found_below_proc_by_a_part_of_its_name_nor_shown_to_others(organisation, tmp_path) -> None:
    task = organisation.submit(a_batch(jobs=1), name="zmumu-1")
    organisation.submit(a_batch(jobs=1), name="zmumu-12", owner="bob")
    alice, bob = (a_router(organisation, tmp_path, user).catalogue for user in ("alice", "bob"))
    for name in ("/proc/zmumu", "/proc/zmumu-", "/proc/zmumu-1.0", "/proc/1.0.0"):
        with pytest.raises(NotFound):
            alice.stat(name)
    for name in (f"/proc/{task.id}/payload.yaml", "/proc/1.0/job.json"):
        assert alice.content(name)
        with pytest.raises(PermissionRefused):
            bob.content(name)


@pytest.mark.attack("A58")
def test_what_an_owner_puts_in_place_of_a_log_leads_an_administrator_nowhere(organisation, tmp_path) -> None:
    (tmp_path / "secret").write_text("of the administrator")
    router = a_router(organisation, tmp_path / "tasks")
    (tmp_path / "a.py").write_text("")
    text = "name: a\nexecutable: a.py\njobs: 2\n"
    task = router.submit(router.plan(text, "a.yaml", tmp_path), tmp_path).task
    (Path(task.directory) / "logs" / "0000.out").symlink_to(tmp_path / "secret")
    (Path(task.directory) / "code" / "extra").symlink_to(tmp_path / "secret")
    catalogue = router.catalogue
    assert "stdout" not in {each.name.rpartition("/")[2] for each in catalogue.entries(f"/proc/{task.id}/jobs/0000")}
    assert "extra" not in {each.name.rpartition("/")[2] for each in catalogue.entries(f"/proc/{task.id}/code")}


@pytest.mark.attack("A29")
def test_what_a_lineage_is_told_by_others_leads_no_terminal_and_no_page() -> None:
    maker = Maker("z-1", "0000", 1, 0)
    file = Artifact("/user/alice/f", Standing.REGISTERED, 1, "0badcafe", owner="alice", maker=maker)
    ran = Execution(
        maker, "b0", False, "a.py", (HOSTILE,), (), (), Source.REPORT, "NORTH", HOSTILE, (("Name", HOSTILE),)
    )
    found = Provenance(Lineage(("/user/alice/f",), {file.lfn: file}, {("z-1", "0000"): ran}), 1.0, "0")
    assert not {"\x1b", "\x07", "\u202e"} & set(str(found))
    assert "<script>" not in found._repr_html_()
    for document in (found.prov_json(), found.ro_crate()):
        assert "\x1b" not in document and "\u202e" not in document
