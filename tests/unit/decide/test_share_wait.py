"""What waiting jobs can expect, and whose doing the wait is."""

import pytest
from fair_shares import a_group, groups

from router.decide.share_wait import outlook
from router.model.shares import SharePolicy, ShareState

RUN_S = 3600


def a_user(name: str, used: float = 0, waiting: float = 0, priority: float = 0.5) -> ShareState:
    """What the accountant says of a submitter."""
    return ShareState(f"{name}@vo", "", False, used=used, waiting=waiting, priority=priority * 1000, factor=1000)


def test_jobs_beside_free_cores_start_at_once() -> None:
    found = outlook(SharePolicy(), [a_user("eve", waiting=10)], 20, "eve", RUN_S)
    assert found is not None
    assert (found.half_s, found.last_s, found.by_quota, found.by_others) == (0, 0, 0, 0)


def test_who_has_nothing_waiting_has_no_outlook() -> None:
    assert outlook(SharePolicy(), [a_user("eve", used=3)], 20, "eve", RUN_S) is None
    assert outlook(SharePolicy(), [], 20, "eve", RUN_S) is None


def test_a_quota_that_holds_jobs_back_is_named() -> None:
    policy = groups(a_group("a", cores=10))
    found = outlook(policy, [a_user("a.eve", waiting=60)], 100, "a.eve", RUN_S)
    assert found is not None
    assert found.last_s == pytest.approx(5 * RUN_S, rel=0.15)
    assert found.by_quota == pytest.approx(1)
    assert str(found).endswith("of the wait, 100% the group's quota")


def test_others_with_the_same_right_are_named() -> None:
    users = [a_user("eve", waiting=200), a_user("bob", used=100, waiting=2000, priority=0.5)]
    found = outlook(SharePolicy(), users, 100, "eve", RUN_S)
    assert found is not None
    assert found.last_s > 2 * RUN_S
    assert found.by_others > 0.3
    assert found.by_quota == 0


def test_what_lies_beyond_the_horizon_is_said_to() -> None:
    policy = groups(a_group("a", cores=1))
    found = outlook(policy, [a_user("a.eve", waiting=500)], 100, "a.eve", RUN_S)
    assert found is not None
    assert found.beyond
    assert "the last of 500 waiting cores starts in more than 24.0 hours" in str(found)
