"""Booked usage: each run once, whatever is read again, in whatever order, after whatever stop."""

from dataclasses import replace

from emptied import empty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import examples
from router.model.usage import BADLY, EPOCH, HISTORY, OUTCOMES, UNENDED, WELL, booked, summed
from router.testing.build import a_run

DAY = 86_400
EVER = (0, 10**6)

RUNS = st.builds(
    a_run,
    cluster=st.integers(1, 3),
    number=st.integers(0, 2),
    owner=st.sampled_from(("alice", "bob")),
    site=st.sampled_from(("SITE_A", "")),
    started=st.just(1_700_000_000),
    ended=st.integers(1_700_000_000, 1_700_200_000),
    outcome=st.sampled_from(OUTCOMES),
    teller=st.sampled_from((HISTORY, EPOCH)),
    job=st.sampled_from((UNENDED, BADLY, WELL)),
)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RUNS, max_size=12), st.data())
def test_importing_overlapping_windows_in_any_order_is_importing_once(store, runs, data):
    empty(store)
    store.record_runs(runs)
    once = (store.usage(*EVER), [store.runs_of(cluster=each) for each in (1, 2, 3)])
    empty(store)
    bounds = st.tuples(st.integers(0, len(runs)), st.integers(0, len(runs)))
    windows = data.draw(st.lists(bounds, max_size=5))
    for first, last in data.draw(st.permutations([*windows, (0, len(runs))])):
        store.record_runs(data.draw(st.permutations(runs[first:last])))
    cells = [cell for cell in store.usage(*EVER) if cell.usage.runs]
    assert sorted(cells, key=lambda cell: cell.place) == sorted(once[0], key=lambda cell: cell.place)
    assert [sorted(store.runs_of(cluster=each), key=lambda run: run.key) for each in (1, 2, 3)] == [
        sorted(each, key=lambda run: run.key) for each in once[1]
    ]


def test_sums_are_those_of_the_runs(store):
    runs = [a_run(cluster=cluster, cores=2, job=WELL) for cluster in range(1, 4)]
    assert store.record_runs(runs) == 3
    assert store.record_runs(runs) == 0
    (cell,) = store.usage(*EVER)
    assert cell.usage == summed(map(booked, runs), ())[()]
    assert store.usage(cell.day + 1, cell.day + 1) == []


def test_runs_that_were_forgotten_stay_booked_and_are_not_booked_again(store):
    old, new = a_run(), a_run(cluster=2, started=a_run().ended + 5, ended=a_run().ended + 10)
    store.record_runs([old, new])
    booked_before = store.usage(*EVER)
    assert store.forget_runs(new.ended) == 1
    assert store.forget_runs(new.ended - 1) == 0
    store.record_runs([old, new, replace(old, teller=HISTORY, ended=new.ended + 99, job=BADLY)])
    assert store.usage(*EVER) == booked_before
    assert store.runs_of(cluster=1) == []
    store.record_runs([replace(new, job=WELL)])
    assert sum(cell.usage.jobs_well for cell in store.usage(*EVER)) == 1


def test_a_job_of_the_same_number_in_a_new_queue_is_another(store):
    store.record_runs([a_run(), a_run(queued=a_run().queued + DAY)])
    assert sum(cell.usage.runs for cell in store.usage(*EVER)) == 2


def test_runs_are_found_by_task_and_by_job(store):
    store.record_runs([a_run(task="zmumu-1"), a_run(proc=1, task="zmumu-1", number=1), a_run(cluster=2)])
    assert [(run.cluster, run.proc) for run in store.runs_of("zmumu-1")] == [(1, 0), (1, 1)]
    assert [run.number for run in store.runs_of(cluster=1, proc=1)] == [1]


def test_the_mark_only_moves_forward(store):
    assert store.usage_read() == 0.0
    store.record_runs((), 100.0)
    store.record_runs((), 50.0)
    assert store.usage_read() == 100.0
