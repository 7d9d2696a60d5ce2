"""How fast the router sees the whole queue: groups that the schedd adds up, against reading it job by job."""

from benchmarks.measure import Figures, arguments, in_turns, positive, progress, taken, tell
from benchmarks.schedd import fill, running
from router.model.action import Place
from router.model.job import Decision
from router.pool import ads

ROUNDS = 6


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("observe", __doc__)
    parser.add_argument("--jobs", type=positive, default=20_000, help="idle jobs in the queue")
    parser.add_argument("--clusters", type=positive, help="clusters they are in (one for each 100 jobs)")
    given = parser.parse_args(argv)
    clusters = min(given.clusters or max(1, given.jobs // 100), given.jobs)
    tell(measure(given.jobs, clusters), "Observing the queue", given.json)
    return 0


def measure(jobs: int, clusters: int) -> Figures:
    """Observe a queue of `jobs` placed jobs in `clusters` clusters."""
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
            seconds = in_turns(sides, ROUNDS)
    return {
        "jobs": jobs,
        "clusters": clusters,
        "groups": len(groups),
        "seconds": seconds["product"],
        "jobs_per_s": jobs / seconds["product"],
        "raw_seconds": seconds["raw"],
        "raw_jobs_per_s": jobs / seconds["raw"],
        "ratio": seconds["raw"] / seconds["product"],
    }


def _placed(cluster: int, count: int) -> Place:
    site = f"SITE_{cluster % 50}"
    made = Decision(1, 0, (site,), (), "placed", f"placed at {site}: it holds the input", 1)
    return Place(cluster, "fill", "", count, None, made)
