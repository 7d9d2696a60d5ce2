"""The router may be killed at any instruction: nothing is lost, and nothing is done twice."""

import os
import signal
import subprocess
import sys

import pytest
from organisation import Organisation, until

from router.model.job import JobGroup, JobState
from router.wiring import store

pytestmark = pytest.mark.pool

CLUSTERS = 120
JOB = 'executable = /bin/true\nMy.RouterDataset = "/test/data"\nrequest_memory = 100\nbatch_name = kill\n'


def mine(organisation: Organisation, clusters: set[int]) -> list[JobGroup]:
    return [group for group in organisation.live.as_user("router").jobs() if group.cluster in clusters]


def test_a_router_that_is_killed_between_two_edits_loses_nothing_and_repeats_nothing(
    organisation: Organisation,
) -> None:
    alice = organisation.live.queue("alice")
    clusters = {alice.submit(JOB, [{"RouterJob": "0"}, {"RouterJob": "1"}]) for _ in range(CLUSTERS)}
    try:
        command = [sys.executable, "-m", "router.cli.main", "router", "run"]
        router = subprocess.Popen(command, env=organisation.environment("router"), stderr=subprocess.DEVNULL)
        try:
            until(lambda: sum(bool(group.sites) for group in mine(organisation, clusters)) >= 5)
        finally:
            os.kill(router.pid, signal.SIGKILL)
            router.wait()
        placed = sum(bool(group.sites) for group in mine(organisation, clusters))
        assert 5 <= placed < CLUSTERS, "the router was not killed in the midst of a pass"

        for _ in range(2):  # the second pass finds nothing left to do
            answer = organisation.run("router", "run", "--once", "--json", user="router")
            assert answer.code == 0, answer.err
        assert not [action for action in answer.json if action.get("cluster") in clusters]  # type: ignore[attr-defined]

        groups = mine(organisation, clusters)
        assert sum(group.count for group in groups) == 2 * CLUSTERS
        assert all(group.state is JobState.IDLE and group.sites == ("SITE_A",) for group in groups)
        assert {(group.decision.epoch, group.decision.moves) for group in groups if group.decision} == {(1, 0)}
        assert all(group.decision for group in groups)
        remembered = store(organisation.settings)
        for cluster in clusters:
            assert [each.outcome for each in remembered.of_cluster(cluster)] == ["applied"]
        remembered.close()
    finally:
        organisation.live.queue("alice").act("Remove", 'JobBatchName == "kill"', "the test is over")


def test_a_router_that_is_told_to_stop_ends_within_five_seconds(organisation: Organisation) -> None:
    address = organisation.home / "run" / "router.address"
    address.unlink(missing_ok=True)
    command = [sys.executable, "-m", "router.cli.main", "router", "run"]
    router = subprocess.Popen(command, env=organisation.environment("router"), stderr=subprocess.DEVNULL)
    until(address.exists)
    router.send_signal(signal.SIGTERM)
    assert router.wait(timeout=5) == 0
