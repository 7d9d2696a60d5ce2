"""`glideroute data`, and what other commands tell of data services and of copies made for waiting jobs."""

from dataclasses import replace
from typing import Any

import pytest

from router.api import Router
from router.errors import TemporaryError
from router.model.data_service import ServiceAnswer, ServiceSettings
from router.model.placement import Replicate
from router.model.transfer import TransferState
from router.services.discovery import Discovery
from router.testing.build import a_file, a_storage, an_ended_job

WORDS = "2,000 jobs wait for it"


class Books:
    """A data service that knows one file, and takes what it is given; or is down."""

    settings = ServiceSettings("books", "gamma", "/gamma")

    def __init__(self) -> None:
        self.taken: dict[str, Any] = {}
        self.down = False

    def ask(self, dataset: str) -> ServiceAnswer:
        if self.down:
            raise TemporaryError("it is down")
        return ServiceAnswer("books", dataset, (a_file("/gamma/f.root", "SITE_A"),))

    def register(self, dataset: str, files: Any) -> None:
        self.taken[dataset] = [each.file.lfn for each in files]


@pytest.fixture
def books(router: Router) -> Books:
    made = Books()
    router.services = Discovery([made], router.memory, router.clock)  # type: ignore[arg-type,list-item]
    return made


@pytest.fixture
def placed(router: Router) -> None:
    """A copy of the files of the dataset is decided on for SITE_B."""
    elements = {each.name: each for each in map(a_storage, ("SITE_A", "SITE_B"))}
    wanted = Replicate("/demo/zmumu", "SITE_B_DISK", "SITE_B", 3000, 1.0, WORDS)
    router.memory.open_placement(wanted, elements, router.clock.now())  # type: ignore[attr-defined]


def test_a_dataset_of_a_service_is_shown_and_so_is_how_the_service_answered(run, books):
    assert run("dataset", "show", "/gamma/d").out.split()[:5] == ["file", "size", "events", "sites", "/gamma/f.root"]
    assert "/gamma/d" in run("data", "services").out
    told = run("data", "services", "--json").json
    assert told["services"] == [{"name": "books", "plugin": "gamma", "prefix": "/gamma"}]
    assert told["answers"][0]["files"] == 1


def test_what_a_service_that_is_down_told_is_shown_with_a_word_on_standard_error(run, books, organisation):
    run("replicas", "/gamma/d")
    run("dataset", "show", "/gamma/d")
    books.down = True
    organisation.clock.pass_time(700)
    answer = run("replicas", "/gamma/f.root")
    assert answer.code == 0
    assert "SITE_A_DISK" in answer.out
    assert "it is down" in answer.err


def test_a_service_that_is_down_and_never_answered_is_temporarily_impossible(run, books):
    books.down = True
    assert run("dataset", "show", "/gamma/d").code == 4
    assert "it is down" in run("data", "services").out


def test_without_services_there_are_none(run, payload):
    assert run("data", "services", "--json").json == {"services": [], "answers": []}
    run("submit", payload)
    assert "No data service" in run("data", "publish", "zmumu", "/gamma/x").err


def test_the_outputs_of_a_task_are_handed_to_a_service_by_their_owner(run, books, payload, organisation, router):
    run("submit", payload)
    task = router.tasks()[0]
    output = a_file(f"{task.outputs}/hist_merged.root", "SITE_A")
    organisation.store.register([output], "alice", 1.0)
    organisation.store.record_ended([an_ended_job(task=task.id)])
    assert run("data", "publish", task.id, "/gamma/alice").out == f"/gamma/alice has 1 file(s) of {task.id}.\n"
    assert books.taken == {"/gamma/alice": [output.file.lfn]}
    assert "No data service answers" in run("data", "publish", task.id, "/other/alice").err
    router.user = "bob"
    assert "only alice publishes" in run("data", "publish", task.id, "/gamma/bob").err


def test_copies_made_for_waiting_jobs_are_listed_with_their_reason(run, placed):
    told = run("data", "placed").out
    assert "/demo/zmumu" in told
    assert "is being made: 0 of 1 files" in told
    assert WORDS in told
    assert run("data", "placed", "/demo/other", "--json").json == []
    assert run("data", "placed", "/demo/zmumu", "--json").json[0]["state"] == "is being made: 0 of 1 files"


def test_replicas_and_why_tell_why_a_copy_was_made(run, placed, payload, router, organisation):
    agent = router.memory.placed_transfers()
    [due] = agent.transfers_due(organisation.clock.now(), 10)
    [begun] = agent.begin_transfers([due], organisation.clock.now())
    copy = a_file(begun.file.lfn, "SITE_B").replicas[0]
    agent.settle_transfers([(begun, copy)], [], organisation.clock.now())
    assert f"is there; it was decided because {WORDS}" in run("replicas", begun.file.lfn).out
    run("submit", payload)
    assert f"A copy of /demo/zmumu at SITE_B_DISK is there; it was decided because {WORDS}." in run("why", "zmumu").out


def test_a_copy_that_could_not_be_made_says_of_how_many_files_and_why(router, placed, organisation):
    agent = router.memory.placed_transfers()
    [begun] = agent.begin_transfers(agent.transfers_due(organisation.clock.now(), 10), organisation.clock.now())
    failed = replace(begun, state=TransferState.FAILED, cause="quota", words="Disk quota exceeded")
    agent.settle_transfers([], [failed], organisation.clock.now())
    assert router.memory.placements()[0].state == "lacks 1 of 1 files: Disk quota exceeded"
