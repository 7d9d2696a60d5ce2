"""A policy becomes configuration, and configuration a policy again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import share_document
from router.model.shares import Draining, Group, Preemption, Quota, SharePolicy
from router.render import negotiator
from router.resources import folder

POLICIES = folder("negotiator_policies")
SHARES = "60-glideroute-shares.config"

quotas = st.one_of(
    st.integers(0, 100).map(lambda n: Quota(n / 100, True)), st.integers(0, 10**6).map(lambda n: Quota(float(n), False))
)
words = st.text("abcxyz_", min_size=1, max_size=4)


@st.composite
def policies(draw: st.DrawFn) -> SharePolicy:
    """Any policy, its trees up to three levels deep."""
    names = sorted(draw(st.sets(st.lists(words, min_size=1, max_size=3).map(".".join), max_size=6)))
    whole = {".".join(name.split(".")[: depth + 1]) for name in names for depth in range(name.count(".") + 1)}
    groups = [
        Group(name, draw(quotas), draw(st.booleans()), draw(st.sampled_from([0.0, 1.0, 2500.0]))) for name in whole
    ]
    return SharePolicy(
        groups=negotiator._preorder(sorted(groups, key=lambda each: each.name)),
        half_life_s=draw(st.integers(1, 10**7)),
        default_factor=float(draw(st.integers(1, 10**6))),
        slot_weight=draw(st.sampled_from(["Cpus", "Cpus + Memory / 4096"])),
        order=draw(st.sampled_from(["", "GroupQuota", "-GroupQuota"])),
        limits=tuple(sorted(draw(st.dictionaries(words, st.integers(0, 10**6).map(float), max_size=3)).items())),
        default_limit=draw(st.sampled_from([-1.0, 7.0])),
        preemption=draw(st.sampled_from([Preemption(), Preemption(True, "a > b", "RemoteUserPrio")])),
        draining=draw(st.sampled_from([Draining(), Draining(4.0, 3, 2, "Cpus > 1", "Cpus == 8")])),
    )


@given(policies())
def test_what_is_rendered_reads_back_as_the_same_policy(policy: SharePolicy) -> None:
    text = negotiator.render(policy, POLICIES, "p.yaml")[SHARES]
    back = negotiator.read_back(negotiator.parse(text))
    assert sorted(back.groups, key=str) == sorted(policy.groups, key=str)
    assert replace(back, groups=()) == replace(policy, groups=())


def test_the_shipped_policy_renders_with_the_groups_of_each_user() -> None:
    policy = share_document.read((POLICIES / "collaboration.yaml").read_text(), "c.yaml").policy
    files = negotiator.render(policy, POLICIES, "c.yaml", Path("/etc/condor/groups.map"))
    assert negotiator.parse(files[SHARES]) == negotiator.settings(policy)
    assert "use FEATURE : AssignAccountingGroup(/etc/condor/groups.map)" in files["61-glideroute-groups.config"]
    assert files[negotiator.MAP_FILE].splitlines()[:2] == [
        "* alice higgs,higgs.zz,opportunistic",
        "* bob higgs.zz,opportunistic",
    ]


def test_groups_of_the_organisation_are_members_as_their_tokens_name_them() -> None:
    text = "groups: {higgs: {quota: 40 %, members: [alice, /vo/higgs]}, any: {quota: 10 %, members: ['*', /vo/higgs]}}"
    policy = share_document.read(text, "p.yaml").policy
    assert policy.users() == ("alice",), "no group is a user of whom the accountant keeps a record"
    assert negotiator.group_map(policy) == '* alice higgs,any\n* "/vo/higgs" higgs,any\n* /.*/ any\n'


@pytest.mark.parametrize("name", ["/", "//vo", "/vo/", "/vo/hi ggs", '/vo/"', "/vo/higgs/.*", "/vo,/x"])
def test_a_name_that_could_be_a_pattern_is_no_group_of_the_organisation(name: str) -> None:
    text = json.dumps({"groups": {"higgs": {"quota": "40 %", "members": [name]}}})
    assert share_document.read(text, "p.yaml").faults


def test_a_policy_without_members_leaves_the_schedd_alone() -> None:
    policy = SharePolicy(groups=(Group("a", Quota(1.0, True)),))
    assert set(negotiator.render(policy, POLICIES, "p.yaml", Path("/m"))) == {SHARES}


def test_what_htcondor_comes_with_is_a_policy_without_groups() -> None:
    default = {
        "GROUP_SORT_EXPR": 'ifThenElse(AccountingGroup=?="<none>",3.4e+38,ifThenElse(GroupQuota>0,'
        "GroupResourcesInUse/GroupQuota,3.3e+38))",
        "PRIORITY_HALFLIFE": "86400",
        "DETECTED_CPUS_LIMIT": "2",
        "NEGOTIATOR_CONSIDER_PREEMPTION": "false",
    }
    assert negotiator.read_back(default) == SharePolicy()
