"""The catalogue becomes as a data service tells, and keeps what it told while it tells nothing."""

from dataclasses import replace

from router.model.data_service import ServiceAnswer
from router.model.entry import ReplicaState
from router.model.rights import Members
from router.store.namespace import Namespace
from router.testing.build import a_file, some_lumis
from router.testing.clock import FakeClock


def told(*files, lumis=None):
    return ServiceAnswer("books", "/gamma/d", files, lumis or {})


def sites(store, lfn="/gamma/a"):
    return sorted(each.site for located in store.files([lfn]) for each in located.replicas)


def test_files_copies_and_the_dataset_become_as_the_last_answer_says(store):
    store.mirror(told(a_file("/gamma/a", "SITE_A"), a_file("/gamma/b", "SITE_A")), 1.0)
    store.mirror(told(a_file("/gamma/a", "SITE_B"), a_file("/gamma/c")), 2.0)
    assert [each.file.lfn for each in store.dataset("/gamma/d").files] == ["/gamma/a", "/gamma/c"]
    assert sites(store) == ["SITE_B"]
    assert store.answered()["/gamma/d"].files == 2


def test_a_service_that_gives_no_answer_changes_nothing(store):
    store.mirror(told(a_file("/gamma/a", "SITE_A")), 1.0)
    store.note_unanswered("books", "/gamma/d", "it is down", 5.0)
    assert sites(store) == ["SITE_A"]
    known = store.answered(["/gamma/d"])["/gamma/d"]
    assert (known.answered, known.asked, known.words, known.files) == (1.0, 5.0, "it is down", 1)


def test_luminosity_sections_are_those_of_the_last_answer(store):
    store.mirror(told(a_file("/gamma/a"), lumis={"/gamma/a": some_lumis()}), 1.0)
    store.mirror(told(a_file("/gamma/a"), lumis={"/gamma/a": some_lumis((2, 1, 5))}), 2.0)
    assert store.lumis(["/gamma/a"])["/gamma/a"].ranges == ((2, 1, 5),)


def test_a_copy_that_somebody_said_to_be_bad_stays_bad_while_it_is_told_of(store):
    store.mirror(told(a_file("/gamma/a", "SITE_A")), 1.0)
    admin = Namespace(store.database, Members(frozenset({"root"})), "root", FakeClock().now)
    admin.set_state("/gamma/a", "SITE_A_DISK", ReplicaState.BAD)
    store.mirror(told(a_file("/gamma/a", "SITE_A")), 2.0)
    assert sites(store) == []


def test_a_file_is_known_by_the_dataset_that_a_service_told_of(store):
    store.register([a_file("/demo/a", "SITE_A")], "alice", 1.0)
    store.add_dataset("/demo/d", ["/demo/a"], "alice", 1.0)
    store.mirror(told(a_file("/gamma/a")), 1.0)
    assert store.mirrored_dataset("/gamma/a") == "/gamma/d"
    assert store.mirrored_dataset("/demo/a") is None


def test_everybody_reads_what_a_service_tells(store):
    store.mirror(told(a_file("/gamma/sub/a", "SITE_A")), 1.0)
    bob = store.as_user("bob", FakeClock())
    assert bob.below("/gamma") == ["/gamma/sub/a"]
    assert [name for name, *_ in bob.datasets()] == ["/gamma/d"]
    assert str(bob.stat("/gamma/d").rights) == "rw-r--r-- - -"


def test_the_same_answer_again_costs_little_and_is_known_to_be_fresh(store):
    answer = replace(told(a_file("/gamma/a", "SITE_A")), digest="d" * 64)
    assert store.mirror(answer, 1.0)
    assert not store.mirror(answer, 5.0)
    assert store.answered()["/gamma/d"].answered == 5.0
    assert store.answered()["/gamma/d"].files == 1


def test_the_same_answer_brings_back_a_file_that_was_removed_here(store):
    answer = replace(told(a_file("/gamma/a", "SITE_A")), digest="d" * 64)
    store.mirror(answer, 1.0)
    admin = Namespace(store.database, Members(frozenset({"root"})), "root", FakeClock().now)
    admin.remove(["/gamma/a"])
    assert store.mirror(answer, 5.0)
    assert sites(store) == ["SITE_A"]
