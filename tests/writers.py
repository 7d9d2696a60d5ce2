"""Processes that write into one database at once."""

import multiprocessing

from router.store.store import Store
from router.testing.build import a_file, a_place, an_ended_job

WRITERS, EACH = 2, 10


def write_many(url: str, who: int) -> None:
    """What another process does to the database."""
    store = Store(url)
    for number in range(EACH):
        store.register([a_file(f"/demo/{who}-{number}", "SITE_A"), a_file("/demo/shared", "SITE_A")], "alice", 1.0)
        store.record_ended([an_ended_job(cluster=who, proc=number)])
        store.settle(store.note(a_place(who), 1.0), "applied")
    store.close()


def write_at_once(url: str) -> None:
    """Let them write, and wait until all have done so without a fault."""
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_many, args=(url, who)) for who in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
