"""The catalogue: files never change, saying it twice is saying it once, all of it happens or nothing."""

from dataclasses import replace

import pytest

from router.errors import NotFound, PermissionRefused, UserError
from router.model.files import Located
from router.model.task import Inputs
from router.testing.build import a_batch, a_file, a_payload, a_task

A = a_file("/demo/a.root", "SITE_A")
B = a_file("/demo/b.root", "SITE_A", "SITE_B")


def test_a_registered_file_is_found_with_its_copies_in_the_order_asked_for(store):
    store.register([A, B], "alice", 1.0)
    assert store.files(["/demo/b.root", "/demo/none", "/demo/a.root"]) == (B, A)


def test_registering_twice_is_registering_once(store):
    store.register([A, B], "alice", 1.0)
    store.register([A, B], "bob", 2.0)
    assert store.files(["/demo/a.root", "/demo/b.root"]) == (A, B)


def test_a_new_copy_joins_the_ones_there_are(store):
    store.register([A], "alice", 1.0)
    store.register([a_file("/demo/a.root", "SITE_C")], "alice", 2.0)
    assert store.files(["/demo/a.root"])[0].sites == {"SITE_A", "SITE_C"}


@pytest.mark.parametrize("changes", [{"size": 1}, {"adler32": "00000000"}])
def test_a_file_never_changes_and_nothing_of_the_batch_is_kept(store, changes):
    store.register([A], "alice", 1.0)
    other = Located(replace(A.file, **changes), A.replicas)
    with pytest.raises(UserError, match="register it under another name"):
        store.register([B, other], "alice", 2.0)
    assert store.files(["/demo/a.root", "/demo/b.root"]) == (A,)


def test_a_file_of_which_no_copy_is_left_may_be_made_again_by_its_owner_alone(store):
    store.register([A, B], "alice", 1.0)
    other = Located(replace(A.file, size=1), A.replicas)
    for replica in A.replicas:
        store.remove_replica(A.file.lfn, replica.se)
    assert store.held("/demo") == ["/demo/b.root"]
    with pytest.raises(UserError, match="register it under another name"):
        store.register([other], "bob", 2.0)
    store.register([other], "alice", 2.0)
    assert store.files(["/demo/a.root"]) == (other,)


@pytest.mark.parametrize("lfn", ["relative", "/a/../b", "/a\n", "/a b", "", "/"])
def test_a_name_that_is_not_allowed_registers_nothing(store, lfn):
    with pytest.raises(UserError, match="Cannot register a file"):
        store.register([A, a_file(lfn, "SITE_A")], "alice", 1.0)
    assert store.listing("/") == []


def test_a_listing_is_a_directory_and_not_a_prefix_nor_a_pattern(store):
    lfns = ["/demo/a.root", "/demo/sub/b.root", "/demo2/c.root", "/dem_/d.root", "/demo/sub2", "/Demo/e.root"]
    store.register([a_file(lfn, "SITE_A") for lfn in lfns], "alice", 1.0)
    assert store.listing("/demo") == ["/demo/a.root", "/demo/sub/b.root", "/demo/sub2"]
    assert store.listing("/demo/") == store.listing("/demo")
    assert store.listing("/dem_") == ["/dem_/d.root"]
    assert store.listing("/%") == []
    assert len(store.listing("/")) == 6
    assert store.held("/Demo") == ["/Demo/e.root"]


def test_a_dataset_has_its_files_by_name_with_their_copies(store):
    store.register([B, A], "alice", 1.0)
    store.add_dataset("/demo/all", ["/demo/b.root", "/demo/a.root"], "alice", 2.0)
    store.add_dataset("/demo/all", ["/demo/a.root"], "alice", 3.0)
    assert store.dataset("/demo/all").files == (A, B)
    assert store.datasets() == [("/demo/all", 2, 2000)]


def test_a_dataset_that_is_not_there_is_told_with_those_that_are(store):
    with pytest.raises(NotFound, match=r"There is no dataset /demo/none. None is registered yet"):
        store.dataset("/demo/none")
    store.add_dataset("/demo/one", [], "alice", 1.0)
    with pytest.raises(NotFound, match="There are: /demo/one"):
        store.dataset("/demo/none")


def test_only_its_owner_adds_to_a_dataset(store):
    store.register([A, B], "alice", 1.0)
    store.add_dataset("/demo/all", ["/demo/a.root"], "alice", 1.0)
    with pytest.raises(PermissionRefused, match="belongs to alice"):
        store.add_dataset("/demo/all", ["/demo/b.root"], "bob", 2.0)
    assert store.dataset("/demo/all").files == (A,)


def test_a_dataset_takes_only_files_that_are_registered(store):
    store.register([A], "alice", 1.0)
    with pytest.raises(NotFound, match=r"1 file\(s\) are not registered, the first is /demo/b.root"):
        store.add_dataset("/demo/all", ["/demo/a.root", "/demo/b.root"], "alice", 1.0)
    assert store.datasets() == []
    with pytest.raises(UserError, match="Cannot make the dataset"):
        store.add_dataset("no/name", ["/demo/a.root"], "alice", 1.0)


def test_what_a_batch_reads_is_counted_by_site_even_with_two_storage_elements(store):
    twice = Located(A.file, (*A.replicas, replace(A.replicas[0], se="SITE_A_TAPE")))
    store.register([twice, B], "alice", 1.0)
    task = a_task(payload=a_payload(dataset="/demo/all"))
    store.open_task(task, "name: zmumu\nexecutable: a.py\n", "digest", [a_batch("b0", 3, [twice, B])], 0)
    key = (task.id, "b0")
    assert store.inputs([key]) == {key: Inputs(2000, (("SITE_A", 2000), ("SITE_B", 1000)), jobs=3)}
    store.register([a_file("/demo/a.root", "SITE_B")], "alice", 2.0)
    assert store.inputs([key])[key].at_sites == (("SITE_A", 2000), ("SITE_B", 2000))
    store.remove_replica("/demo/b.root", "SITE_A_DISK")
    assert store.inputs([key])[key].at_sites == (("SITE_A", 1000), ("SITE_B", 2000))
    assert store.inputs([("none", "b0")]) == {}


def test_what_a_dataset_holds_is_counted_by_site_and_unknown_ones_are_left_out(store):
    store.register([A, B], "alice", 1.0)
    store.add_dataset("/demo/all", ["/demo/a.root", "/demo/b.root"], "alice", 1.0)
    assert store.dataset_inputs(["/demo/all", "/demo/none"]) == {
        "/demo/all": Inputs(2000, (("SITE_A", 2000), ("SITE_B", 1000)), sets=(("SITE_A",), ("SITE_A", "SITE_B")))
    }


def test_thousands_of_files_are_registered_and_found_at_once(store):
    many = [a_file(f"/demo/f{number}", "SITE_A") for number in range(2000)]
    store.register(many, "alice", 1.0)
    store.register(many, "alice", 1.0)
    assert store.files([located.file.lfn for located in many]) == tuple(many)
