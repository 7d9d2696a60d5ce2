"""What a policy would change is said in words, and the accountant is told no more than that."""

import pytest
from fair_shares import a_group, groups

from router.decide.share_diff import differences, submitter_changes, told
from router.model.shares import Draining, Person, Preemption, SharePolicy, SubmitterSetting

BEFORE = groups(a_group("a", 50), a_group("a.x", 20), limits=(("tape", 5.0),))
DRAINS = SharePolicy(draining=Draining(4.0, 2, 5))
PREEMPTS = SharePolicy(preemption=Preemption(True, "x > 1"))


@pytest.mark.parametrize(
    ("runs", "wanted", "words"),
    [
        (BEFORE, groups(a_group("a", 60), a_group("a.x", 20), limits=(("tape", 5.0),)),
         "group a: quota 50 % becomes 60 % of the pool"),
        (BEFORE, groups(a_group("a", 50), a_group("a.x", cores=9), limits=(("tape", 5.0),)),
         "group a.x: quota 20 % becomes 9 cores"),
        (BEFORE, groups(a_group("a", 50), a_group("a.x", 20, surplus=True), limits=(("tape", 5.0),)),
         "group a.x may use what others leave"),
        (BEFORE, groups(a_group("a", 50, factor=9), a_group("a.x", 20), limits=(("tape", 5.0),)),
         "group a: priority factor the default becomes 9"),
        (BEFORE, groups(a_group("A", 50), limits=(("TAPE", 5.0),)),
         "group a.x goes (20 % of a); jobs that name it count to the group above"),
        (BEFORE, groups(*BEFORE.groups, limits=(("tape", 6.0),)), "limit tape: 5 becomes 6 jobs"),
        (BEFORE, groups(*BEFORE.groups), "limit tape goes"),
        (SharePolicy(), SharePolicy(half_life_s=3600), "half-life: 86,400 s becomes 3,600 s"),
        (SharePolicy(), SharePolicy(default_factor=2), "default priority factor: 1000 becomes 2"),
        (SharePolicy(), SharePolicy(slot_weight="Memory"), "a slot counts as Memory, now as Cpus"),
        (SharePolicy(), SharePolicy(order="GroupQuota"), "groups are served by GroupQuota, now by need"),
        (SharePolicy(), SharePolicy(default_limit=3), "limits not listed: none becomes 3"),
        (SharePolicy(), DRAINS, "draining: 4 machines an hour, 2 at once, up to 5 whole, now none"),
        (SharePolicy(), PREEMPTS, "running jobs may be ended for others"),
        (PREEMPTS, SharePolicy(), "no running job is ended for another any more"),
        (PREEMPTS, SharePolicy(preemption=Preemption(True, "x > 2")),
         "preemption: when x > 2 (rank none), now when x > 1"),
    ],
)  # fmt: skip
def test_a_difference_is_said_in_words(runs: SharePolicy, wanted: SharePolicy, words: str) -> None:
    assert differences(runs, wanted) == (words,)


def test_a_policy_differs_in_nothing_from_itself() -> None:
    assert differences(BEFORE, BEFORE) == ()


def test_a_stored_factor_outlives_the_configuration_so_each_known_user_is_set() -> None:
    policy = groups(a_group("a", 50, factor=3000, members=("eve",)), people=(Person("eve", floor=2),))
    holds = {
        "a.eve@vo": SubmitterSetting("a.eve@vo", 1000.0),
        "a.old@vo": SubmitterSetting("a.old@vo", 1000.0, ceiling=5),
        "zoe@vo": SubmitterSetting("zoe@vo", 1000.0),
    }
    assert submitter_changes(policy, holds, "vo") == (
        ("a.eve@vo", "factor", 3000.0),
        ("a.eve@vo", "floor", 2.0),
        ("a.old@vo", "factor", 3000.0),
        ("a.old@vo", "ceiling", -1.0),
    )


def test_a_change_of_a_submitter_is_said_in_words() -> None:
    assert told(("a.eve@vo", "factor", 3000.0)) == "submitter a.eve@vo: factor becomes 3000"
    assert told(("a.eve@vo", "ceiling", -1.0)) == "submitter a.eve@vo: no ceiling any more"
