"""Whatever a policy or a setting says, HTCondor's configuration gets the expected names and no others."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import UserError
from router.model import share_document
from router.model.pilot import Entry
from router.model.shares import Group, Quota, SharePolicy
from router.render import glidein, negotiator
from router.render.pool_config import condor_value
from router.resources import folder

POLICIES = folder("negotiator_policies")
READER = """
import htcondor2, json, sys
names = json.load(sys.stdin)
json.dump({name: htcondor2.param.get(name) for name in names}, sys.stdout)
"""
TRICKS = [
    "a\nEVIL = 1",
    "a\rEVIL = 1",
    "a\n@include : touch CANARY |",
    "a = b",
    "a |",
    "$(EVIL)",
    "$ENV(SEEDED_SECRET)",
    "a @=end",
    "a\\",
    "a\u2028EVIL = 1",
    "a\x00",
    "include command : touch CANARY |",
]


def read_by_htcondor(path: Path, names: Sequence[str]) -> Mapping[str, str | None]:
    """What HTCondor's own reader finds in a configuration file."""
    environment = {"CONDOR_CONFIG": str(path), "PATH": "/usr/bin:/bin", "SEEDED_SECRET": "canary-5f1d"}
    done = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps(list(names)),
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found: Mapping[str, str | None] = json.loads(done.stdout)
    return found


@pytest.mark.attack("A25")
@pytest.mark.parametrize("trick", TRICKS)
def test_a_name_in_a_policy_that_is_configuration_is_refused(trick: str) -> None:
    for document in (
        {"groups": {trick: {"quota": "50 %"}}},
        {"groups": {"a": {"quota": "50 %", "members": [trick]}}},
        {"groups": {"a": {"quota": trick}}},
        {"limits": {trick: 5}},
        {"users": {trick: {"factor": 2}}},
    ):
        assert share_document.read(json.dumps(document), "p.yaml").faults


@pytest.mark.attack("A25")
@pytest.mark.parametrize(
    "trick", [each for each in TRICKS if each not in ("a = b", "a |", "include command : touch CANARY |")]
)
def test_an_expression_in_a_policy_that_is_configuration_is_refused(trick: str) -> None:
    for key in ("slot_weight", "order"):
        assert share_document.read(json.dumps({"groups": {}, key: trick}), "p.yaml").faults


@pytest.mark.attack("A25")
def test_htcondor_reads_exactly_the_settings_of_a_policy_full_of_tricks(tmp_path: Path, trap: str) -> None:
    harmless = [each for each in TRICKS if each.isprintable() and not each.endswith("\\")]
    slipped = [
        replace(SharePolicy((Group("a", Quota(0.5, True)),)), slot_weight=trick, order=trick) for trick in harmless
    ]
    for policy in slipped:
        path = tmp_path / "shares.config"
        path.write_text(negotiator.render(policy, POLICIES, "p.yaml")[negotiator.SHARES_FILE])
        told = read_by_htcondor(path, [*negotiator.settings(policy), "EVIL"])
        assert told["EVIL"] is None
        assert told["SLOT_WEIGHT"] == policy.slot_weight
        assert told["GROUP_NAMES"] == "a"
        assert trap not in json.dumps(told)


@pytest.mark.attack("A25", "A05")
@pytest.mark.parametrize("trick", [each for each in TRICKS if not each.isprintable() or each.endswith("\\")])
def test_a_value_that_begins_another_line_makes_no_configuration(trick: str) -> None:
    if trick != "a\u2028EVIL = 1":  # no line's end to HTCondor
        with pytest.raises(UserError, match="cannot hold"):
            condor_value(trick)


@pytest.mark.attack("A25")
@given(st.lists(st.text(max_size=20), min_size=1, max_size=20))
def test_any_values_are_read_back_by_htcondor_or_refused(values: list[str]) -> None:
    told: dict[str, str] = {}
    for number, value in enumerate(values):
        try:
            told[f"ROUTER_V{number}"] = condor_value(value)
        except UserError:
            continue
    lines = [f"{name} = {value}" for name, value in told.items()]
    assert len("\n".join(lines).splitlines()) >= len(lines)
    assert all("\n" not in line and not line.endswith("\\") for line in lines)
    assert all("$" not in line.replace("$(DOLLAR)", "") for line in lines)


@pytest.mark.attack("A25", "A46")
@pytest.mark.parametrize("trick", TRICKS)
def test_a_glidein_is_not_made_of_names_that_are_configuration(trick: str) -> None:
    contact = glidein.PoolContact("127.0.0.1:1", "pool", "/release")
    cases = [
        (Entry(trick, "SITE_A"), contact),
        (Entry("e1", trick), contact),
        (replace(Entry("e1", "SITE_A"), attributes=((trick, "x"),)), contact),
        (Entry("e1", "SITE_A"), replace(contact, collector=trick)),
        (Entry("e1", "SITE_A"), replace(contact, trust_domain=trick)),
        (Entry("e1", "SITE_A"), replace(contact, security=((trick, "x"),))),
    ]
    for entry, at in cases:
        with pytest.raises(UserError, match="No glidein can be made"):
            glidein.glidein_files(entry, at, [], "token")
