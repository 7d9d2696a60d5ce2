"""The luminosity sections that the catalogue remembers of files."""

import pytest

from router.errors import NotFound, UserError
from router.testing.build import a_file, some_lumis


def test_sections_of_files_are_remembered_and_said_anew(store):
    store.register([a_file("/a"), a_file("/b"), a_file("/c")], "alice", 1.0)
    store.set_lumis({"/a": some_lumis((1, 1, 5)), "/b": some_lumis((1, 6, 9), (2, 1, 1))}, "alice")
    store.set_lumis({"/a": some_lumis((1, 1, 4))}, "alice")
    assert store.lumis(["/a", "/b", "/c", "/d"]) == {
        "/a": some_lumis((1, 1, 4)),
        "/b": some_lumis((1, 6, 9), (2, 1, 1)),
    }


def test_only_its_owner_says_what_a_file_holds_and_of_all_or_none(store):
    store.register([a_file("/a")], "alice", 1.0)
    store.register([a_file("/b")], "bob", 1.0)
    with pytest.raises(UserError, match="/b is not yours: bob owns it"):
        store.set_lumis({"/a": some_lumis(), "/b": some_lumis()}, "alice")
    with pytest.raises(NotFound, match="There is no file /d"):
        store.set_lumis({"/a": some_lumis(), "/d": some_lumis()}, "alice")
    assert store.lumis(["/a", "/b"]) == {}
