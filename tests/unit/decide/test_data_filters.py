"""Reasons that lie in the data: inputs that nobody gives, outputs that nobody keeps."""

import pytest

from router.decide.columns import shape_columns, site_columns
from router.decide.filters import filters, refused
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus, Storage
from router.model.task import Inputs
from router.testing.build import a_shape, a_site, inputs_at

POLICY = BrokerPolicy()
TAPE = frozenset({"TAPE"})


def refusals(shape, *sites):
    """Tag and words by site, of those that refuse."""
    columns, asked = site_columns(sites, POLICY), filters(POLICY)
    codes = refused(shape_columns([shape], columns.names), columns, asked)[0].tolist()
    found = {site: asked[code - 1].refusal(shape, site) for site, code in zip(sites, codes, strict=True) if code}
    return {site.name: (refusal.tag, refusal.words) for site, refusal in found.items()}


def test_what_lies_on_tape_only_can_be_read_nowhere():
    shape = a_shape(inputs=inputs_at("TAPE").off(TAPE))
    words = "lacks the input, which lies on tape only, at TAPE; have it copied to a disk"
    tape = a_site("TAPE", storage=Storage(tape=True))
    assert refusals(shape, a_site("SITE_A"), tape) == {name: ("tape-only", words) for name in ("SITE_A", "TAPE")}


def test_a_copy_on_disk_is_read_and_that_on_tape_is_none():
    inputs = inputs_at("SITE_A", "TAPE").off(TAPE)
    assert inputs == Inputs(1000, (("SITE_A", 1000),), on_tape=("TAPE",))
    tape = a_site("TAPE", storage=Storage(tape=True))
    assert refusals(a_shape(inputs=inputs), a_site("SITE_A"), tape) == {}
    closed = a_site("SITE_A", status=SiteStatus.OFFLINE)
    assert refusals(a_shape(inputs=inputs), closed, a_site("SITE_B"))["SITE_B"][0] == "input-unreachable"


PARTS = Inputs(1000, (("SITE_A", 600), ("SITE_B", 700)), sets=(("SITE_A",), ("SITE_A", "SITE_B"), ("SITE_B",)))


def test_parts_of_the_input_may_lie_at_several_sites():
    assert refusals(a_shape(inputs=PARTS), a_site("SITE_A"), a_site("SITE_B"), a_site("SITE_C")) == {}


@pytest.mark.parametrize("inputs", [PARTS, PARTS.off(frozenset({"SITE_B"}))], ids=["closed", "tape"])
def test_a_part_that_no_storage_gives_keeps_jobs_from_every_site(inputs):
    sites = a_site("SITE_A"), a_site("SITE_B", status=SiteStatus.OFFLINE), a_site("SITE_C")
    told = refusals(a_shape(inputs=inputs), *sites)
    words = "lacks a part of the input, and no storage that has that part answers"
    assert told["SITE_A"] == told["SITE_C"] == ("input-partial", words)


def test_where_all_parts_lie_no_other_storage_matters():
    whole = Inputs(1000, (("SITE_A", 1000), ("SITE_B", 400)), sets=(("SITE_A",), ("SITE_A", "SITE_B")))
    told = refusals(a_shape(inputs=whole), a_site("SITE_A"), a_site("SITE_B", status=SiteStatus.OFFLINE))
    assert "SITE_A" not in told


@pytest.mark.parametrize(
    ("storage", "tag", "words"),
    [
        (Storage(present=False), "no-storage", "has no storage that could keep the outputs"),
        (Storage(tape=True), "no-storage", "has no storage that could keep the outputs"),
        (
            Storage(space_mb=2000, used_mb=1500, reserve_mb=500),
            "storage-full",
            "its storage has 500 of 2,000 MB free, and keeps 500 MB",
        ),
        (Storage(space_mb=2000, used_mb=2001), "storage-full", "its storage has 0 of 2,000 MB free, and keeps 0 MB"),
    ],
)
def test_outputs_need_room_where_the_job_runs(storage, tag, words):
    site = a_site(storage=storage)
    assert refusals(a_shape(writes=True), site) == {"SITE_A": (tag, words)}
    assert refusals(a_shape(), site) == {}


def test_storage_of_which_nobody_said_how_much_there_is_has_room():
    assert refusals(a_shape(writes=True), a_site(storage=Storage(used_mb=10**9, reserve_mb=10**9))) == {}


def test_a_user_whose_quota_is_used_up_writes_elsewhere():
    storage = Storage(quota_mb=3).filled({"alice": 3 * 2**20, "bob": 3 * 2**20 - 1})
    assert (storage.over, storage.used_mb) == (("alice",), 5)
    sites = a_site("SITE_A", storage=storage), a_site("SITE_B")
    words = "the user's files there have used up the quota of 3 MB; remove some"
    assert refusals(a_shape(writes=True, over=("SITE_A",)), *sites) == {"SITE_A": ("quota", words)}
