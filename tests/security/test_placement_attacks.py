"""Copies for waiting jobs get nobody what they may not read, and take nothing from anybody."""

from collections.abc import Iterator

import pytest

from router.model.data_service import ServiceAnswer
from router.model.files import File, Located, Replica
from router.model.placement import Expire, Replicate
from router.store.store import Store
from router.testing.build import a_file, a_storage
from router.testing.clock import FakeClock

CLOCK = FakeClock()
ELEMENTS = {each.name: each for each in map(a_storage, ("SITE_A", "SITE_B"))}
WANTED = Replicate("/data/d", "SITE_B_DISK", "SITE_B", 1000, 1.0, "many wait")


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store("sqlite://")
    made.register([a_file("/user/victim/secret", "SITE_A")], "victim", 1.0)
    yield made
    made.close()


def register(store: Store, lfn: str, pfn: str, owner: str = "mallory") -> None:
    """A file with the size and checksum of the victim's, which all may see."""
    copy = Replica("SITE_A_DISK", "SITE_A", pfn)
    store.register([Located(File(lfn, 1000, "0badcafe", 100), (copy,))], owner, 2.0)
    store.add_dataset("/data/d", [lfn], owner, 2.0)


@pytest.mark.attack("A11", "A40")
@pytest.mark.parametrize(
    "pfn",
    [
        "file:///se/SITE_A/user/victim/secret", "file:///se/SITE_A/data/../user/victim/secret",
        "file:///se/SITE_A/%2e%2e/user/victim/secret", "file:///se/SITE_B/data/mine", "file:///etc/passwd",
        "http://169.254.169.254/data/mine", "file:///se/SITE_A/data/mine2",
    ],
)  # fmt: skip
def test_the_agent_is_not_made_to_read_what_its_user_may_not(store: Store, pfn: str) -> None:
    register(store, "/data/mine", pfn)
    assert store.open_placement(WANTED, ELEMENTS, 3.0) == 0
    register(store, "/data/honest", "file:///se/SITE_A/data/honest")
    assert store.open_placement(WANTED, ELEMENTS, 3.0) == 1


@pytest.mark.attack("A40")
def test_a_data_service_may_name_its_files_otherwise(store: Store) -> None:
    copy = Replica("SITE_A_DISK", "SITE_A", "file:///se/SITE_A/mc23/3d/25/f1.root")
    answer = ServiceAnswer("rucio", "/data/d", (Located(File("/rucio/f1.root", 1000, "0badcafe"), (copy,)),))
    store.mirror(answer, 1.0)
    assert store.open_placement(WANTED, ELEMENTS, 3.0) == 1
    [due] = store.placed_transfers().transfers_due(3.0, 10)
    assert (due.at_source, due.file.lfn) == ("/mc23/3d/25/f1.root", "/rucio/f1.root")


@pytest.mark.attack("A45")
def test_nothing_is_removed_that_was_not_copied_so(store: Store) -> None:
    register(store, "/data/mine", "file:///se/SITE_A/data/mine")
    store.open_placement(WANTED, ELEMENTS, 3.0)
    for se in ("SITE_A_DISK", "SITE_B_DISK"):
        store.expire_placement(Expire("/data/d", se, "SITE", "unused"), 4.0)
        store.expire_placement(Expire("/user/victim", se, "SITE", "unused"), 4.0)
    assert store.placed_transfers().transfers_arrived(10) == ()
    assert [copy.se for each in store.files(["/data/mine", "/user/victim/secret"]) for copy in each.replicas] == [
        "SITE_A_DISK", "SITE_A_DISK",
    ]  # fmt: skip
