"""Outcomes of sites over time: counted once, remembered over restarts, forgotten when old."""

from dataclasses import replace

import pytest

from router.model.event import BUCKET_S, EventKind, JobEvent, Tally, tally
from router.model.job import JobState
from router.model.streak import MOST_KEPT, streaks
from router.store.store import Store
from router.store.windows import KEEP_S
from router.testing.build import a_group, an_ended_job
from router.testing.clock import NOON


def an_event(kind: EventKind, site: str = "SITE_A", **changes) -> JobEvent:
    fields = {"at": NOON, "proc": 0, "like": a_group(count=1, state=JobState.RUNNING, oldest=int(NOON) - 100)}
    return JobEvent(kind, site=site, **{**fields, **changes})


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'test.db'}")
    yield made
    made.close()


def test_what_happened_at_a_site_adds_up_by_kind(store):
    events = [
        an_event(EventKind.STARTED, first=True),
        an_event(EventKind.STARTED, first=True, at=NOON + 100),
        an_event(EventKind.STARTED),
        an_event(EventKind.FINISHED, began=NOON - 60),
        an_event(EventKind.FINISHED, cause="exit-4"),
        an_event(EventKind.HELD, cause="hold-3.71"),
        an_event(EventKind.HELD, cause="hold-3.71"),
        an_event(EventKind.HELD, cause="hold-13"),
        an_event(EventKind.HELD, cause="hold-34"),
        an_event(EventKind.HELD, cause="hold-3.72"),
        an_event(EventKind.EVICTED, like=a_group(sites=("SITE_A",))),
        an_event(EventKind.EVICTED, like=a_group(sites=None)),
        an_event(EventKind.RELEASED),
        an_event(EventKind.STARTED, site=""),
    ]
    store.record_events(tally(events), "p", NOON)
    (found,) = store.windows(NOON - 3600).values()
    assert (found.starts, found.start_s, found.succeeded, found.failed, found.evictions) == (3, 150.0, 1, 3, 1)
    assert found.causes == (("hold-3.71", 2), ("exit-4", 1), ("hold-13", 1), ("hold-3.72", 1), ("hold-34", 1))


def test_a_bucket_may_come_in_parts(store):
    for position in ("1", "2"):
        store.record_events(tally([an_event(EventKind.FINISHED)]), position, NOON)
    assert store.windows(NOON - 3600)["SITE_A"].succeeded == 2
    assert (store.event_position(), store.events_read()) == ("2", NOON)


def test_counts_and_position_are_remembered_together_or_not_at_all(store):
    store.record_events(tally([an_event(EventKind.FINISHED)]), "1", NOON)
    broken = [*tally([an_event(EventKind.FINISHED)]), Tally("SITE_B", 0, "finished", None, 0.0)]  # type: ignore[arg-type]
    with pytest.raises(Exception, match="refused"):
        store.record_events(broken, "2", NOON)
    assert (store.event_position(), store.windows(NOON - 3600)["SITE_A"].succeeded) == ("1", 1)


@pytest.mark.parametrize(("age", "seen"), [(3600, 1), (3600 + BUCKET_S, 0)])
def test_a_window_counts_whole_buckets(store, age, seen):
    store.record_events(tally([an_event(EventKind.FINISHED, at=NOON - age)]), "1", NOON)
    found = store.windows(NOON - 3600)
    assert (found["SITE_A"].succeeded if found else 0) == seen


def test_what_is_old_is_forgotten(store):
    store.record_events(tally([an_event(EventKind.FINISHED, at=NOON - KEEP_S - BUCKET_S)]), "1", NOON)
    assert store.windows(0) == {}


def a_failure_of(task: str, at: float = NOON, site: str = "SITE_A", owner: str = "", code: int = 71) -> JobEvent:
    like = a_group(count=1, task=task, owner=owner or f"owner of {task}")
    return an_event(EventKind.HELD, cause=f"hold-3.{code}", at=at, like=like, site=site)


def told(store, events) -> tuple[int, int, float]:
    """The row of failures at SITE_A after further events."""
    store.record_events(tally(events), "p", NOON, streaks(events))
    found = store.windows(NOON + 1e6)["SITE_A"]
    return found.streak, found.streak_tasks, found.streak_at


def ended_well(store, task: str, owner: str = "") -> None:
    store.record_ended([an_ended_job(task=task, owner=owner or f"owner of {task}", exit_code=0, site="SITE_C")])


def test_failures_in_a_row_are_remembered_beyond_any_window_until_a_job_ends_well(store):
    assert told(store, [a_failure_of("t1"), a_failure_of("t1", NOON + 1)]) == (2, 1, NOON + 1)
    assert told(store, [a_failure_of("t2", NOON + 2), a_failure_of("t3", NOON + 3)]) == (4, 3, NOON + 3)
    well = an_event(EventKind.FINISHED)
    assert told(store, [a_failure_of("t4"), well, a_failure_of("t5", NOON + 9)]) == (1, 1, NOON + 9)
    store.record_events(tally([well]), "p", NOON, streaks([well]))
    assert "SITE_A" not in store.windows(NOON + 1e6)


def test_a_program_that_fails_at_several_sites_and_ended_well_at_none_speaks_against_itself(store):
    bad = [a_failure_of("bad", site=site, code=72) for site in ("SITE_A", "SITE_A", "SITE_B")]
    assert told(store, [*bad, a_failure_of("other", code=72)]) == (1, 1, NOON)
    ended_well(store, "bad")
    assert told(store, []) == (3, 2, NOON), "it does not fail by itself after all"


def test_a_job_that_ends_well_says_nothing_of_a_program_of_that_name_of_somebody_else(store):
    told(store, [a_failure_of("bad", site=site, code=72) for site in ("SITE_A", "SITE_B")])
    ended_well(store, "bad", owner="mallory")
    assert told(store, [])[0] == 0


def test_a_failure_that_no_program_brings_about_speaks_against_all_sites_where_it_happens(store):
    assert told(store, [a_failure_of("t1", site=site, code=74) for site in ("SITE_A", "SITE_B")]) == (1, 1, NOON)


def test_the_programs_of_one_owner_are_one_witness_unless_they_end_well_elsewhere(store):
    own = [a_failure_of(task, owner="alice", code=72) for task in ("t1", "t2", "t3")]
    assert told(store, own) == (3, 1, NOON)
    ended_well(store, "t1", owner="alice")
    assert told(store, []) == (3, 2, NOON)


def test_jobs_of_no_task_are_told_apart_by_their_cluster(store):
    bare = [replace(a_failure_of("", owner="alice"), site=site) for site in ("SITE_A", "SITE_B")]
    assert told(store, bare)[:2] == (0, 0)
    store.record_ended([an_ended_job(task="", owner="alice", cluster=bare[0].like.cluster, exit_code=0)])
    assert told(store, [])[:2] == (1, 1)


def test_the_failures_of_any_number_of_programs_are_counted(store):
    found = told(store, [a_failure_of(f"t{number}") for number in range(2 * MOST_KEPT)])
    assert found[:2] == (2 * MOST_KEPT, MOST_KEPT)


def test_what_is_nobodys_or_the_jobs_own_failure_is_no_row(store):
    own = [an_event(EventKind.FINISHED, cause="exit-4"), an_event(EventKind.HELD, cause="hold-34")]
    other = [
        an_event(EventKind.EVICTED),
        an_event(EventKind.REMOVED),
        an_event(EventKind.HELD, cause="hold-13", site=""),
    ]
    assert streaks([*own, *other]) == ()
