"""How fast jobs get new sites: the product's way, one raw edit of all jobs, and HTCondor's own job router."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bare import Bare
from benchmarks.job_router import FRAGMENT, JobRouter
from benchmarks.measure import Figures, arguments, in_turns, positive, progress, taken, tell
from benchmarks.schedd import BenchPool, fill, running
from router.errors import RouterError
from router.loops.route import Route
from router.loops.runner import SystemClock
from router.model.action import Place
from router.model.job import Decision, JobGroup
from router.model.policy import BrokerPolicy
from router.packages.taskdir import TaskDirectory
from router.store.store import Store

ROUNDS = 5
JOB_ROUTER_JOBS = 4_000
"""Jobs that the job router is given of a longer queue: its rate does not grow with them, the wait for it does."""


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("apply", __doc__)
    parser.add_argument("--jobs", type=positive, default=20_000, help="idle jobs in the queue")
    parser.add_argument("--batches", type=positive, default=200, help="clusters they are in")
    parser.add_argument("--sets", type=positive, help="different sets of sites they are given (one for each batch)")
    given = parser.parse_args(argv)
    batches = min(given.jobs, given.batches)
    tell(measure(given.jobs, batches, min(batches, given.sets or batches)), "Giving jobs their sites", given.json)
    return 0


def measure(jobs: int, batches: int, sets: int) -> Figures:
    """Move `jobs` jobs in `batches` clusters to `sets` different sets of sites."""
    with running(FRAGMENT.format(sets=sets)) as bench:
        fill(bench, jobs, batches)
        store = Store(f"sqlite:///{bench.home}/store.db")
        try:
            with bench.bare("router") as bare:
                return {
                    "jobs": jobs,
                    "batches": batches,
                    "sets": sets,
                    **_figures(_Sides(bench, store, bare, sets), jobs),
                }
        finally:
            store.close()


@dataclass
class _Sides:
    bench: BenchPool
    store: Store
    bare: Bare
    sets: int
    turns: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    calls: list[int] = field(default_factory=list)

    def product(self) -> float:
        """The seconds of a pass that moves every job, as the route loop does it: noted, applied, settled."""
        turn = next(self.turns)
        actions = [move(group, turn, self.sets) for group in self.bench.router.jobs()]
        route = Route(
            self.bench.router,
            self.store,
            lambda task: TaskDirectory(Path(task.directory)),
            (),
            BrokerPolicy(),
            SystemClock(),
        )
        before = self.bench.queue.calls
        seconds = taken(lambda: refuse_less(route.apply(actions), len(actions)))
        self.calls.append(self.bench.queue.calls - before)
        return seconds

    def raw(self) -> float:
        """The seconds of one edit of all jobs."""
        return self.bare.edit("JobUniverse == 5", "BenchValue", str(next(self.turns)))


def _figures(sides: _Sides, jobs: int) -> Figures:
    job_router = JobRouter(sides.bench, sides.bare, min(jobs, JOB_ROUTER_JOBS))
    progress("moving jobs: the product, one raw edit, condor_job_router, and back")
    seconds = in_turns(
        {"product": sides.product, "raw": sides.raw, "router": lambda: job_router.move(next(sides.turns))}, ROUNDS
    )
    rate, peer = jobs / seconds["product"], 1 / seconds["router"]
    return {
        "seconds": seconds["product"],
        "jobs_per_s": rate,
        "schedd_calls": max(sides.calls),
        "raw_seconds": seconds["raw"],
        "raw_jobs_per_s": jobs / seconds["raw"],
        "ratio_to_raw": seconds["raw"] / seconds["product"],
        "job_router_jobs": job_router.jobs,
        "job_router_jobs_per_s": peer,
        "job_router_latency_s": job_router.latency,
        "ratio_to_job_router": rate / peer,
    }


def move(group: JobGroup, turn: int, sets: int) -> Place:
    """The decision that gives a cluster one of the turn's `sets` different sets of sites."""
    sites = (f"SITE_{group.cluster % sets}_{turn}",)
    epoch, words = turn, f"moved to {sites[0]}: the sites they had do badly"
    made = Decision(epoch, epoch - 1, sites, group.sites or (), "bench", words, 1_800_000_000 + turn)
    return Place(group.cluster, group.task, group.batch, group.count, group.sites, made)


def refuse_less(applied: Sequence[object], wanted: int) -> None:
    """Raise RouterError where a pass did not do what was decided."""
    if len(applied) != wanted:
        raise RouterError(f"Only {len(applied)} of {wanted} decisions were applied, so there is nothing to compare.")
