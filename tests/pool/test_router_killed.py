"""The router may be killed at any point of a pass: nothing is lost, and nothing is done twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from organisation import Organisation, until

from router.model.job import JobGroup, JobState
from router.wiring import store

pytestmark = pytest.mark.pool

CLUSTERS = 40
JOB = 'executable = /bin/true\nMy.RouterDataset = "/test/data"\nrequest_memory = 100\nbatch_name = kill\n'

KILLED_AT_EDIT = """
import os, signal, sys
from router.cli.main import main
from router.pool.queue import Queue

edit, made = Queue.edit_jobs, 0

def edit_or_die(queue, edits):
    global made
    if made == {edits}:
        os.kill(os.getpid(), signal.SIGKILL)
    made += 1
    return edit(queue, edits)

Queue.edit_jobs = edit_or_die
sys.argv = ["glideroute", "router", "run", "--once"]
main()
"""

KILLED_AFTER_THE_EDITS = """
import os, signal, sys
from router.cli.main import main
from router.store.store import Store

settle, calls = Store.settle_all, 0

def settle_or_die(store, outcomes):
    global calls
    calls += 1
    if calls == 2:  # the first settles what an earlier router left open
        os.kill(os.getpid(), signal.SIGKILL)
    settle(store, outcomes)

Store.settle_all = settle_or_die
sys.argv = ["glideroute", "router", "run", "--once"]
main()
"""


@pytest.fixture
def clusters(organisation: Organisation) -> Iterator[set[int]]:
    alice = organisation.live.queue("alice")
    yield {alice.submit(JOB, [{"RouterJob": "0"}, {"RouterJob": "1"}]) for _ in range(CLUSTERS)}
    alice.act("Remove", 'JobBatchName == "kill"', "the test is over")


def mine(organisation: Organisation, clusters: set[int]) -> list[JobGroup]:
    return [group for group in organisation.live.as_user("router").jobs() if group.cluster in clusters]


@pytest.mark.parametrize(
    ("program", "explained", "placed"),
    [
        (KILLED_AT_EDIT.format(edits=0), 0, 0),
        (KILLED_AT_EDIT.format(edits=1), CLUSTERS, 0),
        (KILLED_AFTER_THE_EDITS, CLUSTERS, CLUSTERS),
    ],
    ids=["before the first edit", "between two edits", "after the last edit"],
)
def test_a_router_that_is_killed_in_a_pass_loses_nothing_and_repeats_nothing(
    organisation: Organisation, clusters: set[int], program: str, explained: int, placed: int
) -> None:
    environment = organisation.environment("router")
    command = [sys.executable, "-c", program]
    killed = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    groups = mine(organisation, clusters)
    assert sum(group.decision is not None for group in groups) == explained
    assert sum(group.sites is not None for group in groups) == placed

    for _ in range(2):  # the second pass finds nothing left to do
        answer = organisation.run("router", "run", "--once", "--json", user="router")
        assert answer.code == 0, answer.err
    assert not [action for action in answer.json if action.get("cluster") in clusters]

    groups = mine(organisation, clusters)
    assert sum(group.count for group in groups) == 2 * CLUSTERS
    assert all(group.state is JobState.IDLE and group.sites == ("SITE_A",) for group in groups)
    assert {(group.decision.epoch, group.decision.moves) for group in groups if group.decision} == {(1, 0)}
    assert all(group.decision for group in groups)
    remembered = store(organisation.settings)
    for cluster in clusters:
        assert [each.outcome for each in remembered.of_cluster(cluster)] == ["applied"]
    remembered.close()


def test_a_router_that_is_told_to_stop_ends_within_five_seconds(organisation: Organisation) -> None:
    address = organisation.home / "run" / "router.address"
    address.unlink(missing_ok=True)
    command = [sys.executable, "-m", "router.cli.main", "router", "run"]
    router = subprocess.Popen(command, env=organisation.environment("router"), stderr=subprocess.DEVNULL)
    until(address.exists)
    router.send_signal(signal.SIGTERM)
    assert router.wait(timeout=5) == 0
