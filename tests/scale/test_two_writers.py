"""Two processes that write into one database file at once."""

import multiprocessing
from multiprocessing.synchronize import Barrier
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


def open_at_once(urls: list[str], ready: Barrier) -> None:
    """Open one new database after the other, when all others do."""
    for url in urls:
        ready.wait(60)
        Store(url).close()


def test_processes_that_open_a_new_database_at_once_all_can(tmp_path: Path):
    urls = [schema.sqlite_url(tmp_path / f"{number}.db") for number in range(30)]
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(4)
    opening = [spawn.Process(target=open_at_once, args=(urls, ready)) for _ in range(4)]
    for each in opening:
        each.start()
    for each in opening:
        each.join(60)
    assert [each.exitcode for each in opening] == [0] * 4
