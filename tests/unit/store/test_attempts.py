"""What runs had done is remembered as it was last noted: of these runs, and of no other."""

from dataclasses import replace

from router.model.attempt import Activity
from router.store.store import Store

ONE = Activity(1, 0, 1_700_000_000, 1_700_003_600, 12.5, 30)


def test_the_last_look_replaces_the_one_before(store: Store):
    other = replace(ONE, proc=1)
    store.note_activities([ONE, other])
    store.note_activities([newer := replace(ONE, told=ONE.told + 900, cpu_s=0.1 + 0.2)])
    assert store.activities() == {ONE.key: newer}
    store.note_activities([])
    assert store.activities() == {}


def test_nothing_is_written_where_nothing_changed(store: Store, monkeypatch):
    store.note_activities([ONE])
    monkeypatch.setattr(store.database, "write", None)
    store.note_activities([ONE])
