"""`glideroute policy` without a pool: checking and simulating."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from answers import Run

from router import wiring
from router.model.shares import ShareState
from router.wiring import fair_share

BAD = "groups:\n  a: {quota: 70 %, members: ['*']}\n  b: {quota: 60 %, members: ['*']}\norder: '(1'\n"
LOAD = "load:\n- {user: eve, group: a, jobs: 30, run: 10 min}\n- {user: bob, jobs: 30, run: 10 min}\n"
GOOD = "groups:\n  a: {quota: 70 %, surplus: true, members: ['*']}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "policy.yaml"
    made.write_text(GOOD)
    return made


def test_mistakes_are_told_with_line_and_column(run: Run, file: Path) -> None:
    file.write_text(BAD)
    answer = run("policy", "check", file)
    assert answer.code == 2
    assert f"{file}:3:14: groups.b.quota: the parts of the groups at the top add up to 130 %" in answer.out
    assert f"{file}:4:8: order: is no ClassAd expression" in answer.out
    assert run("policy", "check", file, "--json").json["errors"][0]["line"] == 3


def test_a_policy_with_mistakes_is_not_simulated(run: Run, file: Path) -> None:
    file.write_text("half_life: soon\n")
    answer = run("policy", "simulate", file, "--cores", "10")
    assert answer.code == 2
    assert "1:12: half_life: must be a duration" in answer.err


def test_a_simulation_tells_shares_and_waits(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "expression_parser", lambda: nullcontext(lambda texts: [""] * len(texts)))
    load = tmp_path / "load.yaml"
    load.write_text(LOAD)
    answer = run("policy", "simulate", file, "--load", load, "--cores", "10", "--hours", "1.5")
    assert answer.code == 0, answer.err
    rows = {line.split()[0]: line.split()[1:] for line in answer.out.splitlines()}
    assert rows["a"][0] == "7"
    assert rows["a.eve"][-1] == rows["bob"][-1] == "0"
    found = run("policy", "simulate", file, "--load", load, "--cores", "10", "--hours", "1", "--json").json
    assert found["used"]["a.eve"][0] == 7
    assert found["used"]["bob"][0] == 3


def test_shares_are_shown_group_by_group(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    states = (
        ShareState("<none>", "<none>", True, quota=3),
        ShareState("a", "<none>", True, quota=7, used=5),
        ShareState("a.eve@vo", "a", False, used=5, waiting=40, priority=2500, factor=1000, ceiling=6, limit=7),
        ShareState("bob@vo", "<none>", False, waiting=2, priority=500, factor=1000),
    )
    monkeypatch.setattr(wiring, "negotiator", lambda _: nullcontext(SimpleNamespace(states=lambda: states)))
    rows = [line.split() for line in run("policy", "show").out.splitlines()]
    assert rows[1:] == [
        ["a", "7", "5", "40"],
        ["a.eve@vo", "7.0", "5", "40", "2500", "1000", "6"],
        ["(no", "group)", "3", "0", "2"],
        ["bob@vo", "0", "2", "500", "1000"],
    ]


def test_the_configuration_can_be_seen_before_anything_is_changed(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "expression_parser", lambda: nullcontext(lambda texts: [""] * len(texts)))
    (tmp_path / "config.d").mkdir()
    answer = run("policy", "apply", file, "--dry-run", "--config-dir", tmp_path / "config.d")
    assert "GROUP_QUOTA_DYNAMIC_a = 0.7" in answer.out
    assert f"AssignAccountingGroup({tmp_path / 'glideroute-groups.map'})" in answer.out
    assert not list((tmp_path / "config.d").iterdir())


def test_the_explanation_of_a_waiting_task_ends_with_its_fair_share(
    run: Run, payload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = run("submit", payload, "--json").json["task"]
    running = {
        "settings": lambda: {"GROUP_NAMES": "a"},
        "states": lambda: (ShareState("alice@vo", "<none>", False, waiting=8, priority=500, factor=1000),),
        "cores": lambda: 4.0,
    }
    monkeypatch.setattr(fair_share, "negotiator", lambda *_: nullcontext(SimpleNamespace(**running)))
    monkeypatch.setattr(fair_share, "user_name", lambda _: "alice")
    assert "Fair share, alice: the last of 8 waiting cores starts in about" in run("why", task).out.splitlines()[-1]


def test_a_negotiator_that_does_not_answer_takes_nothing_from_an_explanation(run: Run, payload: Path) -> None:
    task = run("submit", payload, "--json").json["task"]
    answer = run("why", task)
    assert answer.code == 0
    assert "Fair share" not in answer.out
