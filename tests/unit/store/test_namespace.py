"""The namespace: homes, links, new names, what is removed and restored, quotas, closed datasets, the changes."""

from dataclasses import replace

import pytest

from router.errors import NotFound, PermissionRefused, RouterError, UserError
from router.model.entry import Kind, ReplicaState
from router.model.files import Located
from router.model.query_grammar import parse
from router.model.rights import Members
from router.services.queries import refuse_full
from router.store.namespace import Namespace
from router.store.store import Store
from router.testing.build import a_file
from router.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def alice(store: Store, clock: FakeClock) -> Namespace:
    return store.as_user("alice", clock)


@pytest.fixture
def bob(store: Store, clock: FakeClock) -> Namespace:
    return store.as_user("bob", clock)


@pytest.fixture
def root(store: Store, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Namespace:
    """An administrator; higgs is a group of alice's and bob's."""
    groups = {"higgs": frozenset({"alice", "bob"})}
    monkeypatch.setattr(store, "members", Members(frozenset({"root"}), groups))
    return store.as_user("root", clock)


def names_in(catalogue: Namespace, directory: str) -> list[str]:
    return [each.name for each in catalogue.entries(directory)]


def test_everybody_has_a_home_and_nobody_makes_one_for_another(alice, bob):
    alice.register([a_file("/user/alice/t/a", "SITE_A")])
    assert alice.stat("/user/alice").rights.owner == "alice"
    with pytest.raises(PermissionRefused, match="may not change /user: its rights are rwxr-xr-x"):
        bob.make_directory("/user/carol")
    with pytest.raises(PermissionRefused, match="may not change /user/alice"):
        bob.register([a_file("/user/alice/b", "SITE_A")])
    bob.make_directory("/user/bob")
    assert names_in(bob, "/user") == ["/user/alice", "/user/bob"]


def test_a_name_that_only_begins_like_ones_home_is_not_in_it(store):
    al = store.as_user("al", FakeClock())
    al.make_directory("/user/al")
    with pytest.raises(PermissionRefused):
        al.make_directory("/user/alice")
    with pytest.raises(PermissionRefused):
        al.register([a_file("/user/alice/x", "SITE_A")])


def test_with_an_administrator_only_they_make_directories_at_the_top(store, root):
    alice = store.as_user("alice", FakeClock())
    with pytest.raises(PermissionRefused):
        alice.make_directory("/data")
    root.make_directory("/data")
    root.set_owner(["/data"], "alice", "higgs")
    root.set_mode(["/data"], 0o2770 & 0o1777)
    alice.register([a_file("/data/a", "SITE_A")])
    assert store.as_user("bob", FakeClock()).stat("/data/a").rights.group == "higgs"
    with pytest.raises(PermissionRefused):
        store.as_user("carol", FakeClock()).stat("/data/a")


def test_a_stranger_is_told_the_same_of_what_is_there_and_what_is_not(alice, bob):
    alice.register([a_file("/user/alice/secret/a", "SITE_A")])
    alice.set_mode(["/user/alice/secret"], 0o700)
    told = set()
    for name in ("/user/alice/secret/a", "/user/alice/secret/none"):
        for call in (bob.stat, bob.copies, bob.entries, lambda each: bob.files([each]), bob.described, bob.dataset):
            with pytest.raises(PermissionRefused) as caught:
                call(name)
            told.add(str(caught.value))
    assert len(told) == 1
    assert bob.find(parse("name like '*secret*'")) == []
    assert bob.below("/user/alice") == []


def test_a_file_that_may_not_be_read_is_no_input(alice, bob):
    alice.register([a_file("/user/alice/a", "SITE_A"), a_file("/user/alice/b", "SITE_A")])
    alice.add_dataset("/user/alice/all", ["/user/alice/a", "/user/alice/b"])
    assert len(bob.dataset("/user/alice/all").files) == 2
    alice.set_mode(["/user/alice/b"], 0o600)
    with pytest.raises(PermissionRefused, match="bob may not read /user/alice/b: its rights are rw------- alice"):
        bob.dataset("/user/alice/all")
    alice.set_mode(["/user/alice/all"], 0o600)
    assert bob.datasets() == []
    with pytest.raises(PermissionRefused):
        bob.add_dataset("/user/bob/mine", ["/user/alice/b"])


def test_links_are_followed_and_circles_are_told(alice):
    alice.register([a_file("/data/2026/a", "SITE_A")])
    alice.link("/data/2026", "/data/newest")
    alice.link("/data/newest/a", "/data/one")
    assert [each.file.lfn for each in alice.files(["/data/newest/a", "/data/one"])] == ["/data/2026/a"] * 2
    assert alice.stat("/data/one", follow=False).target == "/data/newest/a"
    assert names_in(alice, "/data/newest") == ["/data/2026/a"]
    assert alice.find(parse("/data/newest//: size > 1")) == ["/data/2026/a"]
    alice.register([a_file("/data/newest/b", "SITE_A")])
    assert names_in(alice, "/data/2026") == ["/data/2026/a", "/data/2026/b"]
    alice.link("/data/x", "/data/y")
    alice.link("/data/y", "/data/x")
    for name in ("/data/x", "/data/y/deep"):
        with pytest.raises(UserError, match="more than 8 links"):
            alice.stat(name)
    alice.remove(["/data/newest"])
    assert alice.stat("/data/2026/a").kind is Kind.FILE


def test_a_guid_stays_when_a_file_is_renamed_and_all_that_is_said_goes_with_it(store, alice):
    alice.register([a_file("/data/a", "SITE_A"), a_file("/data/sub/b", "SITE_B")])
    alice.add_dataset("/data/sub/set", ["/data/a", "/data/sub/b"])
    alice.describe({"/data/sub/b": {"run": 5}, "/data/sub": {"tier": "AOD"}, "/data/sub/set": {"year": 2011}})
    guid = alice.stat("/data/sub/b").guid
    assert alice.move("/data/sub", "/data/moved") == "/data/moved"
    assert alice.move("/data/a", "/data/moved") == "/data/moved/a"
    assert alice.stat("/data/moved/b").guid == guid
    assert [each.replica.pfn for each in alice.copies("/data/moved/b")] == [
        a_file("/data/sub/b", "SITE_B").replicas[0].pfn
    ]
    assert alice.find(parse("/data/moved/set: run = 5 and tier = 'AOD' and year = 2011")) == ["/data/moved/b"]
    with pytest.raises(NotFound):
        alice.stat("/data/sub/b")
    for new in ("/data/moved/deep", "/data/moved"):
        with pytest.raises(UserError, match=r"cannot be moved into itself|is a directory already"):
            alice.move("/data/moved", new)


def test_what_is_removed_is_restored_with_all_that_was_said_of_it(alice, bob):
    alice.register([a_file("/data/a", "SITE_A")])
    alice.add_dataset("/data/set", ["/data/a"])
    alice.describe({"/data/a": {"good": True}})
    guid = alice.stat("/data/a").guid
    assert alice.remove(["/data/a"], dry_run=True) == ["/data/a"]
    assert alice.stat("/data/a").guid == guid
    alice.remove(["/data/a"])
    assert alice.files(["/data/a"]) == ()
    assert alice.dataset("/data/set").files == ()
    assert [each.guid for each in alice.removed()] == [guid]
    assert bob.removed() == []
    with pytest.raises(NotFound, match="No removed file of yours"):
        bob.restore("/data/a")
    assert alice.restore(guid) == "/data/a"
    assert alice.dataset("/data/set").files == (a_file("/data/a", "SITE_A"),)
    assert (alice.stat("/data/a").guid, alice.described("/data/a")) == (guid, {"good": (True, "/data/a")})
    assert alice.removed() == []


def test_a_name_that_was_taken_meanwhile_is_not_overwritten_by_a_restored_file(alice):
    alice.register([a_file("/data/a", "SITE_A")])
    alice.remove(["/data/a"])
    alice.register([a_file("/data/a", "SITE_B", size=7)])
    with pytest.raises(UserError, match="/data/a is a file already"):
        alice.restore("/data/a")
    assert alice.stat("/data/a").size == 7


def test_a_directory_is_removed_only_when_it_is_asked_and_only_whole(alice, bob):
    alice.register([a_file("/data/a", "SITE_A"), a_file("/data/sub/b", "SITE_A"), a_file("/data2/c", "SITE_A")])
    with pytest.raises(UserError, match="--recursive"):
        alice.remove(["/data"])
    alice.set_mode(["/data/sub"], 0o777)
    bob.make_directory("/data/sub/bobs")
    bob.register([a_file("/data/sub/bobs/d", "SITE_A")])
    with pytest.raises(PermissionRefused, match="Nothing was removed"):
        alice.remove(["/data"], recursive=True)
    assert len(alice.below("/")) == 4
    bob.remove(["/data/sub/bobs"], recursive=True)
    assert alice.remove(["/data"], recursive=True) == ["/data", "/data/a", "/data/sub", "/data/sub/b"]
    assert alice.below("/") == ["/data2/c"]


def test_a_closed_dataset_never_changes(alice, bob):
    alice.register([a_file("/data/a", "SITE_A"), a_file("/data/b", "SITE_A")])
    alice.add_dataset("/data/set", ["/data/a"])
    with pytest.raises(PermissionRefused):
        bob.close_dataset("/data/set")
    alice.close_dataset("/data/set")
    with pytest.raises(UserError, match="is closed"):
        alice.add_dataset("/data/set", ["/data/b"])
    for name in ("/data/a", "/data"):
        with pytest.raises(UserError, match="closed dataset /data/set"):
            alice.remove([name], recursive=True)
    assert alice.datasets() == [("/data/set", 1, 1000, True)]


def test_only_available_copies_are_read(store, alice, bob):
    alice.register([a_file("/data/a", "SITE_A", "SITE_B")])
    with pytest.raises(PermissionRefused):
        bob.set_state("/data/a", "SITE_A_DISK", ReplicaState.BAD)
    alice.set_state("/data/a", "SITE_A_DISK", ReplicaState.BAD)
    assert store.files(["/data/a"])[0].sites == {"SITE_B"}
    assert [str(each.state) for each in alice.copies("/data/a")] == ["bad", "available"]
    alice.forget_copy("/data/a", "SITE_B_DISK")
    assert store.held("/data") == []
    with pytest.raises(UserError, match="has no copy at SITE_C_DISK"):
        alice.forget_copy("/data/a", "SITE_C_DISK")


def test_nobody_owns_more_than_their_quota(store, root):
    bob = store.as_user("bob", FakeClock())
    with pytest.raises(PermissionRefused, match="Only an administrator"):
        bob.set_quota("bob", 0, 0)
    root.set_quota("bob", 1500, 2)
    bob.register([a_file("/user/bob/a", "SITE_A")])
    with pytest.raises(UserError, match="quota is 1,500 bytes, and there would be 2,000"):
        bob.register([a_file("/user/bob/b", "SITE_A")])
    with pytest.raises(UserError, match=r"quota is 2 file\(s\), and there would be 3"):
        bob.register([a_file(f"/user/bob/{n}", "SITE_A", size=1) for n in "bc"])
    (mine,) = bob.quotas()
    assert (mine.used_bytes, mine.used_files, mine.bytes, mine.files) == (1000, 1, 1500, 2)
    bob.remove(["/user/bob/a"])
    bob.register([a_file("/user/bob/b", "SITE_A")])
    with pytest.raises(UserError, match="quota"):
        bob.restore("/user/bob/a")


def test_what_jobs_have_made_is_registered_over_the_quota_and_the_next_submission_refused(store, root):
    bob = store.as_user("bob", FakeClock())
    root.set_quota("bob", 0, 1)
    refuse_full(bob, "bob")
    store.register([a_file(f"/user/bob/t/{n}", "SITE_A") for n in "ab"], "bob", 1.0)
    with pytest.raises(UserError, match=r"2 with 2,000 bytes, and your quota is full"):
        refuse_full(bob, "bob")
    refuse_full(root, "root")


def test_a_dataset_that_shares_its_name_with_a_directory_is_removed_alone(alice, bob):
    alice.register([a_file("/data/set/a", "SITE_A")])
    alice.add_dataset("/data/set", ["/data/set/a"])
    with pytest.raises(PermissionRefused):
        bob.remove_dataset("/data/set")
    with pytest.raises(NotFound):
        alice.remove_dataset("/data/none")
    alice.remove_dataset("/data/set")
    assert [(each.name, each.kind) for each in alice.entries("/data")] == [("/data/set", Kind.DIRECTORY)]


def test_a_file_and_a_dataset_never_share_a_name(alice):
    alice.register([a_file("/data/x", "SITE_A")])
    with pytest.raises(UserError, match="is a file already"):
        alice.add_dataset("/data/x", [])
    alice.add_dataset("/data/y", [])
    with pytest.raises(UserError, match="is a dataset already"):
        alice.register([a_file("/data/y", "SITE_A")])


def test_owners_and_groups_are_given_by_who_may(store, root):
    alice, carol = (store.as_user(name, FakeClock()) for name in ("alice", "carol"))
    alice.register([a_file("/user/alice/a", "SITE_A")])
    alice.set_owner(["/user/alice/a"], None, "higgs")
    for who, owner, group in ((alice, "bob", None), (alice, None, "cms"), (carol, None, "")):
        with pytest.raises(PermissionRefused):
            who.set_owner(["/user/alice/a"], owner, group)
    assert root.set_owner(["/user/alice"], "bob", None, recursive=True) == 2
    assert root.stat("/user/alice/a").rights.owner == "bob"
    with pytest.raises(PermissionRefused, match="only its owner"):
        alice.set_mode(["/user/alice/a"], 0o666)


def test_each_change_is_written_down_once(alice, bob, clock):
    alice.register([a_file(f"/data/{n}", "SITE_A") for n in "abc"])
    clock.pass_time(60)
    alice.move("/data/a", "/data/z")
    alice.set_mode(["/data/z"], 0o600)
    with pytest.raises(RouterError):
        bob.remove(["/data/z"])
    told = [(each.user, each.what, each.name, each.count, each.detail) for each in alice.changes("/data")]
    assert told == [
        ("alice", "chmod", "/data/z", 1, "600"),
        ("alice", "mv", "/data/z", 1, "/data/a"),
        ("alice", "register", "/data/", 3, ""),
        ("alice", "mkdir", "/data", 1, ""),
    ]
    assert alice.changes("/data/z")[0].at == clock.now()


@pytest.mark.parametrize(
    "name",
    ["/a/../b", "//a", "/a//b", "/a%2Fb", "/a\\b", "/a\x00b", "/a\nb", "/-rf", "/~", "/a/./b", "/" + "a" * 4096, "a",
     "/e\u0301", "/\u00e9", "/a b", "", "/a/..", "/.hidden", "/" + "a" * 256],
)  # fmt: skip
def test_a_name_has_one_form_or_is_refused_by_every_call(alice, name):
    calls = [alice.stat, alice.entries, alice.below, alice.make_directory, alice.restore, alice.dataset, alice.copies]
    for call in calls:
        with pytest.raises(UserError):
            call(name)
    with pytest.raises(UserError):
        alice.move("/a", name)
    with pytest.raises(UserError):
        alice.link(name, "/ok")
    with pytest.raises(UserError):
        alice.register([Located(replace(a_file("/ok").file, lfn=name))])
    assert alice.entries("/") == []


def test_a_directory_and_its_name_with_a_stroke_are_one(alice):
    alice.make_directory("/data/")
    assert alice.stat("/data/").name == alice.stat("/data").name == "/data"
    assert alice.stat("/").name == "/"
