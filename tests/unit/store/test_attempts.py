"""What runs had done is remembered as it was last noted: of these runs, and of no other."""

from dataclasses import replace

from router.model.attempt import Activity
from router.store.store import Store

ONE = Activity(1, 0, 1_700_000_000, 1_700_003_600, 12.5, 30)


def test_the_last_look_replaces_the_one_before(store: Store):
    other = replace(ONE, proc=1)
    store.note_activities([ONE, other], 5.0)
    store.note_activities([newer := replace(ONE, told=ONE.told + 900, cpu_s=0.1 + 0.2)], 6.5)
    assert store.activities() == {ONE.key: newer}
    assert store.last_look() == 6.5
    store.note_activities([], 7.0)
    assert store.activities() == {}


def test_before_the_first_look_nothing_is_known(store: Store):
    assert (store.activities(), store.last_look()) == ({}, 0.0)
