"""Following the queue by its events gives what a look would give, and says where it cannot."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from router.decide.follow import SLACK_S, Followed, Look
from router.model.event import EventKind, JobEvent
from router.model.job import JobState
from router.testing.build import a_decision, a_group, a_place
from router.testing.clock import NOON
from router.testing.events import FakeEventLog
from router.testing.pool import FakeGlidein, FakePool

AT_NOON = Look(NOON, NOON + 1)
LATER = NOON + 2 * SLACK_S
PLACED = a_group(1, sites=("SITE_A",), decision=a_decision("SITE_A"))
RUNNING = replace(PLACED, state=JobState.RUNNING, site="SITE_A", count=3)


def an_event(kind: EventKind, like=None, **changes) -> JobEvent:
    like = like or replace(PLACED, count=1, decision=None)
    return JobEvent(kind, **{"at": LATER, "proc": 0, "like": like, "site": "SITE_A", **changes})


def followed(*groups) -> Followed:
    made = Followed()
    made.looked(groups, AT_NOON)
    return made


def counts(groups) -> Counter:
    found: Counter = Counter()
    for group in groups:
        found[replace(group, count=0, oldest=0)] += group.count
    return found


def test_a_look_is_told_as_it_was_and_groups_that_differ_in_age_alone_are_one():
    older = replace(PLACED, count=2, oldest=PLACED.oldest - 60)
    (group,) = followed(PLACED, older).groups
    assert (group.count, group.oldest) == (12, older.oldest)


def test_a_job_that_starts_runs_where_it_started_with_the_decision_it_had():
    queue = followed(PLACED)
    queue.follow([an_event(EventKind.STARTED, replace(RUNNING, count=1, decision=None), began=LATER)])
    idle, running = queue.groups
    assert (idle.count, running.count, running.site, running.decision) == (9, 1, "SITE_A", PLACED.decision)


def test_a_job_that_had_its_slot_when_the_queue_was_looked_at_does_not_start_again():
    queue = followed(PLACED, RUNNING)
    queue.follow([an_event(EventKind.STARTED, replace(RUNNING, count=1), began=NOON - 60)])
    assert counts(queue.groups) == counts([PLACED, RUNNING])
    assert not queue.doubtful


@pytest.mark.parametrize("at", [NOON - SLACK_S, NOON, NOON + 1 + SLACK_S])
def test_what_happens_close_to_a_look_has_to_be_asked_for(at):
    queue = followed(PLACED, RUNNING)
    queue.follow([an_event(EventKind.FINISHED, replace(RUNNING, count=1), at=at)])
    assert queue.doubtful == {1}
    assert counts(queue.groups) == counts([PLACED, RUNNING])


def test_what_happened_long_before_a_look_is_in_it():
    queue = followed(PLACED, RUNNING)
    queue.follow([an_event(EventKind.FINISHED, replace(RUNNING, count=1), at=NOON - SLACK_S - 1)])
    assert counts(queue.groups) == counts([PLACED, RUNNING])
    assert not queue.doubtful


@pytest.mark.parametrize(
    "event",
    [
        an_event(EventKind.FINISHED, replace(RUNNING, cluster=2, count=1)),
        an_event(EventKind.FINISHED, replace(RUNNING, count=1), site="SITE_B"),
        an_event(EventKind.RELEASED),
        an_event(EventKind.REMOVED, before=None),
        an_event(EventKind.STARTED, replace(RUNNING, count=1, sites=("SITE_B",))),
    ],
    ids=["unknown cluster", "unknown site", "nothing held", "state untold", "sites edited"],
)
def test_an_event_that_does_not_fit_changes_nothing_and_is_asked_for(event):
    queue = followed(PLACED, RUNNING)
    queue.follow([event])
    assert queue.doubtful == {event.like.cluster}
    assert counts(queue.groups) == counts([PLACED, RUNNING])


def test_a_cluster_that_was_asked_for_is_known_again():
    queue = followed(PLACED, a_group(2))
    queue.doubtful = {1}
    queue.asked([1], [RUNNING], Look(LATER, LATER))
    assert not queue.doubtful
    assert counts(queue.groups) == counts([RUNNING, a_group(2)])
    queue.follow([an_event(EventKind.FINISHED, replace(RUNNING, count=1), at=LATER - SLACK_S - 1)])
    assert counts(queue.groups) == counts([RUNNING, a_group(2)]), "it is in the later look"


def test_the_last_job_of_a_cluster_takes_the_cluster_away():
    queue = followed(replace(RUNNING, count=1))
    queue.follow([an_event(EventKind.FINISHED, replace(RUNNING, count=1))])
    assert queue.groups == ()


def test_what_the_router_wrote_itself_is_known_without_asking():
    queue = followed(a_group(1))
    queue.placed([a_place(1)], [10])
    (group,) = queue.groups
    assert (group.sites, group.decision, queue.doubtful) == (("SITE_A",), a_place(1).decision, set())


@pytest.mark.parametrize(("place", "met"), [(a_place(1), 7), (a_place(1, count=4), 4), (a_place(9), 10)])
def test_an_edit_that_did_not_meet_all_jobs_has_to_be_asked_for(place, met):
    queue = followed(a_group(1))
    queue.placed([place], [met])
    assert queue.doubtful == {place.cluster}


STEPS = {
    "submit": lambda pool, number: pool.as_user("alice").submit(
        f'My.RouterTask = "t{number % 2}"\nexecutable = x\nrequest_memory = {100 + number % 2}\n', [{}, {}, {}]
    ),
    "start": lambda pool, _: pool.negotiate(),
    "finish": lambda pool, _: pool.finish("SITE_A", 1),
    "fail": lambda pool, number: pool.fail("SITE_B", 1, exit_code=1 + number % 3),
    "evict": lambda pool, _: pool.evict("SITE_A", 1),
    "retry": lambda pool, _: pool.retry("t0", "again"),
    "remove": lambda pool, _: pool.remove("t1", "away"),
}


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.sampled_from([*STEPS, "place", "move"]), max_size=25))
def test_whatever_happens_the_queue_is_followed_exactly(steps):
    pool = FakePool()
    clock, log, queue, position = pool.schedd.clock, FakeEventLog(pool), Followed(), ""
    for _ in range(2):
        pool.add_glidein(FakeGlidein("SITE_A", cores=2))
        pool.add_glidein(FakeGlidein("SITE_B", cores=2))
    queue.looked((), Look(NOON, NOON))
    for number, step in enumerate(steps):
        clock.pass_time(10)  # type: ignore[attr-defined]
        if do := STEPS.get(step):
            do(pool, number)
        else:
            _place(step, pool, queue, number)
        found = log.read(position)
        queue.follow(found.events)
        position = found.position
        queue.asked(sorted(queue.doubtful), pool.jobs_in(sorted(queue.doubtful)), Look(NOON, NOON))
        assert counts(queue.groups) == counts(pool.jobs())


def _place(step: str, pool: FakePool, queue: Followed, number: int) -> None:
    wanted = [
        group for group in pool.jobs() if group.state is JobState.IDLE and (group.sites is None) == (step == "place")
    ]
    actions = [
        a_place(
            group.cluster, old=group.sites, count=group.count, decision=a_decision("SITE_A", "SITE_B", epoch=number)
        )
        for group in wanted
    ]
    queue.placed(actions, pool.place_all(actions))
