"""Outputs that FTS brings: each arrives once, whatever is killed, lost or refused in between."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_fts import FakeFts, Running

from router.loops.stageout import StageOut
from router.model.files import File, Located, Replica, StorageElement
from router.model.policy import StageOutPolicy
from router.model.transfer import Look, Recall, Send, Transfer, TransferState
from router.store.store import Store
from router.testing.clock import NOON, FakeClock
from router.transfer.carrying import FtsCarrier
from router.transfer.copying import Copier
from router.transfer.endpoint import checked
from router.transfer.fts import Fts
from router.transfer.local import LocalEndpoint

ELEMENTS = {f"{site}_DISK": StorageElement(f"{site}_DISK", site, f"https://{site.lower()}.test") for site in "AB"}
CONTENT = b"histogram" * 100


@dataclass
class Grid:
    """Two storage elements, which FTS reaches, and an agent that has it copy from A to B."""

    folder: Path
    store: Store
    fts: FakeFts
    clock: FakeClock = field(default_factory=FakeClock)

    def made(self, count: int) -> None:
        """Let jobs have left outputs at A."""
        size, adler32 = checked([CONTENT])
        for number in range(count):
            lfn = f"/user/alice/t/out_{number}"
            path = self.folder / "A" / lfn[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(CONTENT)
            file = File(lfn, size, adler32)
            self.store.hand_over([Transfer(file, "alice", "t", f"{number:04d}", "A_DISK", "B_DISK")], NOON)
            self.store.register([Located(file, (Replica("A_DISK", "A", f"https://a.test{lfn}"),))], "alice", NOON)

    def agent(self, **changes: Any) -> StageOut:
        """An agent, new as after a restart."""
        endpoints = {f"{site}_DISK": LocalEndpoint(self.folder / site) for site in "AB"}
        asked = Fts(self.fts.url, lambda: "eyJagent", "", 5.0)
        carrier = FtsCarrier(asked, ELEMENTS, endpoints, {}, frozenset({"B_DISK"}), 3600.0)
        policy = replace(StageOutPolicy(bulk=3), **changes)
        mover = Copier(ELEMENTS, endpoints, 2)
        return StageOut(self.store, mover, frozenset(ELEMENTS), policy, self.clock, sent=self.store, carrier=carrier)

    def where(self) -> dict[str, set[str]]:
        """The files at each storage element."""
        below = {site: self.folder / site for site in "AB"}
        return {site: {path.name for path in place.rglob("*") if path.is_file()} for site, place in below.items()}

    def states(self) -> dict[str, int]:
        return {str(each.state): each.outputs for each in self.store.transfer_counts()}


@pytest.fixture(scope="module")
def listening() -> Iterator[FakeFts]:
    with Running(FakeFts({})) as fts:
        yield fts


@pytest.fixture
def grid(tmp_path: Path, store: Store, listening: FakeFts) -> Grid:
    hosts = {f"{site.lower()}.test": tmp_path / site for site in "AB"}
    for place in hosts.values():
        place.mkdir()
    vars(listening).update(vars(FakeFts(hosts, port=listening.port)))
    return Grid(tmp_path, store, listening)


def kinds(done: list[Any]) -> list[type]:
    return [type(action) for action in done]


def arrived(grid: Grid, count: int) -> None:
    names = {f"out_{number}" for number in range(count)}
    assert grid.where() == {"A": set(), "B": names}
    assert grid.states() == {"moved": count}
    for each in grid.store.files(grid.store.listing("/user/alice/t")):
        assert [replica.se for replica in each.replicas] == ["B_DISK"]


def test_outputs_go_in_bulks_are_verified_and_get_their_names_when_fts_has_copied_them(grid):
    grid.made(7)
    agent = grid.agent()
    assert kinds(agent.step()) == [Send, Send, Send]
    assert [len(each["files"]) for each in grid.fts.submitted] == [3, 3, 1]
    assert grid.states() == {"sent": 7}
    assert grid.store.transferring_jobs("t") == 7
    assert kinds(agent.step()) == [Look, Look, Look]
    grid.fts.run()
    assert grid.where()["B"] == {f".out_{number}.part-1" for number in range(7)}
    agent.step()
    arrived(grid, 7)
    assert agent.step() == []


def test_an_agent_that_is_killed_before_it_submits_does_so_when_it_is_back(grid):
    grid.made(2)
    due = grid.store.transfers_due(NOON, 10)
    grid.store.send_transfers(due, "glideroute-before", NOON)
    grid.agent().step()
    assert len(grid.fts.jobs) == 1
    grid.fts.run()
    grid.agent().step()
    arrived(grid, 2)


def test_a_submission_whose_answer_was_lost_is_found_and_not_made_again(grid):
    grid.made(2)
    grid.agent().step()  # so that FTS has said who asks
    grid.fts.jobs.clear()
    grid.fts.deaf = True
    agent = grid.agent()
    agent.carrier.fts._organisation = None
    agent.step()
    assert grid.states() == {"sent": 2}
    grid.fts.deaf = False
    grid.agent().step()
    grid.agent().step()
    assert len(grid.fts.jobs) == 1
    grid.fts.run()
    grid.agent().step()
    arrived(grid, 2)


def test_an_agent_that_is_killed_after_it_named_a_file_finds_it(grid):
    grid.made(1)
    grid.agent().step()
    grid.fts.run()
    [sent] = grid.store.transfers_sent()
    LocalEndpoint(grid.folder / "B").publish(sent.file.lfn, "1")
    grid.agent().step()
    arrived(grid, 1)


def test_what_fts_could_not_copy_is_tried_again_later_and_leaves_no_part(grid):
    grid.made(3)
    grid.agent().step()
    grid.fts.run("TRANSFER [5] Copy failed. Last attempt: copy HTTP 507 : Insufficient Storage")
    (grid.folder / "B/user/alice/t/.out_0.part-1").write_bytes(b"half")
    agent = grid.agent()
    agent.step()
    assert grid.states() == {"moved": 2, "waiting": 1}
    assert agent.outcomes == {("B_DISK", ""): 2, ("B_DISK", "quota"): 1}
    grid.clock.pass_time(600)
    grid.agent().step()
    grid.fts.run()
    grid.agent().step()
    arrived(grid, 3)
    assert len(grid.fts.jobs) == 2


def test_bytes_that_fts_took_for_right_and_are_not_get_no_name(grid):
    grid.made(1)
    grid.agent().step()
    grid.fts.run()
    (grid.folder / "B/user/alice/t/.out_0.part-1").write_bytes(CONTENT[::-1])
    agent = grid.agent()
    agent.step()
    assert agent.outcomes == {("B_DISK", "checksum"): 1}
    assert "out_0" in grid.where()["A"]
    assert "out_0" not in grid.where()["B"]


def test_what_fts_does_not_bring_in_time_it_is_told_to_give_up_and_a_late_copy_harms_nothing(grid):
    grid.made(1)
    grid.agent().step()
    grid.clock.pass_time(7200)
    assert kinds(grid.agent(sent_s=3600.0).step()) == [Recall]
    assert [each["file_state"] for job in grid.fts.jobs.values() for each in job["files"]] == ["CANCELED"]
    [each] = grid.store.transfer_counts()
    assert (each.state, each.cause) == (TransferState.WAITING, "time-out")
    (grid.folder / "B/user/alice/t").mkdir(parents=True)
    (grid.folder / "B/user/alice/t/.out_0.part-1").write_bytes(CONTENT)
    grid.clock.pass_time(600)
    grid.agent().step()
    grid.fts.run()
    grid.agent().step()
    arrived(grid, 1)


def test_a_service_that_refuses_the_job_is_told_in_its_words(grid):
    grid.made(1)
    grid.fts.refuses = (419, 'No delegation found for "/CN=agent"')
    grid.agent().step()
    [each] = grid.store.transfer_counts()
    assert (each.state, each.cause) == (TransferState.WAITING, "permission")
    assert "fts-rest-delegate" in each.words


def test_a_service_that_is_away_loses_nothing_and_is_asked_once_a_pass(grid):
    grid.made(7)
    grid.fts.deaf = True
    agent = grid.agent()
    agent.step()
    assert grid.states() == {"sent": 3, "waiting": 4}
    agent.step()
    assert grid.states() == {"sent": 3, "waiting": 4}
    grid.fts.deaf = False
    for _ in range(2):
        agent.step()
    grid.fts.run()
    agent.step()
    arrived(grid, 7)


def test_a_job_that_fts_has_forgotten_is_submitted_again_for_what_has_not_arrived(grid):
    grid.made(2)
    grid.agent().step()
    grid.fts.run("TRANSFER [111] Connection refused")
    grid.agent().step()
    grid.fts.jobs.clear()
    grid.clock.pass_time(600)
    grid.agent().step()
    grid.fts.run()
    grid.agent().step()
    arrived(grid, 2)


def test_without_the_service_in_the_settings_what_it_had_waits_for_the_agent(grid):
    grid.made(1)
    grid.agent().step()
    agent = grid.agent()
    agent.carrier = None
    agent.step()
    grid.clock.pass_time(600)
    agent.step()
    arrived(grid, 1)


def test_handing_over_again_what_is_sent_changes_nothing(grid):
    grid.made(1)
    grid.agent().step()
    [sent] = grid.store.transfers_sent()
    grid.store.hand_over([replace(sent, state=TransferState.WAITING, epoch=0, bulk="")], NOON)
    assert grid.store.transfers_sent() == (sent,)
