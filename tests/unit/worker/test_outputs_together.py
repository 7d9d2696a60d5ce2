"""The outputs of a job get their places together, when all of them are verified."""

import pytest

TWO = [
    {"name": "hist.root", "lfn": "/user/alice/zmumu-3f9c2a/hist_0003.root"},
    {"name": "log.txt", "lfn": "/user/alice/zmumu-3f9c2a/log_0003.txt"},
]


def stored(sandbox) -> list[str]:
    """What lies at the site's storage."""
    return sorted(path.name for path in sandbox.storage("SITE_A").rglob("*") if path.is_file())


@pytest.fixture
def two(sandbox):
    sandbox.describe(outputs=TWO)
    sandbox.payload("echo a > hist.root; echo b > log.txt")
    return sandbox


def test_all_are_in_place_when_all_are_verified(two):
    ended = two.run()
    assert (ended.code, stored(two)) == (0, ["hist_0003.root", "log_0003.txt"])
    assert [each["name"] for each in ended.report["outputs"]] == ["hist.root", "log.txt"]


def test_none_is_in_place_when_one_of_them_cannot_be_written(two):
    (two.storage("SITE_A") / "user/alice/zmumu-3f9c2a").mkdir(parents=True)
    (two.storage("SITE_A") / "user/alice/zmumu-3f9c2a/taken").write_text("")
    two.describe(outputs=[TWO[0], {"name": "log.txt", "lfn": "/user/alice/zmumu-3f9c2a/taken/log.txt"}])
    ended = two.run()
    assert (ended.code, ended.report["cause"], ended.report["outputs"]) == (74, "stage_out_failed", [])
    assert stored(two) == ["taken"]


def test_a_place_that_is_not_the_tasks_keeps_its_file_and_nothing_else_is_left(two):
    two.describe(outputs=[TWO[0], {"name": "log.txt", "lfn": "/demo/log.txt"}])
    (two.storage("SITE_A") / "demo").mkdir(parents=True)
    (two.storage("SITE_A") / "demo/log.txt").write_text("another's")
    ended = two.run()
    assert (ended.code, stored(two)) == (74, ["log.txt"])
    assert (two.storage("SITE_A") / "demo/log.txt").read_text() == "another's"
    assert "another file has this name" in ended.report["message"]
