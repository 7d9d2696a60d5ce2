"""HTCondor's own condor_job_router, editing jobs in place, as the peer of what the product does.

It runs as a daemon of the bench's pool, and only while it is measured. Traps: one that is not root's takes only jobs of
its own user's, and acts as their owner, so that protected attributes are closed to it; `Requirements = …` in a route of
the new syntax makes the route vanish; a route takes 100 jobs unless told otherwise.
"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from benchmarks.bare import Bare
from benchmarks.schedd import BenchPool
from router.errors import RouterError

FRAGMENT = """\
# The peer: a route that gives clusters the sites that the product's decisions give them.
DAEMON_LIST = $(DAEMON_LIST) JOB_ROUTER
JOB_ROUTER = $(LIBEXEC)/condor_job_router
# It edits as the jobs' owner.
PROTECTED_JOB_ATTRS =
JOB_ROUTER_POLLING_PERIOD = 1
SCHEDD_JOB_QUEUE_LOG_FLUSH_DELAY = 1
JOB_ROUTER_MAX_JOBS = -1
JOB_ROUTER_ROUTE_NAMES = Bench
JOB_ROUTER_ROUTE_Bench @=route
   NAME Bench
   UNIVERSE vanilla
   EditJobInPlace = true
   MaxJobs = 10000000
   MaxIdleJobs = 10000000
   REQUIREMENTS BenchTurn isnt undefined && DESIRED_Sites isnt strcat("SITE_", ClusterId % {sets}, "_", BenchTurn)
   EVALSET DESIRED_Sites strcat("SITE_", ClusterId % {sets}, "_", BenchTurn)
@route
"""

PATIENCE_S = 120.0
LOOK_S = 0.02
SLOWEST = 50
"""Jobs a second; slower than that, something is wrong."""


class JobRouter:
    """The job router of a pool, given the first `jobs` jobs of the queue."""

    def __init__(self, bench: BenchPool, bare: Bare, jobs: int) -> None:
        """Stop the daemon, which the pool started, until it is needed."""
        self._bench, self._bare = bench, bare
        self._log = bench.pool.home / "log" / "JobRouterLog"
        self._wanted, self.jobs = self._first(jobs)
        self.latency = 0.0
        """Seconds from its start to the first job edited, at the last turn."""
        self._exits = 0
        self._stop()

    def move(self, turn: int) -> float:
        """Let it move its jobs; returns the seconds a job takes, from the first that was seen moved to the last."""
        self._bare.edit(self._wanted, "BenchTurn", str(turn))
        with (self._bench.pool.home / "spool" / "job_queue.log").open("rb") as log:
            moved = _Moved(log, f"_{turn}")
            start = time.perf_counter()
            self._tell("condor_on", "-daemon", "JOB_ROUTER")
            begun, first = self._until(lambda count: count > 0, moved)
            ended, last = self._until(lambda count: count >= self.jobs, moved)
        self._stop()
        self.latency = begun - start
        return (ended - begun) / (last - first) if last > first else self.latency / last

    def _first(self, jobs: int) -> tuple[str, int]:
        """The whole clusters, from the first on, that have `jobs` jobs or a few more; and how many they have."""
        total, last = 0, 0
        for group in sorted(self._bench.router.jobs(), key=lambda group: group.cluster):
            if total >= jobs:
                break
            total, last = total + group.count, group.cluster
        return f"ClusterId <= {last}", total

    def _until(self, enough: Callable[[int], bool], moved: "_Moved") -> tuple[float, int]:
        """When enough jobs have moved, and how many have then."""
        end = time.perf_counter() + PATIENCE_S + self.jobs / SLOWEST
        while time.perf_counter() < end:
            if enough(count := moved.count()):
                return time.perf_counter(), count
            time.sleep(LOOK_S)
        raise RouterError(f"condor_job_router does not move the jobs it was given; {self._log} may tell why.")

    def _stop(self) -> None:
        self._exits += 1
        self._tell("condor_off", "-daemon", "JOB_ROUTER")
        end = time.perf_counter() + PATIENCE_S
        while _exits(self._log) < self._exits:
            if time.perf_counter() > end:
                raise RouterError(f"condor_job_router does not end when told to; {self._log} may tell why.")
            time.sleep(0.1)

    def _tell(self, *command: str) -> None:
        environment = self._bench.environment("admin")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RouterError(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")


class _Moved:
    """Counts the jobs that have got sites of a turn, in the schedd's own log: asking the schedd would slow it down."""

    def __init__(self, log: BinaryIO, ending: str) -> None:
        log.seek(0, os.SEEK_END)
        self._log, self._ending = log, f'{ending}"'.encode()
        self._rest, self._count = b"", 0

    def count(self) -> int:
        """How many there are by now."""
        *lines, self._rest = (self._rest + self._log.read()).split(b"\n")
        self._count += sum(b" DESIRED_Sites " in line and line.rstrip().endswith(self._ending) for line in lines)
        return self._count


def _exits(log: Path) -> int:
    return log.read_text(errors="replace").count("EXITING WITH STATUS") if log.exists() else 0
