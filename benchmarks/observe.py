"""How fast the router sees the queue: all of it, against reading job by job; and what changed, against all of it."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks.measure import Figures, arguments, in_turns, positive, progress, taken, tell
from benchmarks.schedd import BenchPool, fill, running, submitter
from router.decide.follow import SLACK_S
from router.loops.observe import Declared
from router.loops.route import Route
from router.loops.runner import SystemClock
from router.model.action import Place
from router.model.job import Decision, JobGroup
from router.model.pilot import Entry
from router.model.policy import BrokerPolicy
from router.packages.taskdir import TaskDirectory
from router.pool import ads
from router.pool.eventlog import EventLog
from router.store.store import Store

ROUNDS = 6
SITES = 50
CHANGED = 0.01
"""Share of the jobs that change between two passes."""


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("observe", __doc__)
    parser.add_argument("--jobs", type=positive, default=20_000, help="idle jobs in the queue")
    parser.add_argument("--clusters", type=positive, help="clusters they are in (one for each 100 jobs)")
    parser.add_argument("--rounds", type=positive, default=ROUNDS, help="how often each is measured")
    given = parser.parse_args(argv)
    clusters = min(given.clusters or max(1, given.jobs // 100), given.jobs)
    tell(measure(given.jobs, clusters, given.rounds), "Observing the queue", given.json)
    return 0


def measure(jobs: int, clusters: int, rounds: int = ROUNDS) -> Figures:
    """Observe a queue of `jobs` placed jobs in `clusters` clusters, `rounds` times in each way."""
    with running() as bench:
        fill(bench, jobs, clusters)
        pool = bench.router
        pool.place_all([_placed(group.cluster, group.count) for group in pool.jobs()])
        groups = pool.jobs()
        progress("observing")
        with bench.bare("router") as bare:
            sides = {
                "product": lambda: taken(pool.jobs),
                "raw": lambda: bare.query("JobUniverse == 5", ads.JOB),
            }
            seconds = in_turns(sides, rounds)
        passes = _passes(bench, _spread(groups, max(1, round(jobs * CHANGED))), jobs, rounds)
    return {
        "jobs": jobs,
        "clusters": clusters,
        "groups": len(groups),
        "seconds": seconds["product"],
        "jobs_per_s": jobs / seconds["product"],
        "raw_seconds": seconds["raw"],
        "raw_jobs_per_s": jobs / seconds["raw"],
        "ratio": seconds["raw"] / seconds["product"],
        **passes,
    }


def _passes(bench: BenchPool, some: Sequence[str], jobs: int, rounds: int) -> Figures:
    """Whole passes of the route loop, and passes after `some` jobs were held or released."""
    progress(f"passes over all, and after {len(some)} changed")
    log, store = bench.pool.home / "log" / "EventLog", Store(f"sqlite:///{bench.home / 'bench.db'}")
    sources = (bench.router, store, lambda _: TaskDirectory(bench.home), _sites())
    route = Route(*sources, BrokerPolicy(), SystemClock(), events=EventLog(log))
    with bench.bare(submitter()) as owner:
        sides = {"full": _full(route), "incremental": _incremental(route, partial(owner.act, jobs=some), log)}
        seconds = in_turns(sides, rounds)
    store.close()
    return {
        "changed_fraction": len(some) / jobs,
        "full_seconds": seconds["full"],
        "incremental_seconds": seconds["incremental"],
        "incremental_ratio": seconds["incremental"] / seconds["full"],
        "passes_without_a_query": route.watch.looks["events"],
    }


def _spread(groups: Sequence[JobGroup], count: int) -> list[str]:
    """Ids of `count` jobs, as far apart in the queue as can be."""
    ids = [f"{group.cluster}.{proc}" for group in groups for proc in range(group.count)]
    return ids[:: max(1, len(ids) // count)][:count]


def _full(route: Route) -> Callable[[], float]:
    def side() -> float:
        route.look_anew()
        return taken(route.step)

    return side


def _incremental(route: Route, act: Callable[[str], float], log: Path) -> Callable[[], float]:
    """A pass when jobs have just been held, and the next time released."""
    turns = cycle(("Hold", "Release"))

    def side() -> float:
        time.sleep(2 * SLACK_S)  # what happens close to a look is asked for
        before = log.stat().st_size
        act(next(turns))
        _quiet(log, before)
        return taken(route.step)

    return side


def _quiet(log: Path, before: int) -> None:
    """Wait until the schedd has written what happened."""
    size = before
    while size == before or log.stat().st_size != size:
        size = log.stat().st_size
        time.sleep(0.5)


def _sites() -> list[Declared]:
    """Sites with room for all that waits, so that every job stays where it is."""
    sizes = {"cpus": 8, "memory_mb": 16_384, "disk_mb": 102_400, "max_glideins": 1000}
    return [Declared(f"SITE_{n}", (Entry(f"e{n}", f"SITE_{n}", **sizes),)) for n in range(SITES)]


def _placed(cluster: int, count: int) -> Place:
    site = f"SITE_{cluster % SITES}"
    made = Decision(1, 0, (site,), (), "placed", f"placed at {site}: it holds the input", int(time.time()))
    return Place(cluster, "fill", "", count, None, made)
