"""How fast the catalogue takes files, and finds a few among many by their metadata."""

import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import Figures, arguments, positive, progress, taken, tell
from router.loops.runner import SystemClock
from router.model.files import File, Located, Replica
from router.model.query_grammar import parse
from router.store.namespace import Namespace
from router.store.schema import sqlite_url
from router.store.store import Store

OWNER, STRANGER, AT = "vo", "alice", 1_700_000_000.0
BATCH = 100_000
"""Files that are registered at once."""
A_RUN, A_DIRECTORY, TIERS = 100, 1_000, ("AOD", "RAW", "MINI")
"""Files of a run and of a directory; the tier is said of directories, which take it in turns."""

QUERIES = {
    "one_run": "/cms//: run = 200005",
    "runs_of_a_tier": "/cms//: run >= 200000 and run < 200020 and tier = 'AOD'",
    "inherited": "/cms//: part = 3 and good = false",
    "some_of_several": "run in (200001, 200002) or (run = 200003 and not tier = 'RAW')",
    "in_a_dataset": "/cms/even: run = 200008 and good = true",
    "the_last_runs": None,
}
"""Each finds at most some thousand files."""

WALK = "/cms//: size > 3999000000 and tier != 'RAW'"
"""Finds few files, too, but no condition that an index knows is rare."""


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("catalogue", __doc__)
    parser.add_argument("--files", type=positive, default=1_000_000, help="files in the catalogue")
    parser.add_argument("--rounds", type=positive, default=5, help="how often each query is asked")
    parser.add_argument("--url", help="an empty PostgreSQL database; without it SQLite in a file of its own")
    given = parser.parse_args(argv)
    tell(measure(given.files, given.rounds, given.url), "The catalogue", given.json)
    return 0


def measure(count: int, rounds: int, url: str | None = None) -> Figures:
    """Register `count` files and ask each query `rounds` times as a stranger, within the rights; the slowest query's
    median counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue.db"
        store = Store(url or sqlite_url(path))
        try:
            registered = _fill(store, count)
            size = _settled(store) if url else path.stat().st_size
            stranger = store.as_user(STRANGER, SystemClock())
            walked = taken(lambda: stranger.find(parse(WALK)))
            asked = {name: _ask(stranger, query or _last(count), rounds) for name, query in QUERIES.items()}
        finally:
            store.close()
    return {
        "files": count,
        "register_100k_s": statistics.median(seconds for seconds, _ in registered),
        "describe_100k_s": statistics.median(seconds for _, seconds in registered),
        "query_ms": max(ms for ms, _ in asked.values()),
        "query_first_ms": max(ms for _, ms in asked.values()),
        "walk_s": walked,
        "database_mb": size / 1e6,
        "queries_ms": {name: ms for name, (ms, _) in asked.items()},
    }


def _settled(store: Store) -> int:
    """Bring the server's statistics up to date, as it does by itself within minutes; the database's bytes."""
    with store.database.write() as connection:
        connection.execute(text("ANALYZE"))
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _fill(store: Store, count: int) -> list[tuple[float, float]]:
    """Register files with two copies each and say of each its run and whether it is good; seconds of 100,000."""
    found = []
    for start in range(0, count, BATCH):
        several = list(_files(start, min(count, start + BATCH)))
        progress(f"registering {len(several):,} files after {start:,}")
        lfns = [each.file.lfn for each in several]
        seconds = taken(lambda given=several: store.register(given, OWNER, AT))
        said = {lfn: {"run": 200_000 + n // A_RUN, "good": n % 10 > 0} for n, lfn in enumerate(lfns, start)}
        described = taken(lambda given=said: store.describe(given, OWNER))
        store.add_dataset("/cms/even", lfns[::2], OWNER, AT)
        found.append((seconds * BATCH / len(several), described * BATCH / len(several)))
    directories = range(-(-count // A_DIRECTORY))
    store.describe({_directory(n): {"tier": TIERS[n % len(TIERS)], "part": n} for n in directories}, OWNER)
    return found


def _directory(number: int) -> str:
    return f"/cms/data/part{number:05d}"


def _files(first: int, end: int) -> Iterator[Located]:
    chance = random.Random(first)  # noqa: S311 - made-up files, no secrets
    for number in range(first, end):
        lfn = f"{_directory(number // A_DIRECTORY)}/file_{number:07d}.root"
        sites = chance.sample(range(50), 2)
        copies = tuple(Replica(f"DISK_{n:02d}", f"SITE_{n:02d}", f"root://se{n:02d}.example.org/{lfn}") for n in sites)
        yield Located(File(lfn, chance.randrange(10**9, 4 * 10**9), f"{number:08x}", 10_000), copies)


def _last(count: int) -> str:
    return f"/cms//: run >= {200_000 + (count - 1) // A_RUN - 9} and tier in ('AOD', 'RAW', 'MINI')"


def _ask(catalogue: Namespace, query: str, rounds: int) -> tuple[float, float]:
    """The median and the first milliseconds of a query, reading it included."""
    found = [1000 * taken(lambda: catalogue.find(parse(query))) for _ in range(rounds + 1)]
    return statistics.median(found[1:]), found[0]
