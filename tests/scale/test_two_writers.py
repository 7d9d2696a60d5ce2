"""Two processes that write into one database file at once."""

from pathlib import Path

from writers import EACH, WRITERS, write_at_once

from router.store import schema
from router.store.store import Store
from router.testing.build import a_batch, a_task


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path):
    url = schema.sqlite_url(tmp_path / "glideroute.db")
    write_at_once(url)
    store = Store(url)
    store.open_task(a_task(), "name: zmumu\nexecutable: analyse.py\n", "digest", [a_batch()], 0)
    assert len(store.listing("/demo")) == WRITERS * EACH + 1
    assert len(store.ended("zmumu-1")) == WRITERS * EACH
    store.close()
