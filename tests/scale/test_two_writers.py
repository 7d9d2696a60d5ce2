"""Two processes that write into one database file at once."""

import multiprocessing
from pathlib import Path

from router.store import schema
from router.store.store import Store
from router.testing.build import a_batch, a_file, a_place, a_task, an_ended_job

WRITERS, EACH = 2, 10


def write_many(url: str, who: int) -> None:
    """What another process does to the database."""
    store = Store(url)
    for number in range(EACH):
        store.register([a_file(f"/demo/{who}-{number}", "SITE_A"), a_file("/demo/shared", "SITE_A")], "alice", 1.0)
        store.record_ended([an_ended_job(cluster=who, proc=number)])
        store.settle(store.note(a_place(who), 1.0), "applied")
    store.close()


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path):
    url = schema.sqlite_url(tmp_path / "glideroute.db")
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_many, args=(url, who)) for who in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = Store(url)
    store.open_task(a_task(), "name: zmumu\nexecutable: analyse.py\n", "digest", [a_batch()], 0)
    assert len(store.listing("/demo")) == WRITERS * EACH + 1
    assert len(store.ended("zmumu-1")) == WRITERS * EACH
    store.close()
