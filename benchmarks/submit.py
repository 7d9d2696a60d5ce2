"""How fast a task is injected, its job descriptions written and all, against submitting the same jobs bare."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bare import Bare
from benchmarks.measure import Figures, arguments, in_turns, positive, progress, taken, tell
from benchmarks.schedd import CALL_S, BenchPool, a_task, cut, injections, running, submitter
from router.api import Router
from router.loops.runner import SystemClock
from router.model.action import Choice
from router.model.answer import Plan, PlannedBatch
from router.model.policy import BrokerPolicy
from router.model.task import Shape
from router.packages.taskdir import TaskDirectory
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.queue import Queue
from router.store.store import Store

ROUNDS = 8


def main(argv: list[str]) -> int:
    """Run the bench with these command line arguments; returns the exit code."""
    parser = arguments("submit", __doc__)
    parser.add_argument("--jobs", type=positive, default=20_000, help="jobs that each side submits, in equal tasks")
    parser.add_argument("--batches", type=positive, default=5, help="clusters of each task")
    given = parser.parse_args(argv)
    tell(measure(given.jobs, given.batches), "Submitting", given.json)
    return 0


def measure(jobs: int, batches: int) -> Figures:
    """Submit `jobs` jobs a side, as tasks of `batches` clusters."""
    size = max(1, jobs // ROUNDS)
    with running() as bench:
        owner = submitter()
        store = Store(f"sqlite:///{bench.home}/store.db")
        queue = Queue(Channel(bench.pool.env(owner), owner), CALL_S, CALL_S)
        try:
            with bench.bare(owner) as bare:
                sides = _Sides(bench, _router(bench, store, queue), bare, size, min(batches, size))
                progress(f"submitting tasks of {size} jobs")
                seconds = in_turns({"product": sides.product, "raw": sides.raw}, ROUNDS)
        finally:
            queue.close()
            store.close()
    return {
        "jobs": size * ROUNDS,
        "jobs_per_task": size,
        "batches_per_task": min(batches, size),
        "seconds": seconds["product"],
        "jobs_per_s": size / seconds["product"],
        "raw_seconds": seconds["raw"],
        "raw_jobs_per_s": size / seconds["raw"],
        "ratio_to_raw": seconds["raw"] / seconds["product"],
    }


@dataclass
class _Sides:
    bench: BenchPool
    router: Router
    bare: Bare
    jobs: int
    batches: int
    turns: Iterator[int] = field(default_factory=itertools.count)

    def product(self) -> float:
        """The seconds of the product's own submission of a plan."""
        folder = self.bench.home / f"user{next(self.turns)}"
        folder.mkdir()
        task = a_task(self.bench.home, folder.name + "-like")
        (folder / task.payload.executable).write_text("print('hello')\n")
        planned = [PlannedBatch(batch, Shape(), Choice(()), ()) for batch in cut(task, self.jobs, self.batches)]
        plan = Plan(task.payload, f"name: {folder.name}\nexecutable: analyse.py\n", None, tuple(planned))
        return taken(lambda: self.router.submit(plan, folder))

    def raw(self) -> float:
        """The seconds of the bindings alone, for what the product would submit, rendered before."""
        task = a_task(self.bench.home, f"bare{next(self.turns)}")
        return self.bare.submit(injections(task, cut(task, self.jobs, self.batches)))


def _router(bench: BenchPool, store: Store, queue: Queue) -> Router:
    return Router(
        pool=CondorPool(queue),
        memory=store,
        user=submitter(),
        sites=(),
        storage={},
        policy=BrokerPolicy(),
        task_home=bench.home / "tasks",
        directory=lambda path: TaskDirectory(Path(path)),
        clock=SystemClock(),
    )
