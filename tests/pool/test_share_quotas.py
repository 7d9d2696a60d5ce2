"""Our reckoning of group quotas and surplus is the real negotiator's, tree by tree."""

import random
from collections.abc import Iterator
from pathlib import Path

import pool_backend
import pytest
import scratch

from router import wiring
from router.decide import share_quota
from router.embedded import whatif
from router.errors import RouterError
from router.model.shares import ROOT, Group, Quota, SharePolicy
from router.render import negotiator
from router.resources import folder

pytestmark = pytest.mark.pool

CORES = 400
NAMES = ("a", "b", "c", "a.x", "a.y", "a.z", "b.x", "b.y", "a.x.u", "a.x.v")


@pytest.fixture(scope="module")
def told() -> Iterator[pool_backend.LivePool]:
    """A pool whose one slot of 400 cores exists on paper only."""
    with scratch.scratch("CLASSAD_LIFETIME = 900") as live:
        slot = {"MyType": "Machine", "Name": "big", "MyAddress": "<127.0.0.1:9>", "State": "Unclaimed"}
        scratch.advertise(live.pool, "UPDATE_STARTD_AD", {**slot, "Cpus": CORES, "SlotWeight": CORES})
        yield live


def a_tree(chance: random.Random) -> SharePolicy:
    """Any tree, its parts and promises often too large or too small."""
    kept: list[str] = []
    for name in NAMES:
        parent = name.rpartition(".")[0]
        if chance.random() < 0.8 and (not parent or parent in kept):
            kept.append(name)
    return SharePolicy(groups=tuple(Group(name, _quota(chance), chance.random() < 0.6) for name in kept))


def _quota(chance: random.Random) -> Quota:
    if chance.random() < 0.3:
        return Quota(float(chance.choice([0, 10, 60, 150])), False)
    return Quota(chance.choice([0.0, 0.1, 0.25, 0.4, 0.7]), True)


def demands(policy: SharePolicy, chance: random.Random) -> dict[str, float]:
    """What each group waits for."""
    return {name: float(chance.choice([0, 5, 70, 1000])) for name in (ROOT, *(each.name for each in policy.groups))}


def submit(live: pool_backend.LivePool, wanted: dict[str, float]) -> None:
    """Make the collector believe that these jobs wait, and no others."""
    scratch.run(live.pool, "condor", "condor_advertise", "INVALIDATE_SUBMITTOR_ADS", str(_everything(live.pool.home)))
    found = [
        {
            "MyType": "Submitter",
            "Name": f"{name}.user@vo.test".removeprefix(f"{ROOT}."),
            "ScheddName": "nowhere",
            "ScheddIpAddr": "<127.0.0.1:9>",
            "MyAddress": "<127.0.0.1:9>",
            "IdleJobs": int(cores),
            "WeightedIdleJobs": cores,
            "RunningJobs": 0,
            "WeightedRunningJobs": 0.0,
        }
        for name, cores in wanted.items()
    ]
    scratch.advertise(live.pool, "UPDATE_SUBMITTOR_AD", *found)


def _everything(home: Path) -> Path:
    file = home / "everything"
    file.write_text('MyType = "Query"\nTargetType = "Submitter"\nRequirements = true\n')
    return file


def dry_run(live: pool_backend.LivePool, text: str) -> whatif.DryRun:
    return whatif.dry_run(wiring.central(live.pool), scratch.FRAGMENT, text)


def test_thirty_random_trees_get_what_the_negotiator_gives_them(told: pool_backend.LivePool) -> None:
    chance = random.Random(7)  # noqa: S311 - the same trees at every run
    compared = served = 0
    for number in range(30):
        policy = a_tree(chance)
        wanted = demands(policy, chance)
        submit(told, wanted)
        real = dry_run(told, negotiator.render(policy, folder("negotiator_policies"), "test")[scratch.FRAGMENT])
        assert real.cores == CORES
        nodes = share_quota.tree(policy)
        share_quota.allocate(nodes, CORES, wanted, {})
        for each in real.groups:
            ours = (nodes[each.name].quota, nodes[each.name].allocated)
            assert ours == pytest.approx((each.quota, each.allocated), abs=0.01), (number, each, policy, wanted)
            compared, served = compared + 1, served + (each.allocated > 0)
    assert compared > 150
    assert served > 60


def test_an_expression_that_would_end_the_negotiator_ends_the_dry_run_alone(told: pool_backend.LivePool) -> None:
    with pytest.raises(RouterError, match="Failed to parse GROUP_SORT_EXPR"):
        dry_run(told, "GROUP_NAMES = a\nGROUP_SORT_EXPR = (GroupQuota\n")
    assert told.pool.status().state == "up"
