"""Copies of files that were removed long ago go; nobody else's bytes do, and nothing that may still be restored."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from router.errors import NotFound
from router.loops import purging
from router.loops.parts import Parts
from router.loops.purging import Purge
from router.model.audit import AuditQuery
from router.model.files import File, Located, Replica, StorageElement
from router.store.namespace import Namespace
from router.store.store import Store
from router.testing.build import a_batch, a_task, an_ended_job
from router.testing.clock import FakeClock
from router.transfer.endpoint import checked
from router.transfer.local import LocalEndpoint
from router.transfer.parts import PartStore

KEEP_S, DAY_S = 30 * 86_400.0, 86_400.0
SE = "SITE_A_DISK"


@dataclass
class Grid:
    """One storage element, a catalogue, and an agent that removes what was removed a month ago."""

    folder: Path
    store: Store
    clock: FakeClock = field(default_factory=FakeClock)
    keep_s: float = KEEP_S
    down: bool = False

    @property
    def element(self) -> StorageElement:
        return StorageElement(SE, "SITE_A", f"file://{self.folder}/se")

    @property
    def alice(self) -> Namespace:
        return self.store.as_user("alice", self.clock)

    def path(self, lfn: str) -> Path:
        return self.folder / "se" / lfn[1:]

    def made(self, lfn: str, content: bytes = b"events", pfn: str = "", user: str = "alice") -> None:
        """A registered file with its bytes at the storage element."""
        self.path(lfn).parent.mkdir(parents=True, exist_ok=True)
        self.path(lfn).write_bytes(content)
        self.store.register([self.located(lfn, content, pfn)], user, self.clock.now())

    def located(self, lfn: str, content: bytes = b"events", pfn: str = "") -> Located:
        return Located(File(lfn, *checked([content])), (Replica(SE, "SITE_A", pfn or self.element.pfn(lfn)),))

    def pass_days(self, days: float) -> None:
        self.clock.pass_time(days * DAY_S)

    def step(self) -> int:
        """What a new agent does in a pass."""
        elements = {SE: self.element}
        count = Purge(self.store, elements, self.keep_s, self.clock).step()
        storage = {} if self.down else {SE: LocalEndpoint(self.folder / "se")}
        Parts(self.store, PartStore(storage), elements, self.clock).step()
        return count


@pytest.fixture
def grid(tmp_path: Path, store: Store) -> Grid:
    (tmp_path / "se").mkdir()
    return Grid(tmp_path, store)


A = "/user/alice/data/a"


def test_copies_go_when_the_time_is_over_and_the_file_stays_known_without_them(grid):
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(29)
    assert grid.step() == 0
    assert grid.path(A).exists()
    grid.pass_days(2)
    assert grid.step() == 1
    assert not grid.path(A).exists()
    assert grid.step() == 0
    assert [each.name for each in grid.alice.removed()] == [A]
    grid.alice.restore(A)
    assert grid.alice.copies(A) == ()


def test_what_went_is_written_down_by_owner_and_by_directory(grid):
    for name in ("a", "b"):
        grid.made(f"/user/alice/data/{name}")
    grid.made("/user/bob/data/c", user="bob")
    grid.alice.remove(["/user/alice/data/a", "/user/alice/data/b"])
    grid.store.as_user("bob", grid.clock).remove(["/user/bob/data/c"])
    grid.pass_days(31)
    assert grid.step() == 3
    told = [(each.entry.who, each.entry.act, each.entry.about) for each in grid.store.audit(AuditQuery())]
    assert told == [("stageout", "purge", "files of alice"), ("stageout", "purge", "files of bob")]
    [change] = [each for each in grid.alice.changes("/user/alice/data") if each.what == "purge"]
    assert (change.name, change.count) == ("/user/alice/data/", 2)


def test_without_the_setting_nothing_goes(grid):
    grid.keep_s = 0.0
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(9999)
    assert grid.step() == 0
    assert grid.path(A).exists()


def test_a_name_that_was_given_again_keeps_its_bytes(grid):
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(31)
    grid.made(A, b"other events")
    assert grid.step() == 0
    assert grid.path(A).read_bytes() == b"other events"


def test_a_name_that_was_given_again_and_removed_lately_keeps_its_bytes_until_that_is_long_ago(grid):
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(31)
    grid.made(A, b"other events")
    grid.alice.remove([A])
    assert grid.step() == 0
    grid.alice.restore(A)
    assert grid.path(A).read_bytes() == b"other events"
    grid.alice.remove([A])
    grid.pass_days(31)
    assert grid.step() == 2
    assert not grid.path(A).exists()


def test_a_restored_file_keeps_its_bytes(grid):
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(31)
    grid.alice.restore(A)
    assert grid.step() == 0
    assert grid.path(A).exists()


@pytest.mark.attack("A45")
def test_bytes_of_a_renamed_file_stay_whoever_claimed_and_removed_its_old_name(grid):
    grid.made(A)
    grid.alice.move(A, "/user/alice/data/b")
    grid.store.register([grid.located(A)], "alice", grid.clock.now())
    grid.alice.remove([A])
    grid.pass_days(31)
    assert grid.step() == 0
    grid.alice.remove(["/user/alice/data/b"])
    assert grid.step() == 0, "it may still be restored"
    assert grid.path(A).exists()


@pytest.mark.attack("A45")
@pytest.mark.parametrize("claimed", ["se/user/bob/precious", "precious", "se/user/../../precious"])
def test_a_copy_that_is_said_to_lie_elsewhere_than_its_name_is_not_removed(grid, claimed):
    grid.made("/user/bob/precious", user="bob")
    (grid.folder / "precious").write_text("precious")
    grid.store.register([grid.located(A, pfn=f"file://{grid.folder}/{claimed}")], "alice", 1.0)
    grid.alice.remove([A])
    grid.pass_days(31)
    assert grid.step() == 0
    assert grid.path("/user/bob/precious").exists()
    assert (grid.folder / "precious").exists()


def test_what_cannot_be_removed_now_is_removed_later_unless_its_name_is_given_again(grid):
    kept = "/user/alice/data/b"
    for lfn in (A, kept):
        grid.made(lfn)
    grid.alice.remove([A, kept])
    grid.pass_days(31)
    grid.down = True
    assert grid.step() == 2
    assert grid.path(A).exists()
    grid.made(kept, b"other events")
    grid.alice.remove([kept])
    grid.down = False
    assert grid.step() == 0
    assert not grid.path(A).exists()
    assert grid.path(kept).read_bytes() == b"other events"
    grid.alice.restore(kept)


def test_outputs_of_a_task_that_has_jobs_left_stay_since_they_may_be_made_again(grid):
    output = f"/user/alice/{a_task().id}/hist_0000.root"
    grid.made(output)
    grid.store.open_task(a_task(), "", "digest", [a_batch(jobs=1)], 0)
    grid.alice.remove([output])
    grid.pass_days(31)
    assert grid.step() == 0
    grid.store.record_ended([an_ended_job(proc=0, job="0000")])
    assert grid.step() == 1
    assert not grid.path(output).exists()


def test_what_may_not_go_does_not_stand_in_the_way_of_others(grid, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(purging, "PER_PASS", 2)
    for number in range(5):
        lfn = f"/user/alice/data/{number}"
        pfn = "file:///elsewhere" if number < 3 else ""
        grid.made(lfn, pfn=pfn)
        grid.alice.remove([lfn])
        grid.clock.pass_time(1.0)
    grid.pass_days(31)
    purge = Purge(grid.store, {SE: grid.element}, KEEP_S, grid.clock)
    gone = []
    for _ in range(4):
        gone.append(purge.step())
        grid.clock.pass_time(purging.AGAIN_S)
    assert gone == [0, 1, 1, 0]


def test_nothing_is_looked_for_more_often_than_is_due(grid):
    purge = Purge(grid.store, {SE: grid.element}, KEEP_S, grid.clock)
    purge.step()
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(31)
    purge._due = grid.clock.now() + 1.0
    assert purge.step() == 0
    grid.clock.pass_time(1.0)
    assert purge.step() == 1


def test_a_pass_that_is_cut_between_the_catalogue_and_the_bytes_is_finished_by_the_next(grid):
    grid.made(A)
    grid.alice.remove([A])
    grid.pass_days(31)
    Purge(grid.store, {SE: grid.element}, KEEP_S, grid.clock).step()
    assert grid.path(A).exists()
    with pytest.raises(NotFound):
        grid.alice.stat(A)
    grid.step()
    assert not grid.path(A).exists()
