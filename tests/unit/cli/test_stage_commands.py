"""Commands of automatic splitting."""

from pathlib import Path

import pytest
from fake_organisation import an_output_of

from router.testing.build import a_report


@pytest.fixture
def auto(payload):
    """A payload that is split automatically."""
    text = payload.read_text().replace("{by: events, target: 60}", "{by: auto, target: 1 h}")
    payload.write_text(text)
    return payload


def test_a_task_is_carried_on_when_its_probes_have_ended(run, auto, organisation):
    shown = run("submit", auto).out
    assert "3 job(s) in 3 batch(es)" in shown
    assert "These are probes. When they have ended: glideroute proceed --wait" in shown
    task = organisation.store.tasks("alice")[0]
    assert run("proceed", task.id).out == f"{task.id} is at probes: 0 of 3 probes have ended\n"
    assert "split automatically, now at probes" in run("status", task.id).out
    organisation.step()
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
        organisation.pool.negotiate()
        organisation.pool.finish(site)
    organisation.step()
    for number in range(3):
        job = f"{number:04d}"
        told = a_report(job, task=task.id, events=1, payload={"seconds": 1.0}, outputs=[an_output_of(task, job)])
        report_of(task, job).write_text(told)
    shown = run("proceed", task.id, "--json").json
    assert (shown["stage"], [batch for batch, _ in shown["clusters"]]) == ("main", ["b0", "b1", "b2"])


def report_of(task, job):
    return Path(task.directory) / "reports" / f"{job}.json"


def test_a_wait_ends_when_no_more_jobs_will_be_added(run, auto, organisation):
    run("submit", auto)
    task = organisation.store.tasks("alice")[0]
    organisation.step()
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
        organisation.pool.negotiate()
        organisation.pool.fail(site, exit_code=72)
    organisation.step()
    shown = run("proceed", task.id, "--wait")
    assert (shown.code, "every probe failed" in shown.err) == (1, True)


def test_a_task_that_was_submitted_at_once_has_no_stages(run, payload, organisation):
    run("submit", payload)
    assert "is not split automatically" in run("proceed", organisation.store.tasks("alice")[0].id).err
