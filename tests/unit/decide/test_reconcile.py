"""The route loop's decision: places, moves, waits and releases, each once, each with its reason."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import some_sites, worlds

from examples import examples
from router.decide.reconcile import decide, rounded
from router.model.action import Place, Release, Wait
from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.site import SiteStatus
from router.model.world import TaskProgress
from router.testing.build import a_decision, a_group, a_site, a_world, inputs_at
from router.testing.clock import NOON

POLICY = BrokerPolicy()


def actions(world):
    return list(decide(world, POLICY))


def only(world):
    (action,) = actions(world)
    return action


def test_unplaced_jobs_are_placed_where_their_input_lies_and_told_why():
    sites = [a_site(name, cores=16, idle_cores=16) for name in ("SITE_A", "SITE_B")]
    place = only(a_world(*sites, jobs=(a_group(7),), inputs=((7, inputs_at("SITE_B")),)))
    assert (place.cluster, place.count, place.old, place.is_move) == (7, 10, None, False)
    words = "placed at SITE_B: there a job starts in under 1 min, reads in under 1 min"
    assert place.decision == a_decision("SITE_B", words=words)
    assert [verdict.site for verdict in place.verdicts] == ["SITE_B", "SITE_A"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "under 1 min"), (60, "under 5 min"), (299.9, "under 5 min"), (1200, "under 1 h"), (5 * 3600, "under 12 h"),
     (13 * 3600, "under 1 d"), (86400, "under 3 d"), (30 * 86400, "over 30 d"), (1e9, "over 30 d")],
)  # fmt: skip
def test_times_are_told_in_few_round_numbers(seconds, words):
    assert rounded(seconds) == words


def test_decisions_that_differ_little_have_equal_words():
    sites = [a_site(name, cores=16, idle_cores=16) for name in ("SITE_A", "SITE_B")]
    reads = ((7, inputs_at("SITE_A", "SITE_B", size=10**9)), (8, inputs_at("SITE_A", "SITE_B", size=3 * 10**9)))
    one, other = actions(a_world(*sites, jobs=(a_group(7), a_group(8)), inputs=reads))
    assert one.decision == other.decision
    assert [each.terms for each in one.verdicts] != [each.terms for each in other.verdicts]


def test_jobs_of_a_cluster_with_the_same_sites_are_decided_as_one_whatever_a_cut_pass_left_in_them():
    closed = a_site("SITE_A", status=SiteStatus.DRAINING)
    under_way = a_decision("SITE_B", epoch=3, moves=1, came_from=("SITE_A",))
    groups = (
        a_group(7, count=2, sites=("SITE_A",), decision=under_way),
        a_group(7, count=3, sites=("SITE_A",), decision=a_decision("SITE_A", epoch=2)),
        a_group(7, count=1, sites=("SITE_A",)),
    )
    for jobs in (groups, groups[::-1]):
        place = only(a_world(closed, a_site("SITE_B"), jobs=jobs))
        assert (place.count, place.decision) == (6, under_way)


def test_a_job_whose_move_was_cut_short_is_told_anew_beside_one_of_its_cluster_that_was_placed_later():
    kept = a_group(count=1, sites=("SITE_A",), decision=a_decision("SITE_A", epoch=4))
    begun = a_group(count=1, sites=("SITE_A",), decision=a_decision("SITE_B", epoch=3, came_from=("SITE_A",), moves=1))
    place = only(a_world(a_site("SITE_A"), a_site("SITE_B"), jobs=(kept, begun)))
    assert (place.count, place.decision.sites, place.decision.epoch) == (2, ("SITE_A",), 5)


def test_jobs_leave_a_site_that_drains_and_the_move_is_counted_and_explained():
    group = a_group(sites=("SITE_A",), decision=a_decision("SITE_A", epoch=3, moves=1))
    world = a_world(
        a_site("SITE_A", status=SiteStatus.DRAINING, status_reason="cooling"), a_site("SITE_B"), jobs=(group,)
    )
    place = only(world)
    assert place.is_move
    assert place.old == ("SITE_A",)
    assert place.decision == a_decision(
        "SITE_B",
        epoch=4,
        moves=2,
        came_from=("SITE_A",),
        tag="site-draining",
        words="moved from SITE_A to SITE_B: SITE_A is draining: cooling",
    )


@pytest.mark.parametrize(
    "group",
    [
        a_group(sites=("SITE_B",), decision=a_decision("SITE_B")),
        a_group(sites=("SITE_B",)),
        a_group(state=JobState.RUNNING, sites=("SITE_A",), site="SITE_A"),
        a_group(state=JobState.HELD, sites=("SITE_A",), hold_code=3),
        a_group(sites=("SITE_A",), fixed=True),
    ],
    ids=["placed", "placed by hand", "running", "failed", "fixed by its owner"],
)
def test_what_is_where_it_may_be_is_left_alone(group):
    assert actions(a_world(a_site("SITE_A", status=SiteStatus.OFFLINE), a_site("SITE_B"), jobs=(group,))) == []


def test_a_fixed_job_is_placed_once():
    place = only(a_world(a_site("SITE_A"), jobs=(a_group(fixed=True),)))
    assert place.decision.sites == ("SITE_A",)


def test_jobs_that_fit_nowhere_wait_with_the_reason_of_every_site():
    world = a_world(a_site("SITE_A", memory_mb=1), a_site("SITE_B", status=SiteStatus.OFFLINE), jobs=(a_group(),))
    wait = only(world)
    assert isinstance(wait, Wait)
    assert wait.words == (
        "no site can run it: SITE_A asks for 2,048 MB of memory, glideins there have 1 MB; SITE_B is offline"
    )


def test_jobs_wait_where_no_site_is_known():
    assert only(a_world(jobs=(a_group(),))).words == "no site is known; declare sites in glideroute.yaml"


def test_placed_jobs_stay_where_they_are_when_nothing_fits_any_more():
    group = a_group(sites=("SITE_A",), decision=a_decision("SITE_A"))
    assert isinstance(only(a_world(a_site(status=SiteStatus.OFFLINE), jobs=(group,))), Wait)


def test_a_decision_that_was_cut_short_is_taken_up_again_as_it_was():
    begun = a_decision("SITE_A", epoch=5, moves=2, came_from=("SITE_B",), words="its words", at=17)
    place = only(a_world(a_site("SITE_A"), jobs=(a_group(sites=("GONE",), decision=begun),)))
    assert place.decision is begun
    assert place.old == ("GONE",)


def test_a_decision_that_was_cut_short_and_is_wrong_by_now_does_not_count_as_a_move():
    begun = a_decision("SITE_A", epoch=5, moves=2, came_from=("GONE",))
    world = a_world(
        a_site("SITE_A", status=SiteStatus.OFFLINE), a_site("SITE_B"), jobs=(a_group(sites=("GONE",), decision=begun),)
    )
    assert (only(world).decision.epoch, only(world).decision.moves) == (6, 2)


def test_a_move_that_was_cut_short_and_is_not_needed_any_more_is_taken_back():
    begun = a_decision("SITE_B", epoch=5, moves=2, came_from=("SITE_A",))
    place = only(a_world(a_site("SITE_A"), jobs=(a_group(sites=("SITE_A",), decision=begun),)))
    assert (place.old, place.is_move) == (("SITE_A",), False)
    assert (place.decision.sites, place.decision.epoch, place.decision.moves) == (("SITE_A",), 6, 1)
    assert place.decision.tag == "kept"


def merge_world(finished: int, **changes):
    held = a_group(9, batch="merge", **{"state": JobState.HELD, "hold_code": 15, **changes})
    return a_world(a_site(), jobs=(held,), progress=(TaskProgress("zmumu-1", 4, finished, 9),))


def test_a_merge_job_is_released_when_all_its_parts_are_there():
    assert only(merge_world(finished=4)) == Release(9, "zmumu-1", "all 4 parts are there")


@pytest.mark.parametrize(
    "world",
    [
        merge_world(finished=3),
        merge_world(finished=4, state=JobState.RUNNING),
        merge_world(finished=4, state=JobState.HELD, hold_code=3),
        merge_world(finished=4, state=JobState.HELD, hold_code=1),
    ],
    ids=["parts missing", "released already", "failed", "held by its owner"],
)
def test_a_merge_job_is_not_released_before_or_again(world):
    assert actions(world) == []


def applied(world, done):
    """The world once `done` is applied to it."""
    places = [action for action in done if isinstance(action, Place)]
    released = {action.cluster for action in done if isinstance(action, Release)}

    def after(group):
        if group.cluster in released:
            yield replace(group, state=JobState.RUNNING, hold_code=0)
            return
        left = group.count
        for place in places:
            if group.state is JobState.IDLE and (place.cluster, place.old) == (group.cluster, group.sites):
                yield replace(group, count=place.count, sites=place.decision.sites, decision=place.decision)
                left -= place.count
        if left:
            yield replace(group, count=left)

    return replace(world, jobs=tuple(part for group in world.jobs for part in after(group)))


@given(worlds())
def test_a_second_pass_over_an_applied_world_does_nothing_but_wait(world):
    first = actions(world)
    second = actions(applied(world, first))
    assert [action for action in second if not isinstance(action, Wait)] == []
    assert second == [action for action in first if isinstance(action, Wait)]


def test_jobs_that_would_start_much_sooner_elsewhere_get_there_but_only_after_a_while():
    sites = (a_site("SITE_A", cores=8), a_site("SITE_B", cores=800, idle_cores=800))
    group = a_group(count=100, sites=("SITE_A",), decision=a_decision("SITE_A"))
    early = a_world(*sites, jobs=(group,), now=NOON + POLICY.patience_s - 1)
    assert actions(early) == []
    place = only(replace(early, now=NOON + POLICY.patience_s + 1))
    assert "SITE_B" in place.decision.sites


def test_a_small_gain_changes_nothing():
    sites = (a_site("SITE_A", cores=90, idle_cores=90), a_site("SITE_B", cores=100, idle_cores=100))
    group = a_group(count=100, sites=("SITE_A",), decision=a_decision("SITE_A"))
    assert actions(a_world(*sites, jobs=(group,), now=NOON + 1e5)) == []


@given(worlds())
def test_a_world_that_stands_still_comes_to_rest(world):
    for _ in range(4):
        world = replace(applied(world, actions(world)), now=world.now + POLICY.patience_s + 1)
    assert not any(isinstance(action, Place) for action in actions(world))


@given(worlds())
def test_the_same_world_gives_the_same_actions_whatever_the_order_of_its_sites(world):
    assert actions(replace(world, sites=world.sites[::-1])) == actions(world)


@given(worlds())
def test_every_idle_group_is_placed_already_or_gets_a_place_or_waits_with_words(world):
    done = actions(world)
    known = {site.name for site in world.sites if site.status is SiteStatus.ONLINE}
    for group in world.jobs:
        found = [action for action in done if action.cluster == group.cluster]
        if group.state is not JobState.IDLE:
            assert not found
            continue
        left = group.count - sum(action.count for action in found)
        assert left == 0 or (left > 0 and group.sites and (group.fixed or set(group.sites) <= known))
        for action in found:
            assert action.count > 0
            if isinstance(action, Place):
                assert set(action.decision.sites) <= known
                assert action.decision.words
                assert action.old == group.sites
            else:
                assert action.words


EVENTS = st.lists(st.tuples(some_sites(), st.sampled_from(["applied", "cut short", "refused"])), max_size=8)


@settings(max_examples=examples(8))
@given(EVENTS)
def test_each_committed_move_is_counted_once_whatever_was_cut_short_between(events):
    group, moved, epoch = a_group(), 0, 0
    for found, outcome in events:
        for action in actions(a_world(*found, jobs=(group,))):
            if isinstance(action, Wait) or outcome == "refused":
                continue
            taken_up = action.decision is group.decision
            assert action.decision.epoch == epoch if taken_up else action.decision.epoch == epoch + 1
            epoch = action.decision.epoch
            group = replace(group, decision=action.decision)
            if outcome == "applied":
                group = replace(group, sites=action.decision.sites)
                moved += action.is_move
                assert action.decision.moves == moved
    if group.decision and group.decision.sites == group.sites:
        assert group.decision.moves == moved
