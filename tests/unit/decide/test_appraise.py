"""What a task will take: from the same program's past, or at most what its jobs may."""

import pytest

from router.decide.appraise import appraise
from router.decide.split import batches
from router.model.measure import Measured, measured
from router.model.payload import Requests, Split
from router.model.report import parse
from router.testing.build import a_dataset, a_file, a_payload, a_report

REQUESTS = Requests(cpus=2, walltime_s=7200)


HUNDRED = Split("events", 100)


def estimate(past, split=HUNDRED, **file):
    files = [a_file("/1", "A", size=500, **file), a_file("/2", "A", size=700, **file)]
    return appraise(batches(a_payload(dataset="/d", split=split), a_dataset(files=files)), REQUESTS, past)


def test_a_program_that_never_ran_may_take_all_its_time():
    found = estimate(Measured())
    assert (found.jobs, found.hours, found.longest_h, found.core_hours) == (2, 4.0, 2.0, 8.0)
    assert (found.input_bytes, found.output_bytes, found.measured_jobs) == (1200, None, 0)


def test_events_take_as_long_as_they_did_and_a_job_what_it_took_around_them():
    past = Measured(jobs=4, events=1000, program_s=500.0, wall_s=540.0, written=10_000)
    found = estimate(past, Split("events", 60))
    assert found.jobs == 4
    assert found.hours * 3600 == pytest.approx(4 * 10 + 200 * 0.5)
    assert found.longest_h * 3600 == pytest.approx(10 + 60 * 0.5)
    assert found.output_bytes == 2000


def test_where_no_events_are_known_a_job_is_as_the_average_was():
    found = estimate(Measured(jobs=4, wall_s=400.0, written=80), Split("files", 1), events=0)
    assert (found.hours * 3600, found.output_bytes) == (200.0, 40)


def test_only_jobs_that_ended_well_are_measured():
    output = a_file("/out", "SITE_A", size=70)
    good = a_report(events=10, started=5.0, ended=9.0, payload={"seconds": 3.5}, outputs=[output])
    bad = a_report(events=10, exit_code=72, payload={"seconds": 9.0})
    assert measured(map(parse, (good, bad))) == Measured(1, 10, 3.5, 4.0, 70)
