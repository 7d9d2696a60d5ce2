"""Automatic splitting: what comes next, how large jobs get, and that no event is given to nobody or twice."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.split import Numbering, cut, work
from router.decide.split.missing import missing
from router.decide.split.probes import probes
from router.decide.stages import Close, Cut, Stage, Standing, Wait, next_step, tail_s
from router.model.lumis import Lumis
from router.model.measure import Measured
from router.model.payload import Split
from router.model.task import Piece
from router.testing.build import a_dataset, a_file, a_payload

HOUR = 3600
TEN_A_SECOND = Measured(jobs=5, events=1000, program_s=100.0, written=10_000)


def standing(stage=Stage.MAIN, **changes):
    default = {"target_s": 3 * HOUR, "jobs": 10, "open": 0, "failed": 0, "left_events": 0, "measured": TEN_A_SECOND}
    return Standing(stage, **{**default, **changes})


def test_nothing_is_cut_while_probes_may_still_end():
    step = next_step(standing(Stage.PROBES, jobs=5, open=1, left_events=10**6))
    assert step == Wait("4 of 5 probes have ended")


def test_main_jobs_are_cut_to_three_quarters_of_the_wanted_time():
    step = next_step(standing(Stage.PROBES, left_events=10**6))
    assert isinstance(step, Cut)
    assert (step.to, step.events) == (Stage.MAIN, int(0.75 * 3 * HOUR * 10))


def test_a_job_writes_at_most_five_gigabytes():
    heavy = Measured(jobs=5, events=1000, program_s=100.0, written=1000 * 1_000_000)
    step = next_step(standing(Stage.PROBES, left_events=10**6, measured=heavy))
    assert isinstance(step, Cut) and step.events == 5000


def test_jobs_get_longer_where_there_would_be_too_many():
    step = next_step(standing(Stage.PROBES, left_events=10**10))
    assert isinstance(step, Cut) and step.events == -(-(10**10) // 9000)


def test_when_every_probe_failed_the_task_has_failed():
    step = next_step(standing(Stage.PROBES, left_events=10, measured=Measured()))
    assert isinstance(step, Close) and step.to is Stage.FAILED and "every probe failed" in step.words


def test_probes_that_read_all_there_is_are_the_whole_task():
    assert next_step(standing(Stage.PROBES)) == Close(Stage.COMPLETE, "the probes have read all there is")


@pytest.mark.parametrize(
    ("stage", "jobs", "open_", "left", "expected"),
    [
        (Stage.MAIN, 100, 1, 50, None),
        (Stage.MAIN, 100, 0, 50, Stage.COMPLETE),
        (Stage.MAIN, 200, 101, 50, None),
        (Stage.MAIN, 200, 100, 50, Stage.TAILS_1),
        (Stage.TAILS_1, 200, 100, 50, None),
        (Stage.TAILS_1, 200, 40, 50, Stage.TAILS_2),
        (Stage.TAILS_2, 200, 1, 50, None),
        (Stage.TAILS_2, 200, 0, 50, Stage.COMPLETE),
        (Stage.MAIN, 200, 0, 50, Stage.COMPLETE),
    ],
)
def test_tails_are_cut_when_half_four_fifths_and_all_of_many_main_jobs_have_ended(stage, jobs, open_, left, expected):
    step = next_step(standing(stage, jobs=jobs, open=open_, left_events=left, failed=1))
    assert (step.to if isinstance(step, Cut) else None) == expected


def test_no_tail_is_cut_where_nothing_is_left():
    assert next_step(standing()) == Close(Stage.COMPLETE, "no tail is needed: no main job has failed")


def test_a_tail_is_a_fifth_of_a_main_job_and_at_least_three_quarters_of_an_hour():
    assert [tail_s(hours * HOUR) for hours in (0.5, 1, 3, 10)] == [0.5 * HOUR, 0.75 * HOUR, 0.75 * HOUR, 2 * HOUR]


def dataset(events):
    return a_dataset(files=[a_file(f"/f{n:02}", "A", events=each) for n, each in enumerate(events)])


def test_probes_are_the_beginnings_of_files_spread_over_the_work():
    found = probes(work(a_payload(split=Split("auto")), dataset([1000] * 20)))
    assert [(p.located.file.lfn, p.first_event, p.events) for p in found] == [
        (f"/f{n:02}", 0, 40) for n in (0, 4, 8, 12, 16)
    ]


def read(pieces):
    return Counter(
        (piece.located.file.lfn, each)
        for piece in pieces
        for each in (piece.lumis or range(piece.first_event, piece.first_event + piece.events))
    )


EVENTS = st.lists(st.integers(1, 40), min_size=1, max_size=8)
SECTIONS = st.lists(st.sets(st.integers(1, 9), min_size=1), min_size=1, max_size=6)
FAILING = st.sets(st.integers(0, 40))


@given(EVENTS, st.integers(1, 50), FAILING, st.integers(1, 20))
def test_probes_main_jobs_and_tails_read_every_event_exactly_once(events, target, failing, tail):
    whole = work(a_payload(split=Split("auto")), dataset(events))
    stages_read_all_once(whole, "events", target, failing, tail)


@given(SECTIONS, st.integers(1, 50), FAILING, st.integers(1, 20))
def test_probes_main_jobs_and_tails_read_every_section_exactly_once(found, target, failing, tail):
    files = [a_file(f"/f{n}", "A", events=10 * len(each)) for n, each in enumerate(found)]
    lumis = [Lumis.sections((1, 10 * n + number) for number in each) for n, each in enumerate(found)]
    whole = tuple(Piece(file, 0, file.file.events, each) for file, each in zip(files, lumis, strict=True))
    stages_read_all_once(whole, "lumi-events", target, failing, tail)


def stages_read_all_once(whole, rule, target, failing, tail):
    first = probes(whole)
    done = list(first)
    for kind, each in (("b", target), ("t", tail)):
        jobs = [c.pieces for b in cut(Split(rule, each), missing(whole, done), Numbering(kind)) for c in b.chunks]
        lost = failing if kind == "b" else ()
        done += [piece for number, job in enumerate(jobs) if number not in lost for piece in job]
    assert missing(whole, done) == ()
    assert read(done) == read(whole)
    assert set(read(done).values()) == {1}
