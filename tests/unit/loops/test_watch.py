"""The queue is looked at as a whole now and then, and followed in between; inputs are looked up for what is new."""

from collections import Counter

import pytest

from router.errors import OutcomeUnknown
from router.loops.lease import Alone
from router.loops.reads import EVERY_S
from router.loops.watch import LOOK_EVERY_S, MOST_ASKED
from router.model.action import Diagnose
from router.model.job import JobState
from router.testing.build import a_batch, a_file, inputs_at
from router.testing.events import FakeEventLog


@pytest.fixture
def route(organisation):
    """A router that follows events, after its first look, at jobs that are placed."""
    organisation.events = FakeEventLog(organisation.pool)
    organisation.submit()
    organisation.glidein("SITE_A", cores=4)
    made = organisation.route()
    made.step()
    organisation.clock.pass_time(30)
    return made


def passed(organisation, route, seconds=30):
    organisation.clock.pass_time(seconds)
    actions = route.step()
    organisation.clock.pass_time(seconds)
    return actions


def states(route) -> dict[str, int]:
    found: Counter = Counter()
    for group in route.world.jobs:
        found[str(group.state)] += group.count
    return dict(found)


def test_what_happens_is_seen_without_asking_the_schedd(organisation, route):
    organisation.pool.negotiate()
    organisation.submit(a_batch(jobs=3), name="later-1")
    (place,) = passed(organisation, route)
    assert (place.task, place.count) == ("later-1", 3)
    assert (states(route), route.watch.looks) == ({"idle": 9, "running": 4}, {"whole": 1, "part": 0, "events": 1})
    organisation.pool.finish("SITE_A", 1)
    assert passed(organisation, route) == []
    assert (states(route), route.watch.looks["part"]) == ({"idle": 9, "running": 3}, 0)
    organisation.pool.fail("SITE_A", 1)
    assert [type(action) for action in passed(organisation, route)] == [Diagnose]
    assert (states(route), route.watch.looks["whole"]) == ({"idle": 9, "running": 2, "held": 1}, 1)


def test_what_happened_close_to_the_look_is_asked_for(organisation, route):
    organisation.clock.at -= 30
    organisation.pool.negotiate()
    passed(organisation, route)
    assert (states(route), route.watch.looks) == ({"idle": 6, "running": 4}, {"whole": 1, "part": 1, "events": 0})


def test_the_whole_queue_is_looked_at_now_and_then(organisation, route):
    organisation.pool.schedd.queue.pop()  # what no event tells
    passed(organisation, route)
    assert states(route) == {"idle": 10}
    passed(organisation, route, LOOK_EVERY_S)
    assert states(route) == {"idle": 9}


def test_events_that_are_lost_make_it_look_anew(organisation, route):
    organisation.events.forgotten = 99
    organisation.submit(a_batch(jobs=1), name="later-1")
    passed(organisation, route)
    assert route.watch.looks == {"whole": 2, "part": 0, "events": 0}


def test_an_edit_whose_outcome_is_unknown_makes_it_look_anew(organisation, route):
    organisation.submit(a_batch(jobs=1), name="later-1")
    organisation.pool.break_at("place applied", OutcomeUnknown("no answer"))
    with pytest.raises(OutcomeUnknown):
        route.step()
    assert passed(organisation, route) == []
    assert route.watch.looks["whole"] == 2


def test_many_doubtful_clusters_are_a_look_at_all(organisation, route):
    organisation.clock.at -= 30
    alice = organisation.pool.as_user("alice")
    for _ in range(MOST_ASKED + 1):
        alice.submit("executable = x\n", ())
    route.step()
    assert route.watch.looks == {"whole": 2, "part": 0, "events": 0}


def test_a_site_that_drains_is_left_at_once(organisation, route):
    organisation.drain("SITE_A")
    (move,) = passed(organisation, route)
    assert (move.is_move, route.watch.looks["whole"]) == (True, 1)
    assert passed(organisation, route) == []


def test_what_ended_is_known_from_events_and_the_history_is_read_now_and_then(organisation, route):
    asked = []
    organisation.pool.ended = lambda since, after: asked.append(after) or ()
    organisation.pool.negotiate()
    organisation.clock.pass_time(60)
    organisation.pool.finish("SITE_A", 2)
    passed(organisation, route)
    told = organisation.store.ended("zmumu-1")
    assert [(job.state, job.exit_code, job.site, job.wall_s) for job in told] == [
        (JobState.FINISHED, 0, "SITE_A", 60)
    ] * 2
    assert [job.job for job in told] == ["0000", "0001"]
    assert asked == []
    passed(organisation, route, 600)
    assert len(asked) == 1


def read_by(route):
    return {cluster: read for (cluster, *_), read in route.world.inputs}


def test_where_inputs_lie_is_looked_up_for_new_clusters_and_anew_after_a_while(organisation, route):
    organisation.store.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    organisation.store.register([a_file("/demo/b", "SITE_A")], "alice", 1.0)
    organisation.submit(a_batch(jobs=1, files=[a_file("/demo/a", "SITE_A")]), name="later-1")
    passed(organisation, route)
    assert read_by(route) == {2: inputs_at("SITE_A")}
    organisation.store.register([a_file("/demo/a", "SITE_B")], "alice", 1.0)
    passed(organisation, route)
    assert read_by(route) == {2: inputs_at("SITE_A")}
    passed(organisation, route, EVERY_S)
    assert read_by(route) == {2: inputs_at("SITE_A", "SITE_B")}


def test_jobs_that_wait_for_their_dataset_are_placed_by_it_as_soon_as_it_is_known(organisation, route):
    for site in ("SITE_A", "SITE_B"):
        organisation.drain(site)
    organisation.pool.as_user("alice").submit('My.RouterDataset = "/demo/all"\nexecutable = x\n', ())
    passed(organisation, route)
    assert read_by(route) == {}
    organisation.store.register([a_file("/demo/a", "SITE_B")], "alice", 1.0)
    organisation.store.add_dataset("/demo/all", ["/demo/a"], "alice", 1.0)
    passed(organisation, route)
    assert read_by(route) == {2: inputs_at("SITE_B")}


@pytest.mark.parametrize("by_s", [-172_800.0, -3600.0, 3600.0])
def test_a_clock_that_is_set_hides_nothing_that_happens(organisation, route, caplog, by_s):
    organisation.pool.negotiate()
    passed(organisation, route)
    organisation.clock.at += by_s
    route.monotonic = lambda: organisation.clock.now() - by_s
    organisation.submit(a_batch(jobs=3), name="later-1")
    organisation.pool.finish("SITE_A", 1)
    (place,) = route.step()
    assert (place.task, states(route)) == ("later-1", {"idle": 9, "running": 3})
    assert f"the clock was set by {by_s:+.0f} s" in caplog.text
    organisation.pool.finish("SITE_A", 1)
    passed(organisation, route)
    looks = route.watch.looks["whole"]
    organisation.pool.finish("SITE_A", 1)
    passed(organisation, route)
    assert (states(route), route.watch.looks["whole"]) == ({"idle": 9, "running": 1}, looks), "it is followed again"


@pytest.mark.parametrize("wrong_s", [3600, -3600])
def test_events_of_a_clock_that_was_wrong_meanwhile_make_it_look_anew(organisation, route, wrong_s):
    organisation.clock.pass_time(60)
    organisation.pool.negotiate()
    organisation.clock.at += wrong_s
    organisation.pool.finish("SITE_A", 1)
    organisation.clock.at -= wrong_s
    passed(organisation, route)
    assert (states(route), route.watch.looks["whole"]) == ({"idle": 6, "running": 3}, 2)
    passed(organisation, route)
    assert route.watch.looks["whole"] == 2


def test_who_leads_again_looks_anew_for_what_the_other_wrote_into_jobs(organisation, route):
    passed(organisation, route)
    assert route.watch.looks["whole"] == 1
    route.leader = type("Again", (Alone,), {"term": 7})()
    for _ in range(2):
        passed(organisation, route)
        assert route.watch.looks["whole"] == 2
