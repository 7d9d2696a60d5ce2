"""Estimates: from the reports of the same program's earlier jobs, and of no other's."""

import json
from pathlib import Path

from fake_organisation import SPLIT_PAYLOAD

PAYLOAD = SPLIT_PAYLOAD.replace("outputs: [{name: hist.root, merge: auto}]\n", "")


def run_all(router, folder, organisation):
    """A task whose six jobs ended, each with a report of two seconds for its events."""
    done = router.submit(router.plan(PAYLOAD, "my.yaml", folder), folder)
    organisation.step()
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    organisation.pool.negotiate()
    for site in ("SITE_A", "SITE_B"):
        organisation.pool.finish(site)
    organisation.step()
    for job in range(6):
        told = {"version": 1, "batch": "b0", "exit_code": 0, "events": 50, "started": 1, "ended": 4}
        report = Path(done.task.directory) / "reports" / f"{job:04d}.json"
        report.write_text(json.dumps(told | {"payload": {"seconds": 2.0}}))


def test_the_past_of_a_program_is_found_and_of_a_changed_one_is_not(router, folder, organisation):
    plan = router.plan(PAYLOAD, "my.yaml", folder)
    assert router.estimate(plan, folder).measured_jobs == 0
    run_all(router, folder, organisation)
    found = router.estimate(plan, folder)
    assert (found.measured_jobs, found.jobs) == (6, 6)
    assert round(found.hours * 3600, 6) == 6 * 1 + 300 * 2 / 50
    (folder / "analyse.py").write_text("another\n")
    assert router.estimate(plan, folder).measured_jobs == 0


def test_a_report_that_is_none_is_left_out(router, folder, organisation):
    run_all(router, folder, organisation)
    (next(Path(router.tasks()[0].directory).glob("reports/*.json"))).write_text("{")
    assert router.estimate(router.plan(PAYLOAD, "my.yaml", folder), folder).measured_jobs == 5
