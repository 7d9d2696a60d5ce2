"""A dataset that many wait for is copied by the agent, used by the router, and removed when nobody reads it."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_organisation import Organisation

from router.errors import UserError
from router.loops.placing import Placing
from router.loops.stageout import StageOut
from router.model.data_service import ServiceAnswer
from router.model.entry import ReplicaState
from router.model.files import File, Located, Replica, StorageElement
from router.model.placement import Holding, PlacementPolicy, Replicate
from router.model.policy import BrokerPolicy, StageOutPolicy
from router.model.site import MB
from router.model.task import Inputs
from router.model.transfer import Clear, Copy
from router.model.world import World
from router.testing.build import a_group, a_site, a_world
from router.transfer.copying import Copier
from router.transfer.endpoints import endpoints

DATASET = "/demo/zmumu"
LFNS = tuple(f"/demo/f{number}.root" for number in range(3))
POLICY = PlacementPolicy(per_day_mb=1000, mb_s=1000)
DAY_S = 86_400


@dataclass
class Grid:
    """Two sites with storage in folders, three files of alice's at SITE_A, and a crowd that waits for them there."""

    organisation: Organisation
    folder: Path
    policy: PlacementPolicy = POLICY
    elements: dict[str, StorageElement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.elements = {
            site: StorageElement(f"{site}_DISK", site, f"file://{self.folder}/{site}") for site in ("SITE_A", "SITE_B")
        }
        (self.folder / "SITE_B").mkdir()
        found = []
        for lfn in LFNS:
            self.write("SITE_A", lfn, lfn.encode() * 100)
            found.append(self.located(lfn))
        self.store.register(found, "alice", self.now)
        self.store.add_dataset(DATASET, LFNS, "alice", self.now)

    @property
    def store(self) -> Any:
        return self.organisation.store

    @property
    def now(self) -> float:
        return self.organisation.clock.now()

    def write(self, site: str, lfn: str, data: bytes) -> None:
        path = self.folder / site / lfn[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def located(self, lfn: str, site: str = "SITE_A") -> Located:
        data = lfn.encode() * 100
        element = self.elements[site]
        file = File(lfn, len(data), f"{zlib.adler32(data):08x}", 10)
        return Located(file, (Replica(element.name, site, element.pfn(lfn)),))

    def placing(self) -> Placing:
        return Placing(self.store, self.elements, self.policy, BrokerPolicy(remote_mb_s=1e-12), self.organisation.clock)

    def agent(self) -> StageOut:
        by_name = {each.name: each for each in self.elements.values()}
        mover = Copier(by_name, endpoints(by_name.values(), {}, 10.0), 2)
        memory = self.store.placed_transfers()
        return StageOut(memory, mover, frozenset(by_name), StageOutPolicy(), self.organisation.clock)

    def world(self, jobs: int = 2000, sites: tuple[str, ...] = ("SITE_A",)) -> World:
        busy = a_site("SITE_A", cores=100, max_cores=100, running_jobs=100, freed_per_h=50.0)
        free = a_site("SITE_B", cores=100, max_cores=100, idle_cores=100, freed_per_h=50.0)
        size = sum(each.file.size for each in self.store.dataset(DATASET).files)
        groups = [a_group(1, count=jobs, dataset=DATASET, sites=sites)] if jobs else []
        found = a_world(busy, free, jobs=groups, inputs=[(1, Inputs(size, (("SITE_A", size),), jobs))] if jobs else ())
        return replace(found, now=self.now)

    def where(self, lfn: str = LFNS[0]) -> set[str]:
        return {copy.site for each in self.store.files([lfn]) for copy in each.replicas}

    def bytes_at(self, site: str) -> set[str]:
        return {f"/demo/{path.name}" for path in (self.folder / site).rglob("*.root")}

    def placed(self) -> Holding:
        """Have the dataset copied to SITE_B."""
        self.placing().step(self.world())
        self.agent().step()
        [found] = self.store.placements()
        return found


@pytest.fixture
def grid(organisation: Organisation, tmp_path: Path) -> Iterator[Grid]:
    yield Grid(organisation, tmp_path)


def test_a_hot_dataset_is_copied_verified_registered_and_its_source_stays(grid):
    placing = grid.placing()
    placing.step(grid.world())
    assert placing.decided == {("place", "SITE_B"): 1}
    assert grid.where() == {"SITE_A"}
    done = grid.agent().step()
    assert sum(isinstance(action, Copy) for action in done) == 3
    assert {frozenset(grid.where(lfn)) for lfn in LFNS} == {frozenset({"SITE_A", "SITE_B"})}
    assert grid.bytes_at("SITE_A") == grid.bytes_at("SITE_B") == set(LFNS)
    [held] = grid.store.placements()
    assert (held.files, held.waiting, held.only, held.leaving) == (3, 0, 0, False)
    assert held.words.startswith("2,000 jobs wait for it, which lies at SITE_A")


def test_the_router_is_told_of_the_copy_at_its_next_pass_and_once(grid):
    placing = grid.placing()
    assert not placing.step(grid.world())
    assert not placing.step(grid.world())
    grid.agent().step()
    grid.organisation.clock.pass_time(1)
    assert placing.step(grid.world())
    assert not placing.step(grid.world())


def test_nothing_is_decided_twice_while_the_copy_is_made(grid):
    placing = grid.placing()
    for _ in range(3):
        placing.step(grid.world())
        grid.organisation.clock.pass_time(POLICY.look_s)
    assert placing.decided == {("place", "SITE_B"): 1}


def test_without_a_budget_or_where_nothing_may_be_bound_nothing_is_copied(grid):
    grid.policy = PlacementPolicy()
    grid.placing().step(grid.world())
    tagging = grid.placing()
    tagging.policy, tagging.broker = POLICY, BrokerPolicy(bind=False)
    tagging.step(grid.world())
    assert grid.store.placements() == ()


def test_a_copy_whose_bytes_are_wrong_is_not_registered_and_tried_again(grid):
    grid.write("SITE_A", LFNS[0], b"rotten")
    grid.placing().step(grid.world())
    agent = grid.agent()
    agent.step()
    assert grid.where(LFNS[0]) == {"SITE_A"}
    assert grid.where(LFNS[1]) == {"SITE_A", "SITE_B"}
    assert agent.outcomes["SITE_B_DISK", "checksum"] == 1
    grid.write("SITE_A", LFNS[0], LFNS[0].encode() * 100)
    grid.organisation.clock.pass_time(100)
    agent.step()
    assert grid.where(LFNS[0]) == {"SITE_A", "SITE_B"}


def test_a_copy_that_nobody_uses_leaves_the_catalogue_first_and_the_storage_then(grid):
    grid.placed()
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    assert grid.where() == {"SITE_A"}
    assert grid.bytes_at("SITE_B") == set(LFNS)
    assert {type(action) for action in grid.agent().step()} == {Clear}
    assert grid.bytes_at("SITE_B") == set()
    assert grid.bytes_at("SITE_A") == set(LFNS)
    assert grid.store.placements() == ()


def test_a_copy_that_jobs_have_stays(grid):
    grid.placed()
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(sites=("SITE_A", "SITE_B")))
    grid.organisation.clock.pass_time(6 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    assert grid.where() == {"SITE_A", "SITE_B"}


@pytest.mark.parametrize("how", ["forgotten", "bad"])
def test_the_last_copy_never_goes(grid, how):
    grid.placed()
    alice = grid.store.as_user("alice", grid.organisation.clock)
    if how == "forgotten":
        alice.forget_copy(LFNS[0], "SITE_A_DISK")
    else:
        alice.set_state(LFNS[0], "SITE_A_DISK", ReplicaState.BAD)
    grid.organisation.clock.pass_time(8 * DAY_S)
    placing = grid.placing()
    for _ in range(3):
        placing.step(grid.world(jobs=0))
        grid.agent().step()
        grid.organisation.clock.pass_time(DAY_S)
    assert grid.where(LFNS[0]) == {"SITE_B"}
    assert grid.bytes_at("SITE_B") == {LFNS[0]}
    assert grid.where(LFNS[1]) == {"SITE_A"}
    [kept] = grid.store.placements()
    assert (kept.there, kept.only, kept.leaving) == (1, 1, False)
    assert placing.decided == {("expire", "SITE_B"): 1}


def test_a_copy_that_a_user_registers_is_the_users_and_stays(grid):
    grid.placed()
    alice = grid.store.as_user("alice", grid.organisation.clock)
    alice.register([grid.located(LFNS[0], "SITE_B")])
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    grid.agent().step()
    assert grid.where(LFNS[0]) == {"SITE_A", "SITE_B"}
    assert grid.bytes_at("SITE_B") == {LFNS[0]}


def test_a_copy_that_is_being_removed_cannot_be_registered_meanwhile(grid):
    grid.placed()
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    alice = grid.store.as_user("alice", grid.organisation.clock)
    with pytest.raises(UserError, match="being removed"):
        alice.register([grid.located(LFNS[0], "SITE_B")])


def test_copies_that_others_made_are_never_taken_away(grid):
    grid.write("SITE_B", LFNS[0], LFNS[0].encode() * 100)
    grid.store.register([grid.located(LFNS[0], "SITE_B")], "alice", grid.now)
    assert grid.placed().files == 2
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    grid.agent().step()
    assert grid.bytes_at("SITE_B") == {LFNS[0]}
    assert grid.where(LFNS[0]) == {"SITE_A", "SITE_B"}


def test_a_removed_file_takes_its_place_in_the_plan_with_it(grid):
    grid.placing().step(grid.world())
    alice = grid.store.as_user("alice", grid.organisation.clock)
    alice.remove([LFNS[0]])
    grid.agent().step()
    assert grid.bytes_at("SITE_B") == set(LFNS[1:])


def test_a_renamed_file_is_removed_under_the_name_that_its_bytes_have(grid):
    grid.placed()
    alice = grid.store.as_user("alice", grid.organisation.clock)
    alice.move(LFNS[0], "/demo/new.root")
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    grid.agent().step()
    assert grid.bytes_at("SITE_B") == set()
    assert grid.bytes_at("SITE_A") == set(LFNS)


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_the_bytes_of_a_file_that_is_removed_or_renamed_are_not_written_over(grid, how):
    """Its owner may restore it, and a renamed file keeps its place."""
    alice = grid.store.as_user("alice", grid.organisation.clock)
    grid.write("SITE_B", LFNS[0], b"of old")
    grid.store.register([grid.located(LFNS[0], "SITE_B")], "alice", grid.now)
    alice.remove([LFNS[0]]) if how == "removed" else alice.move(LFNS[0], "/demo/kept.root")
    grid.store.register([grid.located(LFNS[0])], "alice", grid.now)
    grid.store.add_dataset(DATASET, [LFNS[0]], "alice", grid.now)
    grid.placed()
    assert (grid.folder / "SITE_B/demo/f0.root").read_bytes() == b"of old"
    assert grid.where(LFNS[1]) == {"SITE_A", "SITE_B"}


def test_an_agent_that_was_killed_after_a_copy_finds_it_and_makes_no_other(grid):
    grid.placing().step(grid.world())
    agent = grid.agent()
    [*due] = agent.memory.transfers_due(grid.now, 10)
    for outcome in agent.mover.move(agent.memory.begin_transfers(due, grid.now)):
        assert outcome is None or outcome[1] is None
    assert grid.where() == {"SITE_A"}
    grid.agent().step()
    assert grid.where() == {"SITE_A", "SITE_B"}


def test_a_file_whose_source_is_lost_is_read_from_elsewhere_and_given_up_where_there_is_nothing(grid):
    alice = grid.store.as_user("alice", grid.organisation.clock)
    other = grid.folder / "SITE_C"
    other.mkdir()
    grid.elements["SITE_C"] = StorageElement("SITE_C_DISK", "SITE_C", f"file://{other}")
    placing = grid.placing()
    placing.step(grid.world())
    grid.write("SITE_C", LFNS[0], LFNS[0].encode() * 100)
    alice.register([grid.located(LFNS[0], "SITE_C")])
    for lfn in LFNS:
        alice.forget_copy(lfn, "SITE_A_DISK")
    grid.organisation.clock.pass_time(POLICY.look_s)
    placing.step(grid.world(jobs=0))
    grid.agent().step()
    assert grid.where(LFNS[0]) == {"SITE_B", "SITE_C"}
    assert grid.store.placements()[0].state == "lacks 2 of 3 files: no copy can be read"


def test_what_was_given_up_while_it_was_copied_is_not_registered(grid):
    grid.placing().step(grid.world())
    agent = grid.agent()
    begun = agent.memory.begin_transfers(agent.memory.transfers_due(grid.now, 10), grid.now)
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    done = [(each, agent.mover.replica(each)) for each in begun]
    assert agent.memory.settle_transfers(done, [], grid.now) == ()
    assert grid.where() == {"SITE_A"}


def test_a_data_service_neither_takes_such_a_copy_away_nor_is_its_own_taken(grid):
    grid.placed()
    files = tuple(grid.located(lfn) for lfn in LFNS)
    assert not grid.store.mirror(ServiceAnswer("books", DATASET, files), grid.now)
    assert grid.where() == {"SITE_A", "SITE_B"}
    both = tuple(
        replace(each, replicas=each.replicas + grid.located(each.file.lfn, "SITE_B").replicas) for each in files
    )
    grid.store.mirror(ServiceAnswer("books", DATASET, both), grid.now)
    grid.organisation.clock.pass_time(8 * DAY_S)
    grid.placing().step(grid.world(jobs=0))
    assert grid.where() == {"SITE_A", "SITE_B"}


def test_such_copies_do_not_count_to_a_users_quota_at_the_site(grid):
    before = grid.store.stored()
    grid.placed()
    held = grid.store.stored()
    assert held["SITE_A"] == before["SITE_A"]
    assert held["SITE_B"] == {"": sum(before["SITE_A"].values())}


def test_a_destination_that_is_down_is_only_probed(grid):
    grid.policy = replace(POLICY, least_jobs=1)
    (grid.folder / "SITE_B").rmdir()
    grid.placing().step(grid.world())
    agent = grid.agent()
    agent.policy = replace(agent.policy, bad_streak=1, probes=1)
    agent.step()
    tried = sum(agent.outcomes.values())
    grid.organisation.clock.pass_time(61)
    agent.step()
    assert sum(agent.outcomes.values()) == tried + 1
    [held] = grid.store.placements()
    assert held.waiting == 3


def test_how_much_of_a_dataset_lies_where_counts_every_file_once_at_a_site(grid):
    alice = grid.store.as_user("alice", grid.organisation.clock)
    twice = replace(grid.located(LFNS[0]), replicas=(Replica("SITE_A_OTHER", "SITE_A", "file:///other/f0"),))
    alice.register([twice])
    size = grid.located(LFNS[0]).file.size
    assert grid.store.dataset_places([DATASET, "/demo/none"]) == {DATASET: Inputs(3 * size, (("SITE_A", 3 * size),))}
    assert grid.store.dataset_places([DATASET]) == grid.store.dataset_inputs([DATASET])


def test_a_plan_of_files_that_lie_nowhere_that_can_be_read_is_no_plan(grid):
    wanted = Replicate(DATASET, "SITE_B_DISK", "SITE_B", 10 * MB, 1.0, "why")
    elements = {each.name: each for each in grid.elements.values()}
    elsewhere = replace(elements["SITE_A_DISK"], prefix="file:///other")
    assert grid.store.open_placement(wanted, {**elements, "SITE_A_DISK": elsewhere}, grid.now) == 0
    assert grid.store.open_placement(wanted, elements, grid.now) == 3
