"""`glideroute policy` on a real pool: a policy is applied whole or not at all, and what runs is what is shown."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import scratch
from organisation import Organisation, until

from router.loops.shares import ConfigDirectory
from router.render.negotiator import FILES, SHARES_FILE

pytestmark = pytest.mark.pool

POLICY = """
half_life: 2 h
groups:
  higgs: {quota: 60 %, surplus: true, members: [alice, bob]}
  susy: {quota: 30 %, factor: 3000, members: [carol]}
users:
  bob: {factor: 2000, ceiling: 7, floor: 2}
limits: {north_tape: 5}
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Organisation]:
    with scratch.scratch() as live:
        slot = {"MyType": "Machine", "Name": "big", "MyAddress": "<127.0.0.1:9>", "State": "Unclaimed"}
        scratch.advertise(live.pool, "UPDATE_STARTD_AD", {**slot, "Cpus": 100, "SlotWeight": 100})
        yield Organisation(live, live.home)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def configuration(made: Organisation) -> dict[str, str]:
    """Our files in the pool's configuration directory."""
    ours = ConfigDirectory(made.live.pool.home / "config.d", FILES)
    return {name: ours.path(name).read_text() for name in FILES if ours.path(name).exists()}


def test_a_policy_is_applied_and_runs_and_is_shown(made: Organisation, policy: Path) -> None:
    wanted = made.run("policy", "diff", policy)
    assert "group higgs is new: quota 60 % of the pool, may use what others leave" in wanted.out
    applied = made.run("policy", "apply", policy)
    assert applied.code == 0, applied.err
    assert applied.out.endswith("The negotiator runs it.\n")
    assert made.run("policy", "diff", policy).out == "Nothing: the negotiator runs this policy.\n"
    assert made.run("policy", "apply", policy).out.startswith("Nothing changed")
    until(lambda: quotas(made) == {"higgs": 60, "susy": 30, "<none>": 10})
    bob = next(each for each in states(made) if each["name"].startswith("higgs.bob@"))
    assert (bob["factor"], bob["ceiling"], bob["floor"]) == (2000, 7, 2)


def states(made: Organisation) -> list[dict[str, object]]:
    return json.loads(made.run("policy", "show", "--json").out)  # type: ignore[no-any-return]


def quotas(made: Organisation) -> dict[str, object]:
    return {str(each["name"]): each["quota"] for each in states(made) if each["is_group"]}


def test_a_limit_that_goes_is_a_difference_and_a_ceiling_can_be_lifted(made: Organisation, policy: Path) -> None:
    assert made.run("policy", "apply", policy).code == 0
    policy.write_text(POLICY.replace(", ceiling: 7", "").replace("limits: {north_tape: 5}", ""))
    told = made.run("policy", "diff", policy).out
    assert "limit north_tape goes" in told
    assert "no ceiling any more" in told
    applied = made.run("policy", "apply", policy)
    assert applied.code == 0, applied.err
    assert made.run("policy", "diff", policy).out == "Nothing: the negotiator runs this policy.\n"


def test_a_policy_that_another_file_overrules_is_taken_back(made: Organisation, policy: Path) -> None:
    assert made.run("policy", "apply", policy).code == 0
    before = configuration(made)
    other = made.live.pool.home / "config.d/99-other.config"
    other.write_text("PRIORITY_HALFLIFE = 7200\n")
    try:
        policy.write_text(POLICY.replace("half_life: 2 h", "half_life: 3 h"))
        refused = made.run("policy", "apply", policy, "--wait", "6")
    finally:
        other.unlink()
    assert refused.code == 1
    assert "PRIORITY_HALFLIFE is 7200, not 10800" in refused.err
    assert "the old one is back" in refused.err
    assert configuration(made) == before


def test_who_is_no_administrator_changes_nothing(made: Organisation, policy: Path) -> None:
    assert made.run("policy", "apply", policy).code == 0
    before = configuration(made)
    policy.write_text(POLICY.replace("60 %", "50 %"))
    pool = made.live.pool
    mallory = {**os.environ, **pool.env("mallory"), "GLIDEROUTE_HOME": str(policy.parent / "elsewhere")}
    refused = made.run("policy", "apply", policy, "--config-dir", pool.home / "config.d", environment=mallory)
    assert refused.code == 1
    assert "the old one is back" in refused.err
    assert configuration(made) == before


def test_an_expression_that_ends_the_negotiator_never_reaches_it(made: Organisation, policy: Path) -> None:
    before = configuration(made)
    policy.write_text(POLICY + "order: '(GroupQuota'\n")
    refused = made.run("policy", "apply", policy)
    assert refused.code == 2
    assert "order: is no ClassAd expression" in refused.err
    assert configuration(made) == before
    assert made.live.pool.status().state == "up"


def test_the_negotiator_itself_reckons_a_policy_without_taking_it(made: Organisation, policy: Path) -> None:
    before = configuration(made)
    policy.write_text(POLICY.replace("60 %", "25 cores"))
    found = json.loads(made.run("policy", "rehearse", policy, "--json").out)
    assert {each["name"]: each["quota"] for each in found["groups"]} == {"<none>": 52.5, "higgs": 25, "susy": 22.5}
    assert configuration(made) == before


def test_only_members_may_name_a_group(made: Organisation, policy: Path, tmp_path: Path) -> None:
    assert made.run("policy", "apply", policy).code == 0
    assert SHARES_FILE in configuration(made)
    tmp_path.chmod(0o755)
    for user, group, booked in (
        ("alice", "higgs", "higgs.alice"),
        ("carol", "", "susy.carol"),
        ("alice", "susy", "alice is no member of the group susy"),
        ("malice", "higgs", "malice is no member of the group higgs"),
        ("al.ice", "", "policy has al.ice in no group"),
    ):
        file = tmp_path / f"{user}{group}.sub"
        wanted = f"accounting_group = {group}\n" if group else ""
        file.write_text(f"executable = /bin/true\nhold = true\n{wanted}queue\n")
        if " " in booked:
            with pytest.raises(AssertionError, match=booked):
                scratch.run(made.live.pool, user, "condor_submit", "-terse", str(file))
            continue
        cluster = scratch.run(made.live.pool, user, "condor_submit", "-terse", str(file)).split(".")[0]
        found = scratch.run(made.live.pool, "admin", "condor_q", cluster, "-af", "AccountingGroup")
        assert found.strip() == booked


@pytest.mark.slow
def test_a_policy_is_rehearsed_in_a_pool_of_its_own(made: Organisation, policy: Path) -> None:
    answer = made.run("policy", "rehearse", policy, "--scratch", "--seconds", "24", "--cores", "40", "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    totals = {where: sum(each.values()) for where, each in found.items()}
    assert totals["pool"] > 10
    for name, slots in found["model"].items():
        assert found["pool"][name] / totals["pool"] == pytest.approx(slots / totals["model"], abs=0.12)


def test_what_is_shown_can_be_drawn(made: Organisation, tmp_path: Path) -> None:
    assert made.run("policy", "show", "--plot", tmp_path / "shares.png").code == 0
    assert (tmp_path / "shares.png").read_bytes().startswith(b"\x89PNG")
