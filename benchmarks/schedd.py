"""The pool that the speed benches measure on: a real HTCondor of their own, without any glidein, gone at the end."""

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bare import Bare
from benchmarks.measure import progress
from router.embedded.pool import EmbeddedPool
from router.model.payload import Payload, Requests
from router.model.task import Batch, Chunk, Task
from router.pool.channel import Channel
from router.pool.condor import CondorPool
from router.pool.queue import Queue
from router.ports import Edit
from router.render import jdl
from router.resources import folder

ROOMY = """\
# A bench fills the queue further than one user may.
MAX_JOBS_PER_OWNER = 10000000
MAX_JOBS_PER_SUBMISSION = 10000000
MAX_JOBS_SUBMITTED = 10000000
"""

CALL_S = 600.0
"""A deadline that no call meets: a bench measures how long they take."""


class CountingQueue(Queue):
    """A queue that counts the calls the schedd gets."""

    calls = 0

    def _read(self, operation: str, **arguments: Any) -> Any:
        self.calls += 1
        return super()._read(operation, **arguments)

    def _write(self, operation: str, **arguments: Any) -> Any:
        self.calls += 1
        return super()._write(operation, **arguments)

    def edit_jobs(self, edits: Sequence[Edit]) -> list[bool]:
        """Edit; each of `edits` is a call of its own to the schedd."""
        self.calls += len(edits) - 1
        return super().edit_jobs(edits)


@dataclass
class BenchPool:
    """A running pool, and who can be in it."""

    pool: EmbeddedPool
    home: Path
    queue: CountingQueue
    """As the router."""

    @property
    def router(self) -> CondorPool:
        """The pool as the router."""
        return CondorPool(self.queue)

    def bare(self, identity: str) -> Bare:
        """The bindings alone, as `identity`."""
        return Bare(self.pool.env(identity))

    def environment(self, identity: str) -> Mapping[str, str]:
        """For HTCondor's programs, as `identity`."""
        return {**os.environ, **self.pool.env(identity)}


@contextmanager
def running(fragment: str = "") -> Iterator[BenchPool]:
    """A pool with the production configuration and `fragment`, brought down whatever happens."""
    home = Path(tempfile.mkdtemp(prefix="glideroute-bench-"))
    pool = EmbeddedPool(home / "pool", folder("schedd_config"), progress=progress)
    queue: CountingQueue | None = None
    try:
        settings = home / "pool" / "config.d"
        settings.mkdir(parents=True)
        (settings / "bench.config").write_text(ROOMY + fragment)
        pool.up()
        queue = CountingQueue(Channel(pool.env("router"), "router"), CALL_S, CALL_S)
        yield BenchPool(pool, home, queue)
    finally:
        if queue is not None:
            queue.close()
        pool.down()
        shutil.rmtree(home, ignore_errors=True)


def submitter() -> str:
    """Whose jobs a job router that is not root's takes: its own user's. Root's pools run as nobody."""
    return "nobody" if os.geteuid() == 0 else getpass.getuser()


def cut(task: Task, jobs: int, batches: int) -> tuple[Batch, ...]:
    """`jobs` jobs of a task in `batches` batches of the same size, or one more."""
    size, more = divmod(jobs, batches)
    sizes = [size + (number < more) for number in range(batches)]
    names = iter(range(jobs))
    return tuple(
        Batch(f"b{number}", tuple(Chunk(f"{next(names):07d}") for _ in range(each)))
        for number, each in enumerate(sizes)
        if each
    )


def a_task(home: Path, name: str) -> Task:
    """A task as users submit it; its jobs never run, so that it needs no files but a place for logs."""
    directory = home / name
    (directory / "logs").mkdir(parents=True)
    payload = Payload("bench", "analyse.py", dataset="/bench/data", group="bench", requests=Requests())
    return Task(name, submitter(), payload, str(directory), 0.0)


def injections(task: Task, batches: Sequence[Batch]) -> list[tuple[str, list[dict[str, str]]]]:
    """What is submitted for the batches: a description and the items of each cluster."""
    rendered = [jdl.batch_injection(task, batch) for batch in batches]
    return [(each.text, [dict(item) for item in each.items]) for each in rendered]


def fill(bench: BenchPool, jobs: int, batches: int) -> None:
    """Put idle jobs into the queue."""
    progress(f"submitting {jobs} jobs in {batches} clusters")
    task = a_task(bench.home, "fill")
    with bench.bare(task.owner) as bare:
        bare.submit(injections(task, cut(task, jobs, batches)))
