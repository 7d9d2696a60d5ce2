"""The plug-in for Rucio, against a small Rucio."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from dbs_service import serving
from rucio_service import PASSWORD, RucioService, empty

from router.catalogues.rucio import Did, hashed, identical
from router.catalogues.source import Source
from router.errors import NotFound, PermissionRefused, RouterError, TemporaryError, UserError
from router.model.data_service import ServiceSettings
from router.testing.build import a_file, a_storage

ELEMENTS = {f"{site}_DISK": a_storage(site) for site in ("SITE_A", "SITE_B")}


@dataclass
class Grid:
    """A Rucio with files, and how it is asked."""

    service: type[Any]
    settings: ServiceSettings

    def add(self, scope: str, name: str, *rses: str, **states: str) -> None:
        self.service.files[scope, name] = {"bytes": 1000, "adler32": "0badcafe", "guid": None, "events": 100}
        self.service.replicas[scope, name] = {**dict.fromkeys(rses, "AVAILABLE"), **states}
        self.service.content.setdefault((scope, "higgs"), []).append((scope, name))

    def options(self, **changes: str) -> None:
        self.settings = replace(self.settings, options={**self.settings.options, **changes})

    @property
    def source(self) -> Source:
        return Source(self.settings, ELEMENTS)


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    (tmp_path / "token").write_text("given\n")
    (tmp_path / "password").write_text(PASSWORD)
    with serving(RucioService, **empty()) as service:
        options = {"url": service.url, "token": str(tmp_path / "token")}
        yield Grid(service, ServiceSettings("rucio", "rucio", "/rucio", {"B-DATADISK": "SITE_B_DISK"}, options))


def with_password(grid: Grid, tmp_path: Path) -> None:
    options = {"url": grid.service.url, "account": "analysis", "user": "robot", "password": str(tmp_path / "password")}
    grid.settings = replace(grid.settings, options=options)


def test_a_dataset_has_the_files_and_the_available_copies_that_rucio_tells(grid):
    grid.add("mc23", "f1.root", "SITE_A_DISK", "B-DATADISK")
    grid.add("mc23", "f2.root", "CERN-TAPE", SITE_A_DISK="UNAVAILABLE")
    grid.add("mc23", "f3.root")
    found = grid.source.ask("/rucio/mc23/higgs")
    assert [(each.file.lfn, sorted(each.sites)) for each in found.files] == [
        ("/rucio/mc23/f1.root", ["SITE_A", "SITE_B"]), ("/rucio/mc23/f2.root", []), ("/rucio/mc23/f3.root", []),
    ]  # fmt: skip
    assert found.files[0].file.events == 100
    assert found.elsewhere == {"CERN-TAPE": 1}


def test_physical_names_follow_from_the_declared_prefix_by_the_algorithm_of_the_storage(grid):
    grid.add("mc23", "f1.root", "SITE_A_DISK")
    for algorithm, path in (
        ("hash", "/mc23/3d/25/f1.root"), ("identity", "/mc23/f1.root"), ("lfn", "/rucio/mc23/f1.root"),
    ):  # fmt: skip
        grid.options(paths=algorithm)
        [file] = grid.source.ask("/rucio/mc23/higgs").files
        assert file.replicas[0].pfn == f"file:///se/SITE_A{path}"


@pytest.mark.parametrize(
    ("did", "path"),
    [
        (Did("mc16_13TeV", "EVNT.01.root"), "/mc16_13TeV/71/13/EVNT.01.root"),
        (Did("user.alice", "h.root"), "/user/alice/6a/11/h.root"),
    ],
)
def test_the_algorithms_are_rucios_own(did, path):
    assert hashed(did, "") == path
    scope = did.scope.replace(".", "/") if did.scope.startswith("user") else did.scope
    assert identical(did, "") == f"/{scope}/{did.name}"


def test_names_may_be_paths_of_one_scope_as_in_cms(grid):
    grid.options(scope="cms", paths="name")
    grid.service.content["cms", "/ZMM/Run2/AOD"] = [("cms", "/store/f.root")]
    grid.service.files["cms", "/store/f.root"] = {"bytes": 1, "adler32": "0badcafe"}
    grid.service.replicas["cms", "/store/f.root"] = {"SITE_A_DISK": "AVAILABLE"}
    [file] = grid.source.ask("/rucio/ZMM/Run2/AOD").files
    assert (file.file.lfn, file.replicas[0].pfn) == ("/rucio/store/f.root", "file:///se/SITE_A/store/f.root")


def test_a_password_gets_a_token_which_is_renewed_when_it_ends(grid, tmp_path):
    with_password(grid, tmp_path)
    grid.add("mc23", "f1.root", "SITE_A_DISK")
    source = grid.source
    source.ask("/rucio/mc23/higgs")
    source.ask("/rucio/mc23/higgs")
    assert sum("auth" in asked for asked in grid.service.asked) == 1
    grid.service.tokens.clear()
    assert len(source.ask("/rucio/mc23/higgs").files) == 1
    assert sum("auth" in asked for asked in grid.service.asked) == 2


def test_a_wrong_password_is_refused_in_rucios_words_without_it(grid, tmp_path):
    with_password(grid, tmp_path)
    (tmp_path / "password").write_text("wrong-secret")
    with pytest.raises(PermissionRefused, match="Cannot authenticate to account") as refused:
        grid.source.ask("/rucio/mc23/higgs")
    assert "wrong-secret" not in str(refused.value)


def test_a_dataset_that_is_not_there_is_not_found_and_a_rucio_that_is_down_is_temporary(grid):
    with pytest.raises(NotFound, match=r"mc23:none.* not found"):
        grid.source.ask("/rucio/mc23/none")
    grid.service.down = True
    with pytest.raises(TemporaryError, match="error occurred in the database"):
        grid.source.ask("/rucio/mc23/higgs")


@pytest.mark.parametrize("changes", [{"paths": "mystery"}, {"url": "ftp://x"}], ids=str)
def test_options_that_make_no_sense_are_refused(grid, changes):
    grid.options(**changes)
    with pytest.raises(UserError):
        grid.source.ask("/rucio/mc23/higgs")


def test_a_name_without_a_scope_is_refused_with_how_it_looks(grid):
    with pytest.raises(UserError, match="/rucio/SCOPE/NAME"):
        grid.source.ask("/rucio/higgs")


def outputs() -> list[Any]:
    return [a_file(f"/user/alice/zmumu-1/hist_{number}.root", "SITE_A", "SITE_B") for number in range(3)]


def test_outputs_are_added_where_they_lie_attached_and_held_by_a_rule(grid):
    grid.options(rule="tier=1", account="alice")
    grid.source.register("/rucio/user.alice/zmumu-1", outputs())
    name = ("user.alice", "zmumu-1.hist_0.root")
    assert grid.service.content["user.alice", "zmumu-1"][0] == name
    assert grid.service.replicas[name] == {"SITE_A_DISK": "AVAILABLE", "B-DATADISK": "AVAILABLE"}
    assert grid.service.pfns[name, "B-DATADISK"] == "file:///se/SITE_B/user/alice/zmumu-1/hist_0.root"
    assert [rule["rse_expression"] for rule in grid.service.rules] == ["tier=1"]


def test_what_was_cut_short_is_added_by_the_next_try_and_nothing_twice(grid):
    grid.source.register("/rucio/user.alice/zmumu-1", outputs()[:1])
    for _ in range(2):
        grid.source.register("/rucio/user.alice/zmumu-1", outputs())
    assert len(grid.service.content["user.alice", "zmumu-1"]) == 3


def test_an_output_that_rucio_knows_with_other_bytes_is_refused(grid):
    grid.source.register("/rucio/user.alice/zmumu-1", outputs())
    changed = a_file("/user/alice/zmumu-1/hist_0.root", "SITE_A", adler32="00000001")
    with pytest.raises(RouterError, match="FileConsistencyMismatch"):
        grid.source.register("/rucio/user.alice/zmumu-1", [changed])
