"""What all policies have in common, and what each does as its original does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import worlds

from examples import examples
from router.decide.filters import filters, first_refusal
from router.decide.policies import Choices, check, decide, flow
from router.decide.policies.panda_weight import FAST, MIDDLE, SLOW, Queue, main_weights, weights
from router.decide.policies.scene import OWN_JUDGEMENT, Scene
from router.decide.reconcile import shape_of
from router.errors import UserError
from router.model.action import Place, Release, Wait
from router.model.job import JobState
from router.model.policy import POLICIES, BrokerPolicy
from router.model.site import SiteStatus, Storage
from router.model.world import TaskProgress
from router.testing.build import a_decision, a_group, a_shape, a_site, a_world, inputs_at
from router.testing.clock import NOON

HOUR = 3600
HARD = [each for each in filters(BrokerPolicy()) if each.tag not in OWN_JUDGEMENT and not each.soft]


def needs(name):
    if name == "flow":
        pytest.importorskip("ortools")


def actions(world, name, **changes):
    return list(decide(world, BrokerPolicy(name=name, **changes)))


def places(world, name, **changes):
    return [action for action in actions(world, name, **changes) if isinstance(action, Place)]


def sites_chosen(world, name, **changes):
    return [place.decision.sites for place in places(world, name, **changes)]


def some_sites(*names, **changes):
    return [a_site(name, cores=16, idle_cores=16, **changes) for name in names]


def applied(world, done):
    """The world once placements are applied to it; the parts of a group are groups of their own."""
    parts = {}
    for action in done:
        if isinstance(action, Place):
            parts.setdefault((action.cluster, action.old), []).append(action)
    jobs = []
    for group in world.jobs:
        left = group.count
        for part in parts.get((group.cluster, group.sites), []) if group.state is JobState.IDLE else []:
            jobs.append(replace(group, count=part.count, sites=part.decision.sites, decision=part.decision))
            left -= part.count
        if left:
            jobs.append(replace(group, count=left))
    return replace(world, jobs=tuple(jobs))


# All of them


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=examples(3))
@given(world=worlds())
def test_no_policy_sends_a_job_where_it_cannot_run_and_each_repeats_itself_exactly(name, world):
    needs(name)
    done = actions(world, name)
    assert done == actions(replace(world, sites=world.sites[::-1]), name)
    sites, inputs = {site.name: site for site in world.sites}, dict(world.inputs)
    groups = {group.cluster: group for group in world.jobs}
    for place in done:
        assert isinstance(place, Place | Wait)
        group = groups[place.cluster]
        for name_ in place.decision.sites if isinstance(place, Place) else ():
            refusal = first_refusal(shape_of(group, inputs), sites[name_], HARD)
            assert refusal is None or refusal.tag == "validation"


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=examples(3))
@given(world=worlds())
def test_a_second_pass_over_an_applied_world_only_waits(name, world):
    needs(name)
    second = actions(applied(world, actions(world, name)), name)
    assert [action for action in second if not isinstance(action, Wait)] == []


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_takes_jobs_from_a_site_that_is_closed_and_says_so(name):
    needs(name)
    group = a_group(sites=("SITE_A",), decision=a_decision("SITE_A", epoch=3, moves=1))
    closed = a_site("SITE_A", status=SiteStatus.DRAINING, status_reason="cooling")
    [place] = places(a_world(closed, *some_sites("SITE_B"), jobs=(group,)), name)
    made = place.decision
    assert (made.sites, made.came_from, made.epoch, made.moves) == (("SITE_B",), ("SITE_A",), 4, 2)
    assert made.tag == "site-draining"
    assert made.words.endswith("SITE_A is draining: cooling")


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_leaves_alone_what_runs_is_held_or_is_fixed(name):
    needs(name)
    there = (
        a_group(1, state=JobState.RUNNING, sites=("SITE_A",), site="SITE_A"),
        a_group(2, state=JobState.HELD, sites=("SITE_A",), hold_code=3),
        a_group(3, sites=("SITE_A",), fixed=True),
    )
    assert actions(a_world(a_site("SITE_A", status=SiteStatus.OFFLINE), a_site("SITE_B"), jobs=there), name) == []


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_tells_a_job_that_fits_nowhere_why(name):
    needs(name)
    [wait] = actions(a_world(a_site("SITE_A", memory_mb=1), jobs=(a_group(),)), name)
    assert wait.words == "no site can run it: SITE_A asks for 2,048 MB of memory, glideins there have 1 MB"
    assert wait.verdicts.refusals() == {"memory": 1}


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_releases_a_merge_job_whose_parts_are_there(name):
    needs(name)
    merge = a_group(2, state=JobState.HELD, hold_code=15, batch="merge")
    world = a_world(a_site(), jobs=(merge,), progress=(TaskProgress("zmumu-1", 4, 4, 2),))
    assert [type(action) for action in actions(world, name)] == [Release]


@pytest.mark.parametrize("name", POLICIES)
def test_a_decision_that_was_cut_short_is_taken_up_again_as_it_was(name):
    needs(name)
    half = a_decision("SITE_B", words="as another instance of the router said")
    world = a_world(*some_sites("SITE_A", "SITE_B"), jobs=(a_group(decision=half, count=3),))
    if name in ("panda", "random", "overflow", "replicas", "least-loaded"):
        assert [place.decision for place in places(world, name)] == [half]
    assert sum(place.count for place in places(world, name)) == 3


@pytest.mark.parametrize("name", POLICIES)
def test_users_see_the_sites_that_the_policy_would_name_and_its_numbers(name):
    needs(name)
    world = a_world(*some_sites("SITE_A", "SITE_B"), a_site("SITE_C", memory_mb=1))
    choices, shape = Choices(world, BrokerPolicy(name=name)), a_shape(inputs=inputs_at("SITE_A", "SITE_B"))
    assert set(choices.sites_for(shape, 5)) <= {"SITE_A", "SITE_B"} != set()
    verdicts = choices.choose(shape).verdicts
    assert {verdict.site for verdict in verdicts[:2]} == {"SITE_A", "SITE_B"}
    assert verdicts[2].refusal.tag == "memory"
    assert verdicts[0].score >= verdicts[1].score
    assert verdicts[0].score > 0


def test_an_unknown_policy_is_told_with_the_known_ones():
    with pytest.raises(UserError, match=r"no policy 'magic'; there are glideroute, panda"):
        check(BrokerPolicy(name="magic"))


# Each of them


def test_any_names_every_site_that_fits_and_adds_those_that_come_later():
    world = a_world(*some_sites("SITE_A", "SITE_B"), jobs=(a_group(),))
    assert sites_chosen(world, "any") == [("SITE_A", "SITE_B")]
    later = replace(applied(world, actions(world, "any")), sites=tuple(some_sites("SITE_A", "SITE_B", "SITE_C")))
    [place] = places(later, "any")
    assert (place.decision.sites, place.is_move) == (("SITE_A", "SITE_B", "SITE_C"), False)


def test_replicas_names_the_sites_that_hold_the_whole_input():
    world = a_world(*some_sites("A", "B", "C"), jobs=(a_group(),), inputs=((1, inputs_at("B", "C")),))
    assert sites_chosen(world, "replicas") == [("B", "C")]


def test_random_draws_each_cluster_a_site_and_all_sites_get_some():
    names = [f"SITE_{letter}" for letter in "ABCD"]
    world = a_world(*some_sites(*names), jobs=tuple(a_group(cluster) for cluster in range(40)))
    drawn = sites_chosen(world, "random")
    assert {site for (site,) in drawn} == set(names)


def test_least_loaded_counts_what_it_has_just_sent_away():
    sites = [a_site("A", idle_cores=10), a_site("B", idle_cores=9)]
    world = a_world(*sites, jobs=(a_group(1, count=20), a_group(2, count=20)))
    assert sites_chosen(world, "least-loaded") == [("A",), ("B",)]


NEAR = (("T1", ("NEAR_1", "NEAR_2", "NOT_KNOWN")),)


@pytest.mark.parametrize(
    ("sites", "waited_s", "then"),
    [
        (("T1",), 1100, []),
        (("T1",), 1300, [("NEAR_1", "NEAR_2", "T1")]),
        (("FAR",), 1300, []),
        (("FAR", "T1"), 1300, []),
    ],
    ids=["not yet", "its neighbours", "no large site", "two sites already"],
)
def test_overflow_helps_only_jobs_that_wait_at_one_large_site(sites, waited_s, then):
    group = a_group(sites=sites, decision=a_decision(*sites), oldest=int(NOON) - waited_s)
    world = a_world(*some_sites("T1", "NEAR_1", "NEAR_2", "FAR"), jobs=(group,))
    assert sites_chosen(world, "overflow", overflow=NEAR) == then


def test_panda_binds_each_25_jobs_to_one_site_that_has_their_data():
    group = a_group(count=110)
    found = places(a_world(*some_sites("A", "B", "C"), jobs=(group,), inputs=((1, inputs_at("A", "B")),)), "panda")
    assert sum(place.count for place in found) == 110
    assert {place.decision.sites for place in found} <= {("A",), ("B",)}
    assert all(place.count % 25 in (0, 10) for place in found)
    reasons = {verdict.site: verdict.refusal for verdict in found[0].verdicts}
    assert reasons["C"].tag == "no-replica"


def test_panda_waits_for_the_data_two_hours_and_then_copies_it():
    sites = [a_site("A", status=SiteStatus.DRAINING, cores=16), *some_sites("B")]
    group = a_group(count=10, oldest=int(NOON))
    world = a_world(*sites, jobs=(group,), inputs=((1, inputs_at("A")),))
    assert isinstance(actions(world, "panda")[0], Wait)
    assert isinstance(actions(replace(world, now=NOON + HOUR), "panda")[0], Wait)
    assert sites_chosen(replace(world, now=NOON + 2.5 * HOUR), "panda") == [("B",)]


def stuck_world(now, **changes):
    waiting = a_group(count=10, sites=("A",), decision=replace(a_decision("A"), at=int(NOON)), **changes)
    elsewhere = a_group(2, task="other-1", state=JobState.RUNNING, site="A", count=30)
    data = ((1, inputs_at("A", "B")),)
    return a_world(*some_sites("A", "B"), jobs=(waiting, elsewhere), inputs=data, now=NOON + now)


def test_panda_takes_a_stuck_group_away_and_does_not_send_it_back_for_six_hours():
    assert places(stuck_world(HOUR), "panda") == []
    world = stuck_world(3 * HOUR)
    [place] = places(world, "panda")
    assert (place.decision.sites, place.decision.tag) == (("B",), "rebrokered")
    back = applied(world, [place])
    closed = replace(back, sites=(back.sites[0], replace(back.sites[1], status=SiteStatus.DRAINING)))
    assert places(replace(closed, now=NOON + 5 * HOUR), "panda") == []
    assert sites_chosen(replace(closed, now=NOON + 10 * HOUR), "panda") == [("A",)]


def test_panda_rebrokers_after_twelve_hours_where_that_is_set():
    assert places(stuck_world(11 * HOUR), "panda", panda_rebroker_s=12 * HOUR) == []
    assert sites_chosen(stuck_world(13 * HOUR), "panda", panda_rebroker_s=12 * HOUR) == [("B",)]


def test_panda_prefers_classes_of_sites_as_the_class_of_the_task_says():
    room = {FAST: 30.0, MIDDLE: 50.0, SLOW: 100.0}
    assert main_weights(60.0, room, FAST) == pytest.approx({FAST: 30 - 0.052, MIDDLE: 30 + 0.05, SLOW: 0.002})
    assert main_weights(60.0, room, MIDDLE) == pytest.approx({FAST: 0.001, MIDDLE: 50 - 0.1, SLOW: 10 + 0.1})
    assert main_weights(60.0, room, SLOW) == pytest.approx({FAST: 0.001, MIDDLE: 0.001, SLOW: 60})


def a_queue(name, running, queued, user_queued=0.0, freed_per_h=None):
    site = a_site(name, cores=running, running_jobs=running, freed_per_h=freed_per_h, mean_run_s=float(HOUR))
    queue = Queue.of(site, BrokerPolicy())
    queue.add_running("bob", running)
    queue.add_queued("bob", queued - user_queued)
    queue.add_queued("alice", user_queued)
    return queue


def test_pandas_room_of_a_user_is_a_part_of_the_longest_good_queue():
    queue = a_queue("A", running=200, queued=50, user_queued=20, freed_per_h=100.0)
    assert queue.longest == 12 * 100
    assert queue.longest_of("alice") == pytest.approx(1200 / 3)  # two users, and the total that counts as one
    assert queue.longest_of("bob") == 1200
    assert queue.room_for("alice") == pytest.approx(400 - 20)


def test_pandas_weight_of_two_fast_sites_is_the_class_part_times_the_room_that_is_left():
    queues = [a_queue("A", running=100, queued=0), a_queue("B", running=50, queued=0)]
    known = {"A": FAST, "B": FAST}
    found = [each.value for each in weights(queues, known, [1.0, 1.0], "carol", 25)]
    rooms = [1200 / 3, 600 / 3]
    main = 25 - 0.052
    assert found == pytest.approx([main * (room - main / 2) / (sum(rooms) - main) + 2**-20 for room in rooms])


def test_flow_gives_way_to_jobs_that_can_run_nowhere_else():
    needs("flow")
    sites = [a_site(name, cores=10, idle_cores=10, mean_run_s=float(HOUR)) for name in ("A", "B")]
    free, bound = a_group(1, count=10, oldest=1), a_group(2, count=10, oldest=2)
    world = a_world(*sites, jobs=(free, bound), inputs=((1, inputs_at("A", "B")), (2, inputs_at("A"))))
    assert sites_chosen(world, "flow") == [("B",), ("A",)]


def test_flow_reads_from_elsewhere_only_what_the_storage_can_feed():
    needs("flow")
    sites = [a_site("A", cores=20, mean_run_s=48.0 * HOUR), a_site("B", cores=100, idle_cores=100)]
    world = a_world(*sites, jobs=(a_group(count=50),), inputs=((1, inputs_at("A")),))
    found = {place.decision.sites: place.count for place in places(world, "flow")}
    assert found == {("A",): 44, ("B",): 6}  # three readers for each ten cores of A


@given(count=st.integers(min_value=1, max_value=200))
@settings(max_examples=examples(4))
def test_panda_draws_all_jobs_of_a_group(count):
    world = a_world(*some_sites("A", "B"), jobs=(a_group(count=count),))
    assert sum(place.count for place in places(world, "panda")) == count


def full_site(name, queued, running=10, freed_per_h=1.0, **changes):
    """A site with queued and running jobs of alice's, as groups, besides the site."""
    made = a_site(name, cores=running, running_jobs=running, freed_per_h=freed_per_h, **changes)
    there = a_group(90, task="old-1", sites=(name,), decision=a_decision(name), count=queued)
    running_jobs = a_group(91, task="old-1", state=JobState.RUNNING, site=name, count=running)
    return made, (there, running_jobs)[: 1 + bool(running)]


@pytest.mark.parametrize(
    ("queued", "changes", "tag", "words"),
    [
        (200, {}, "badsite", "has a long queue, and too much of it is the user's"),
        (100, {"failed": 20}, "badsite", "has a long queue, and more than twice as many failed as finished jobs"),
        (50, {"running": 0}, "badsite", "has jobs queued, and none runs"),
        (50, {"silent_s": 4.0 * HOUR}, "no-pilot", "has shown no glidein for three hours although jobs asked for them"),
    ],
)
def test_panda_leaves_out_sites_for_its_own_reasons(queued, changes, tag, words):
    site, there = full_site("A", queued, **changes)
    # What has one site already is looked at by rebrokerage; the new job is the one that is asked about.
    new = a_group(1, count=5)
    world = a_world(site, *some_sites("B"), jobs=(*there, new), inputs=((1, inputs_at("A")),))
    [wait] = [action for action in actions(world, "panda") if action.cluster == 1]
    refusal = next(verdict.refusal for verdict in wait.verdicts if verdict.site == "A")
    assert (refusal.tag, refusal.words) == (tag, words)


def test_panda_takes_away_what_a_queue_has_over_three_times_its_running_jobs():
    site, (there, running) = full_site("A", 200, running=40, freed_per_h=40.0)
    waiting = replace(there, decision=replace(a_decision("A"), at=int(NOON) - HOUR))
    world = a_world(site, *some_sites("B"), jobs=(waiting, running), inputs=((90, inputs_at("A", "B")),))
    found = places(world, "panda")
    assert {(place.decision.tag, place.decision.sites) for place in found if place.decision.sites != ("A",)} == {
        ("queue-overshoot", ("B",))
    }
    assert sum(place.count for place in found) <= 80


def test_flow_changes_a_set_only_when_it_is_old_enough():
    needs("flow")
    sites = [a_site("A", cores=10, mean_run_s=float(HOUR)), a_site("B", cores=100, idle_cores=100)]
    group = a_group(count=50, sites=("A",), decision=replace(a_decision("A"), at=int(NOON)))
    world = a_world(*sites, jobs=(group,), inputs=((1, inputs_at("A", "B")),))
    assert places(world, "flow") == []
    [place] = places(replace(world, now=NOON + 1300), "flow")
    assert (place.decision.sites, place.decision.tag, place.is_move) == (("A", "B"), "widened", False)


def test_without_or_tools_the_policy_flow_says_how_to_get_it(monkeypatch):
    flow.solver.cache_clear()
    monkeypatch.setattr(flow.importlib, "import_module", lambda _: (_ for _ in ()).throw(ImportError))
    with pytest.raises(UserError, match=r"pip install 'glideroute\[flow\]'"):
        check(BrokerPolicy(name="flow"))


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_lets_a_job_write_where_its_owner_has_used_up_the_quota(name):
    needs(name)
    full = a_site("SITE_A", cores=16, idle_cores=16, storage=Storage(quota_mb=1).filled({"alice": 2**20}))
    world = a_world(full, *some_sites("SITE_B"), jobs=(a_group(writes=True), a_group(2, writes=True, owner="bob")))
    placed = {place.cluster: place.decision.sites for place in places(world, name)}
    assert "SITE_A" not in placed.get(1, ())


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_but_ours_asks_soft_reasons(name):
    asked = Scene(a_world(*some_sites("SITE_A")), BrokerPolicy(name=name)).asked
    assert not [each.tag for each in asked if each.soft]
