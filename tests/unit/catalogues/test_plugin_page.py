"""The plug-in of docs/data-services.md, as it stands there, against a service that it is written for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from dbs_service import TOKEN, Bookkeeping, serving
from fake_organisation import Organisation, a_router

from router.api import Router
from router.catalogues.source import Source
from router.errors import NotFound, TemporaryError, UserError
from router.model.data_service import ServiceSettings
from router.services.discovery import Discovery
from router.testing.build import a_file, a_storage

PAGE = Path(__file__).resolve().parents[3] / "docs/data-services.md"
CODE = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL).group(1)
PAYLOAD = "name: zmumu\nexecutable: a.py\ninput: {dataset: /gamma/mc/zmumu}\nsplit: {by: files, target: 1}\n"


def told(number: int, *sites: str) -> dict[str, Any]:
    return {
        "name": f"/mc/zmumu/{number}.root", "size": 1000, "adler32": "0badcafe", "events": 100,
        "sites": list(sites), "lumis": [[1, 1, 10]],
    }  # fmt: skip


@dataclass
class Experiment:
    """Two sites, a service that knows three files there, and the plug-in that asks it."""

    organisation: Organisation
    service: type[Any]
    settings: ServiceSettings
    home: Path

    @property
    def source(self) -> Source:
        return Source(self.settings, {f"{site}_DISK": a_storage(site) for site in ("SITE_A", "SITE_B")})

    def router(self) -> Router:
        made = a_router(self.organisation, self.home)
        made.services = Discovery([self.source], self.organisation.store, self.organisation.clock)
        return made


@pytest.fixture
def experiment(organisation: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Experiment]:
    folder = tmp_path / "packages"
    offer = folder / "gamma_glideroute-1.0.dist-info"
    offer.mkdir(parents=True)
    (offer / "METADATA").write_text("Metadata-Version: 2.1\nName: gamma-glideroute\nVersion: 1.0\n")
    (offer / "entry_points.txt").write_text("[glideroute.catalogues]\ngamma = gamma_glideroute:connect\n")
    (folder / "gamma_glideroute.py").write_text(CODE)
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.syspath_prepend(folder)
    files = [told(1, "SITE_A_DISK"), told(2, "THEIR_B", "TAPE"), told(3, "SITE_A_DISK", "THEIR_B")]
    with serving(Bookkeeping, datasets={"/mc/zmumu": files}) as service:
        options = {"url": service.url, "token": str(tmp_path / "token")}
        settings = ServiceSettings("books", "gamma", "/gamma", {"THEIR_B": "SITE_B_DISK"}, options)
        yield Experiment(organisation, service, settings, tmp_path)


def test_the_plug_in_of_the_page_is_short():
    assert len(CODE.splitlines()) < 100


def test_a_task_reads_what_the_service_tells_where_it_tells(experiment):
    plan = experiment.router().plan(PAYLOAD, "zmumu.yaml")
    assert plan.jobs == 3
    assert {each.batch.sites for each in plan.batches} == {
        frozenset({"SITE_A"}), frozenset({"SITE_B"}), frozenset({"SITE_A", "SITE_B"}),
    }  # fmt: skip
    [copy] = experiment.router().catalogue.copies("/gamma/mc/zmumu/2.root")
    assert copy.replica.pfn == "file:///se/SITE_B/gamma/mc/zmumu/2.root"
    assert experiment.organisation.store.lumis(["/gamma/mc/zmumu/1.root"])["/gamma/mc/zmumu/1.root"].ranges == (
        (1, 1, 10),
    )


def test_the_service_is_told_of_outputs(experiment):
    outputs = [a_file("/user/alice/zmumu-1/hist.root", "SITE_A")]
    experiment.source.register("/user/alice/zmumu-1", outputs)
    assert experiment.service.datasets["/user/alice/zmumu-1"][0]["sites"] == ["SITE_A_DISK"]


def test_what_the_service_told_is_used_while_it_is_down_and_said_to_be_old(experiment):
    router = experiment.router()
    assert router.look("/gamma/mc/zmumu") == ""
    experiment.service.status = 503
    experiment.organisation.clock.pass_time(700)
    plan = experiment.router().plan(PAYLOAD, "zmumu.yaml")
    assert plan.jobs == 3
    assert "503" in plan.notes[0]
    assert "is used" in plan.notes[0]


def test_a_dataset_of_which_a_service_that_is_down_never_told_is_temporarily_impossible(experiment):
    experiment.service.status = 503
    with pytest.raises(TemporaryError, match="503"):
        experiment.router().plan(PAYLOAD, "zmumu.yaml")


def test_a_dataset_that_the_service_has_not_is_not_found(experiment):
    with pytest.raises(NotFound, match="no such dataset"):
        experiment.router().look("/gamma/mc/none")


def test_an_answer_is_kept_for_a_while_and_then_asked_for_anew(experiment):
    router = experiment.router()
    router.look("/gamma/mc/zmumu")
    experiment.service.datasets["/mc/zmumu"].append(told(4, "SITE_A_DISK"))
    router.look("/gamma/mc/zmumu")
    assert len(router.catalogue.dataset("/gamma/mc/zmumu").files) == 3
    experiment.organisation.clock.pass_time(601)
    router.look("/gamma/mc/zmumu/1.root")
    assert len(router.catalogue.dataset("/gamma/mc/zmumu").files) == 4


def test_a_missing_option_is_named(experiment):
    experiment.settings = replace(experiment.settings, options={})
    with pytest.raises(UserError, match=r"data_services\.books\.options\.token"):
        experiment.router().look("/gamma/mc/zmumu")


def test_a_plug_in_that_nobody_offers_is_told_with_those_that_are(experiment):
    experiment.settings = replace(experiment.settings, plugin="delta")
    with pytest.raises(UserError, match="There are: gamma, rucio"):
        experiment.router().look("/gamma/mc/zmumu")
