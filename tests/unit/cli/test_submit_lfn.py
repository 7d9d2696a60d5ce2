"""Inputs by logical name in submit files: the copies go with the job."""

import json

import pytest
from fake_organisation import a_router

from router.cli.submitfile import plugin_for
from router.errors import NotFound
from router.testing.build import a_file
from router.testing.clock import NOON
from router.worker import lfn_plugin


@pytest.fixture
def asked(organisation, tmp_path):
    organisation.store.register([a_file("/demo/f1.root", "SITE_A", "SITE_B")], "alice", NOON)

    def ask(text: str) -> list[str]:
        (tmp_path / "job.sub").write_text(text)
        return plugin_for(a_router(organisation, tmp_path), tmp_path / "job.sub")

    return ask


def test_a_submit_file_without_logical_names_is_left_as_it_is(asked):
    assert asked("transfer_input_files = a.txt\nqueue\n") == []


def test_the_plugin_reads_where_the_copies_are_as_they_were_told(asked, tmp_path):
    _, copies, _, plugin = asked("transfer_input_files = a.txt, lfn:///demo/f1.root\nqueue\n")
    (tmp_path / "job.ad").write_text(f"{copies.removeprefix('My.')}\n")
    known = lfn_plugin.copies_of(str(tmp_path / "job.ad"))
    assert [each["se"] for each in known["/demo/f1.root"]["replicas"]] == ["SITE_A_DISK", "SITE_B_DISK"]
    assert known["/demo/f1.root"]["size"] == 1000
    assert json.dumps(known)
    assert plugin == f"transfer_plugins = lfn={lfn_plugin.__file__}"


def test_a_name_that_the_catalogue_has_not_is_refused_before_it_is_submitted(asked):
    with pytest.raises(NotFound, match=r"/demo/other\.root"):
        asked("transfer_input_files = lfn:///demo/other.root\nqueue\n")
