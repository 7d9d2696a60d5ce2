"""The catalogue gives a name one meaning, a user no more than the rights, and a file no bytes but its own."""

import zlib
from pathlib import Path

import pytest

from router.errors import PermissionRefused, RouterError, UserError
from router.model import names
from router.model.files import File, Located, Replica, StorageElement
from router.model.rights import canonical
from router.store.namespace import Namespace
from router.store.store import Store
from router.testing.build import a_file
from router.testing.clock import FakeClock
from router.transfer.fetch import fetch
from router.transfer.put import put, replica_at

CLOCK = FakeClock()


@pytest.fixture
def store():
    made = Store("sqlite://")
    yield made
    made.close()


@pytest.fixture
def mallory(store: Store) -> Namespace:
    """An ordinary user, beside alice's files."""
    store.register([a_file("/user/alice/a", "SITE_A"), a_file("/data/b", "SITE_A")], "alice", 1.0)
    return store.as_user("mallory", CLOCK)


HOSTILE = [
    *("/store/../../etc", "//etc", "/a//b", "/a%2Fb", "/a\\b", "/a\x00", "/a\nb", "/-rf", "/~root", "/" + "a" * 4096),
    *("/e\u0301", "/\u212a", "/$(touch x)", "/;id", "/a b", "/'", '/"', "/*", "/?", "/a/.", "/..", "/.x", "-rf"),
]


@pytest.mark.attack("A39", "A44")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_before_anything_is_looked_up(name: str) -> None:
    for check in (names.lfn, canonical):
        with pytest.raises(ValueError, match=r".+"):
            check(name)


@pytest.mark.attack("A39")
def test_no_two_names_have_one_physical_name() -> None:
    element = StorageElement("SE", "SITE_A", "file:///srv/se")
    told = ["/a/b", "/a/b+c", "/a/b@c", "/a/b=c", "/A/b", "/a/b.c", "/a/b_c"]
    assert len({element.pfn(names.lfn(name)) for name in told}) == len(told)
    assert all(element.pfn(name).startswith("file:///srv/se/") for name in told)


@pytest.mark.attack("A40")
def test_a_name_that_begins_like_ones_own_is_anothers(store: Store, mallory: Namespace) -> None:
    al = store.as_user("al", CLOCK)
    for call in (
        lambda: al.register([a_file("/user/alice/x", "SITE_A")]),
        lambda: al.make_directory("/user/alice/x"),
        lambda: al.remove(["/user/alice/a"]),
        lambda: al.move("/user/alice", "/user/al"),
        lambda: al.set_mode(["/user/alice/a"], 0o777),
    ):
        with pytest.raises(RouterError):
            call()
    al.register([a_file("/user/al/x", "SITE_A")])
    assert al.remove(["/user/al/x"]) == ["/user/al/x"]
    assert store.listing("/user/alice") == ["/user/alice/a"]


@pytest.mark.attack("A45")
def test_nothing_is_removed_by_pattern_or_outside_ones_own(store: Store, mallory: Namespace) -> None:
    for name in ("/*", "/user/alice/*", "/user/%", "/user/_lice/a"):
        with pytest.raises(UserError):
            mallory.remove([name])
    for name in ("/user/alice/a", "/user/alice", "/data", "/data/b", "/"):
        with pytest.raises((PermissionRefused, UserError)):
            mallory.remove([name], recursive=True)
    mallory.make_directory("/mine")
    mallory.link("/user/alice", "/mine/out")
    assert mallory.remove(["/mine"], recursive=True) == ["/mine", "/mine/out"]
    assert len(store.listing("/")) == 2


@pytest.mark.attack("A45")
def test_a_call_that_names_one_file_too_many_removes_none(store: Store, mallory: Namespace) -> None:
    mallory.register([a_file("/user/mallory/x", "SITE_A")])
    with pytest.raises(PermissionRefused):
        mallory.remove(["/user/mallory/x", "/user/alice/a"])
    assert mallory.stat("/user/mallory/x").name == "/user/mallory/x"


@pytest.mark.attack("A45", "A40")
def test_a_link_of_ones_own_gives_no_right_to_where_it_leads(store: Store, mallory: Namespace) -> None:
    store.as_user("alice", CLOCK).set_mode(["/user/alice"], 0o700)
    mallory.link("/user/alice", "/user-of-alice")
    for call in (mallory.stat, mallory.entries, mallory.copies, lambda name: mallory.files([name])):
        with pytest.raises(PermissionRefused):
            call("/user-of-alice/a")
    with pytest.raises(PermissionRefused):
        mallory.register([a_file("/user-of-alice/x", "SITE_A")])


@pytest.mark.attack("A43")
def test_a_copy_of_other_bytes_is_never_given(tmp_path: Path) -> None:
    good = b"0123456789"
    file = File("/a", len(good), f"{zlib.adler32(good):08x}")
    for number, wrong in enumerate((b"012345678", b"0123456780", b"", good + b"0")):
        place = tmp_path / f"copy{number}"
        place.write_bytes(wrong)
        with pytest.raises(RouterError):
            fetch(Located(file, (Replica("SE", "A", f"file://{place}"),)), tmp_path / "got")
        assert not (tmp_path / "got").exists()


@pytest.mark.attack("A43", "A44")
def test_what_is_put_takes_the_place_of_nothing_and_follows_no_link(tmp_path: Path) -> None:
    element = StorageElement("SE", "SITE_A", f"file://{tmp_path / 'se'}")
    source, secret = tmp_path / "source", tmp_path / "secret"
    source.write_bytes(b"new")
    secret.write_bytes(b"old")
    file = File("/d/x", 3, f"{zlib.adler32(b'new'):08x}")
    (tmp_path / "se/d").mkdir(parents=True)
    (tmp_path / "se/d/x").symlink_to(secret)
    with pytest.raises(UserError, match="holds something else"):
        put(source, file, replica_at(element, file.lfn))
    assert secret.read_bytes() == b"old"
    assert [each.name for each in (tmp_path / "se/d").iterdir()] == ["x"]
