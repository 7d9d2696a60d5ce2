"""Tries at copies, added up."""

from router.model.fetch import Fetch, FetchFailure, Served, alike, served


def a_fetch(number: int = 0, se: str = "A", cause: str = "", at: int = 1000, owner: str = "alice") -> Fetch:
    return Fetch(7, 0, 1, number, owner, at, "/x", se, cause, f"it is {cause}" if cause else "")


def test_tries_are_added_up_by_storage_element_owner_and_time():
    tries = [
        a_fetch(),
        a_fetch(cause="down"),
        a_fetch(at=1499),
        a_fetch(at=1500),
        a_fetch(owner="bob", cause="missing"),
    ]
    found = served(tries, {"A"})
    assert [(each, each.bucket) for each in found] == [
        (Served("A", "alice", 1, 1), 900),
        (Served("A", "alice", 1, 0), 1200),
        (Served("A", "alice", 1, 0), 1500),
        (Served("A", "bob", 0, 1), 900),
    ]


def test_storage_elements_that_nobody_declares_do_not_count():
    assert served([a_fetch(se="MADE_UP")], {"A"}) == ()


def test_what_is_the_nodes_fault_is_not_held_against_a_storage_element():
    assert served([a_fetch(cause="node"), a_fetch(cause="unsupported")], {"A"}) == ()


def test_what_failed_alike_is_told_once_the_most_frequent_first():
    tries = [a_fetch(cause="down", at=5), a_fetch(cause="missing", at=9), a_fetch(cause="missing", at=7)]
    assert alike(tries) == (
        FetchFailure("A", "missing", "it is missing", 2, 9),
        FetchFailure("A", "down", "it is down", 1, 5),
    )
