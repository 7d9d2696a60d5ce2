"""`glideroute audit`: every request and every decision, as people and as programs read it."""

import csv
import io
from dataclasses import fields

import pytest

from router.api import Router
from router.errors import OutcomeUnknown, PoolUnreachable
from router.model.audit import AuditEntry, AuditQuery

LOOKING = {
    "look", "estimate", "next_stage", "merge_plan",
    "plan", "choices_for_dry_run", "world", "tasks", "status", "lines", "why", "log", "outputs", "lost", "find",
    "provenance",
}  # fmt: skip


def told(run, *arguments: str) -> list[tuple[str, str, str]]:
    found = run("audit", *arguments, "--json").json["entries"]
    return [(each["who"], each["act"], each["outcome"]) for each in found]


def test_a_task_is_followed_from_its_submission_to_its_end(run, payload, organisation, router):
    task = run("submit", payload, "--json").json["task"]
    organisation.step()
    run("kill", task)
    found = told(run, task)
    assert found[:2] == [("alice", "submit", "asked"), ("alice", "submit", "done")]
    assert found[2:5] == [("router", "place", "applied")] * 3
    assert found[5:] == [("alice", "kill", "asked"), ("alice", "kill", "done")]
    assert told(run, "1.0") == [("router", "place", "applied")]
    assert told(run, task, "--user", "router") == found[2:5]
    (last,) = run("audit", "--most", "1", "--json").json["entries"]
    assert (last["about"], last["words"], last["at"][:10]) == (f"task {task}", "7", "2023-11-14")


def test_what_was_refused_or_has_no_answer_is_told_with_the_reason(run, payload, organisation):
    organisation.pool.break_at("submit", OutcomeUnknown("no answer"))
    assert run("submit", payload).code == 4
    last = run("audit", "--json").json["entries"][-1]
    assert (last["act"], last["outcome"], last["words"]) == ("submit", "unknown", "no answer")
    assert run("sites", "drain", "NOWHERE").code == 2
    last = run("audit", "--json").json["entries"][-1]
    assert (last["about"], last["outcome"]) == ("site NOWHERE: draining drained by an operator", "refused")
    assert "There is no site NOWHERE" in last["words"]


def test_a_request_that_could_not_be_written_down_is_not_done(run, organisation, monkeypatch):
    def full(_):
        raise OutcomeUnknown("the disk is full")

    monkeypatch.setattr(organisation.store, "note_audit", full)
    assert run("sites", "drain", "SITE_A").code == 4
    assert organisation.store.site_states() == {}


def test_the_account_that_a_command_ran_under_is_told_where_it_is_another(run, router):
    router.account = "mallory"
    run("sites", "drain", "SITE_A")
    assert "alice (mallory)" in run("audit").out


def test_the_identity_that_the_schedd_authenticated_stands_beside_what_was_done_there(run, payload, router):
    router.identity = lambda: "eve@vo by the token of 4711"
    run("submit", payload)
    run("sites", "drain", "SITE_A")
    found = run("audit", "--json").json["entries"]
    assert [(each["act"], each["identity"]) for each in found if each["outcome"] == "done"] == [
        ("add dataset", ""),
        ("submit", "eve@vo by the token of 4711"),
        ("set site", ""),
    ]
    assert "alice, eve@vo by the token of 4711" in run("audit").out


def test_a_schedd_that_does_not_say_who_asked_changes_nothing_of_what_was_done(run, payload, router):
    def down():
        raise PoolUnreachable("down")

    router.identity = down
    assert run("submit", payload).code == 0
    assert told(run)[-1] == ("alice", "submit", "done")


def test_every_request_that_changes_something_is_audited():
    methods = set(vars(Router)) - {each.name for each in fields(Router)}
    public = {name for name in methods if not name.startswith("_") and callable(getattr(Router, name))}
    audited = {name for name in public if hasattr(getattr(Router, name), "audited")}
    assert public - LOOKING == audited, "mark what changes something with @audited, or list what only looks"


@pytest.mark.parametrize("name", ["=cmd()", " +1", "@x", "\x1b]0;x\x07", "-2", "a\r=b"])
def test_what_others_wrote_neither_runs_in_a_spreadsheet_nor_moves_a_terminal(run, organisation, name):
    organisation.store.note_audit([AuditEntry(1.0, name, "kill", name, "done", f"[red]{name}")])
    shown = run("audit", "--user", name.replace("\x1b", " ").replace("\x07", " ").replace("\r", " "))
    assert "\x1b" not in shown.out and "\x07" not in shown.out and "[red]" in shown.out
    (row,) = list(csv.DictReader(io.StringIO(run("audit", "--csv", "--most", "1").out)))
    assert not row["who"].lstrip().startswith(("=", "+", "-", "@"))


def test_the_audit_is_verified_and_a_change_is_told(run, organisation):
    run("sites", "drain", "SITE_A")
    digest = run("audit", "--verify", "--json").json["digest"]
    assert digest in run("audit", "--verify").out
    run("sites", "resume", "SITE_A")
    assert run("audit", "--verify", "--digest", digest).code == 0
    shown = run("audit", "--verify", "--digest", "f" * 64)
    assert (shown.code, "cut off or made anew" in shown.err) == (1, True)


def test_metadata_that_is_set_is_audited(run, organisation):
    run("meta", "set", "/demo/zmumu", "year=2016")
    run("meta", "unset", "/demo/zmumu", "year")
    found = [each.entry for each in organisation.store.audit(AuditQuery())]
    assert {(each.act, each.about) for each in found} >= {
        ("meta set", "/demo/zmumu: year"),
        ("meta unset", "/demo/zmumu: year"),
    }
