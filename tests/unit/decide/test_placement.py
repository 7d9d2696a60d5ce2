"""Which datasets get a further copy, where, within what budget, and when such a copy goes."""

from dataclasses import replace

import pytest

from router.decide.broker import Brokerage
from router.decide.placement import Demand, Supply, expire, in_use, place
from router.model.job import JobState
from router.model.placement import Holding, PlacementPolicy
from router.model.policy import BrokerPolicy
from router.model.site import MB, SiteStatus, Storage
from router.model.task import Inputs
from router.testing.build import a_group, a_site, a_world, inputs_at
from router.testing.clock import NOON

HOT = "/demo/zmumu"
GB = 10**9
POLICY = PlacementPolicy(per_day_mb=10_000_000)
ELEMENTS = {f"SITE_{letter}": f"SITE_{letter}_DISK" for letter in "ABCD"}


def busy(name="SITE_A", **changes):
    """A site where a hundred cores end a job every two hours."""
    return a_site(name, **{"cores": 100, "max_cores": 100, "running_jobs": 100, "freed_per_h": 50.0, **changes})


def idle(name="SITE_B", **changes):
    """A site with a hundred cores that nobody uses."""
    return a_site(name, **{"cores": 100, "max_cores": 100, "idle_cores": 100, "freed_per_h": 50.0, **changes})


def waiting(jobs=2000, cluster=1, **changes):
    return a_group(cluster, **{"count": jobs, "dataset": HOT, "sites": ("SITE_A",), **changes})


def a_crowd(*sites, jobs=(), size=100 * GB, read=None):
    groups = jobs or (waiting(),)
    found = sites or (busy(), idle())
    return a_world(
        *found,
        jobs=groups,
        inputs=[(group.cluster, read or Inputs(size, (("SITE_A", size),), 2000)) for group in groups],
    )


def decided(world, policy=POLICY, holdings=(), whole=None, now=NOON):
    demand = Demand(world, Brokerage.of(world, BrokerPolicy(remote_mb_s=1e-4)))
    hot = demand.hot(policy)
    sizes = whole or {each.dataset: inputs_at("SITE_A", size=100 * GB) for each in hot}
    return place(demand, hot, Supply(now, sizes, holdings, ELEMENTS), policy)


def a_holding(dataset=HOT, site="SITE_B", **changes):
    made = Holding(dataset, f"{site}_DISK", site, "why", NOON, NOON, files=10, bytes=100 * GB, there=10)
    return replace(made, **changes)


def test_a_dataset_whose_jobs_wait_long_is_copied_to_where_they_would_not():
    made = decided(a_crowd())
    assert (made.dataset, made.se, made.site, made.bytes) == (HOT, "SITE_B_DISK", "SITE_B", 100 * GB)
    assert made.words == (
        "2,000 jobs wait for it, which lies at SITE_A, the next for about 40 h; with a copy at SITE_B, made in about "
        "17 min, for about 17 min"
    )


def test_that_some_read_from_elsewhere_and_no_more_may_does_not_hide_that_the_others_wait():
    reading = waiting(40, 2, state=JobState.RUNNING, site="SITE_B", sites=("SITE_B",))
    world = a_crowd(jobs=(waiting(), reading))
    brokerage = Brokerage.of(world, BrokerPolicy())
    [hot] = Demand(world, brokerage).hot(POLICY)
    assert hot.wait_s == pytest.approx(40 * 3600, rel=0.1)
    assert decided(world).site == "SITE_B"


def test_nothing_is_copied_without_a_budget():
    assert decided(a_crowd(), PlacementPolicy()) is None


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (a_crowd(jobs=(waiting(100),)), "two hours are no long wait"),
        (a_crowd(jobs=(waiting(2000, dataset=""),)), "they read no dataset"),
        (a_crowd(busy(), busy("SITE_B", waiting_jobs=2000), jobs=(waiting(sites=("SITE_A", "SITE_B")),)), "no gain"),
        (a_crowd(busy(), idle(status=SiteStatus.OFFLINE)), "offline"),
        (a_crowd(busy(), idle(storage=Storage(present=False))), "no storage"),
        (a_crowd(busy(), idle(storage=Storage(tape=True))), "tape"),
        (a_crowd(busy(), idle(storage=Storage(space_mb=10_000))), "no room"),
        (a_crowd(jobs=(waiting(state=JobState.RUNNING, site="SITE_A"),)), "nobody waits"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_copied_where_it_would_not_help_or_not_fit(world, why):
    assert decided(world) is None


def test_few_jobs_are_not_worth_a_copy():
    crowd = (waiting(5), waiting(1995, cluster=2, dataset=""))
    world = a_crowd(jobs=crowd)
    assert decided(world) is None
    assert decided(world, replace(POLICY, least_jobs=5)) is not None


def test_a_dataset_of_which_little_is_read_is_not_copied_whole():
    assert decided(a_crowd(size=10 * GB)) is None


@pytest.mark.parametrize(
    "changes", [{"per_day_mb": 50_000}, {"site_per_day_mb": 50_000}, {"most_open": 0}, {"least_gain_s": 90 * 3600.0}]
)
def test_limits_are_kept(changes):
    assert decided(a_crowd(), replace(POLICY, **changes)) is None


def test_what_was_copied_in_the_last_day_counts_to_the_budget_and_what_was_before_does_not():
    policy = PlacementPolicy(per_day_mb=150 * GB // MB)
    other = a_holding("/demo/other")
    assert decided(a_crowd(), policy, [other]) is None
    assert decided(a_crowd(), policy, [replace(other, asked=NOON - 86_401)]) is not None


def test_the_budget_of_one_site_leaves_others_theirs():
    policy = PlacementPolicy(per_day_mb=1000 * GB // MB, site_per_day_mb=150 * GB // MB)
    world = a_crowd(busy(), idle(), idle("SITE_C", idle_cores=90, running_jobs=10))
    assert decided(world, policy).site == "SITE_B"
    assert decided(world, policy, [a_holding("/demo/other")]).site == "SITE_C"


def test_a_dataset_is_copied_once_at_a_time():
    assert decided(a_crowd(), holdings=[a_holding(site="SITE_C", waiting=3)]) is None
    assert decided(a_crowd(), holdings=[a_holding(site="SITE_C", asked=0.0)]) is not None


def test_a_site_that_has_it_gets_it_no_more():
    whole = {HOT: inputs_at("SITE_A", "SITE_B", size=100 * GB)}
    assert decided(a_crowd(), whole=whole) is None


def test_the_hottest_of_several_comes_first_and_equal_worlds_are_decided_alike():
    groups = (waiting(500, 1, dataset="/demo/b"), waiting(1500, 2, dataset="/demo/a"))
    assert decided(a_crowd(jobs=groups)).dataset == "/demo/a"
    assert decided(a_crowd(jobs=groups[::-1])) == decided(a_crowd(jobs=groups))


def test_jobs_of_unknown_input_and_a_world_without_sites_are_no_reason():
    world = a_world(busy(), idle(), jobs=[waiting()])
    assert decided(world) is None
    assert decided(a_world(jobs=[waiting()], inputs=[(1, inputs_at("SITE_A"))])) is None


def test_a_copy_is_in_use_where_jobs_run_or_may_run():
    world = a_world(
        jobs=[
            waiting(cluster=1, sites=("SITE_A", "SITE_B")),
            waiting(cluster=2, dataset="/demo/x", state=JobState.RUNNING, site="SITE_C"),
            waiting(cluster=3, dataset="/demo/y", state=JobState.HELD, sites=("SITE_D",)),
        ]
    )
    holdings = [a_holding(), a_holding("/demo/x", "SITE_C"), a_holding("/demo/y", "SITE_D"), a_holding(site="SITE_C")]
    assert in_use(world, holdings) == holdings[:2]


def test_a_copy_that_nobody_has_used_goes_and_one_in_use_stays():
    old, new = a_holding(used=NOON - 8 * 86_400), a_holding("/demo/x", used=NOON - 86_400)
    [gone] = expire([old, new], NOON, POLICY)
    assert (gone.dataset, gone.se, gone.words) == (HOT, "SITE_B_DISK", "no job has had it for 8 d")


def test_the_only_copy_stays_and_of_two_copies_one_goes_at_a_time():
    long_ago = NOON - 8 * 86_400
    assert list(expire([a_holding(used=long_ago, only=10)], NOON, POLICY)) == []
    both = [a_holding(used=long_ago), a_holding(site="SITE_C", used=long_ago - 1)]
    assert [each.se for each in expire(both, NOON, POLICY)] == ["SITE_C_DISK"]
    assert list(expire([a_holding(used=long_ago, leaving=True)], NOON, POLICY)) == []


def test_part_of_the_input_elsewhere_does_not_matter():
    read = Inputs(100 * GB, (("SITE_A", 100 * GB), ("SITE_B", 10 * GB)), 2000)
    assert decided(a_crowd(read=read)).site == "SITE_B"
