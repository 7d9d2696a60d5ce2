"""Random faults on a real pool where jobs come, run and end: no job is lost, runs twice, or where it may not.

GLIDEROUTE_SOAK_SECONDS says how long (an hour: 3600), GLIDEROUTE_SOAK_SEED which faults; the seed is printed.
"""

import os
import random
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from breakable import Breakable, children
from organisation import until

from router.errors import RouterError
from router.pool.eventlog import EventLog

SECONDS = float(os.environ.get("GLIDEROUTE_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("GLIDEROUTE_SOAK_SEED", str(random.SystemRandom().randrange(10**6))))
pytestmark = [pytest.mark.pool, pytest.mark.slow, pytest.mark.timeout(SECONDS + 1800)]

PAUSE_S = (1.0, 10.0)
"""Between two faults."""
MOST_WAITING = 20
"""Clusters in the queue: more come only when fewer are left."""
FORGOTTEN_S = 300
"""The collector shows a glidein that was killed for a minute or two, and jobs are matched with it in vain meanwhile."""
KILLED_WITHIN = 0.2
"""In this part of the time routers are killed; the one that runs then stays, and its memory is looked at."""
LOOK_EVERY_S = 30.0
GROWS_BY = 1.1
"""More memory than in the second quarter of its time a router may not have in the last one, by this factor."""
JOB = """\
executable = /bin/sleep
arguments = $(Seconds)
should_transfer_files = YES
transfer_executable = false
request_memory = 100
request_disk = 1M
My.RouterDataset = "/test/data"
"""


@dataclass
class Storm:
    """What happens to the pool, and what is known of it."""

    pool: Breakable
    chance: random.Random
    submitted: dict[int, int] = field(default_factory=dict)
    """Jobs by cluster."""
    told: list[str] = field(default_factory=list)
    ends: float = 0.0
    """On the monotonic clock, seconds."""
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Of the router that stays: its age, seconds, and what it has in memory, MB."""
    _born: float = 0.0

    def rages(self) -> None:
        """Users submit, and one fault follows another."""
        self.ends = time.monotonic() + SECONDS
        while (now := time.monotonic()) < self.ends:
            self.submit()
            time.sleep(self.chance.uniform(*PAUSE_S))
            self.fault()
            if self.stays and (not self.memory or now - self._born > self.memory[-1][0] + LOOK_EVERY_S):
                self.look()

    @property
    def stays(self) -> bool:
        """Whether no router is killed any more."""
        return time.monotonic() > self.ends - (1 - KILLED_WITHIN) * SECONDS

    def look(self) -> None:
        """Note what the router has in memory."""
        now = time.monotonic()
        self._born = self._born or now
        self.memory.append((now - self._born, memory_mb(self.router.pid)))

    def submit(self) -> None:
        """A user submits some short jobs, unless many wait; what fails to be submitted is not."""
        if len(waiting(self.pool) or ()) > MOST_WAITING:
            return
        jobs = self.chance.randint(1, 4)
        seconds = [{"Seconds": str(self.chance.randint(0, 5))} for _ in range(jobs)]
        try:
            self.submitted[self.pool.organisation.live.queue("alice").submit(JOB, seconds)] = jobs
        except RouterError as error:
            self.told.append(f"not submitted: {error}")

    def fault(self) -> None:
        """One fault, and its end."""
        chosen = self.chance.choice(self.faults())
        self.told.append(f"{time.strftime('%T')} {chosen.__name__}")
        chosen()

    def faults(self) -> list[Callable[[], None]]:
        """All that may go wrong."""
        every = [
            self.schedd_dies, self.schedd_hangs, self.collector_hangs, self.negotiator_hangs, self.nothing_gets_through,
            self.router_stops, self.child_dies, self.database_is_locked, self.disk_is_full,
            self.glidein_dies, self.site_is_drained,
        ]  # fmt: skip
        return every if self.stays else [*every, self.router_dies]

    def schedd_dies(self) -> None:
        self.pool.restarted("schedd")

    def schedd_hangs(self) -> None:
        self._hangs("schedd")

    def collector_hangs(self) -> None:
        self._hangs("collector")

    def negotiator_hangs(self) -> None:
        self._hangs("negotiator")

    def nothing_gets_through(self) -> None:
        self._hangs("shared_port")

    def router_dies(self) -> None:
        self.router.kill()
        self.router.wait()
        self.pool.router()

    def router_stops(self) -> None:
        with self.pool.frozen(self.router.pid):
            self._wait()

    def child_dies(self) -> None:
        for child in children(self.router.pid):
            os.kill(child, self.chance.choice((signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP)))

    def database_is_locked(self) -> None:
        database = sqlite3.connect(self.pool.organisation.home / "glideroute.db", isolation_level=None, timeout=30)
        try:
            database.execute("BEGIN IMMEDIATE")
            self._wait()
            database.execute("ROLLBACK")
        finally:
            database.close()

    def disk_is_full(self) -> None:
        resource.prlimit(self.router.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        self._wait()
        resource.prlimit(self.router.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def glidein_dies(self) -> None:
        if startds := self.pool.startds():
            os.kill(self.chance.choice(startds).pid, self.chance.choice((signal.SIGKILL, signal.SIGQUIT)))

    def site_is_drained(self) -> None:
        self.pool.operator("drain", "SITE_B")
        self._wait()
        self.pool.operator("resume", "SITE_B")

    @property
    def router(self) -> subprocess.Popen[bytes]:
        """The one that runs."""
        return self.pool.routers[-1]

    def _hangs(self, daemon: str) -> None:
        with self.pool.frozen(self.pool.daemon(daemon)):
            self._wait()

    def _wait(self) -> None:
        time.sleep(self.chance.uniform(1.0, 8.0))


def memory_mb(pid: int) -> float:
    """What a process has in memory."""
    found = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(found.split()[1]) / 1024


def test_random_faults_lose_and_repeat_nothing(pool: Breakable) -> None:
    storm = Storm(pool, random.Random(SEED))  # noqa: S311 - events, not secrets
    sys.stdout.write(f"seed {SEED}, {SECONDS:g} s\n")
    pool.router()
    with pool.factory():
        storm.rages()
        sys.stdout.write("\n".join(storm.told) + "\n")
        try:
            until(lambda: waiting(pool) == set(), FORGOTTEN_S)
        finally:
            sys.stdout.write(left(pool))
        until(lambda: not pool.open(), 30)
        storm.look()
        looks = "".join(f"{age:6.0f} s {has:6.1f} MB\n" for age, has in storm.memory)
        sys.stdout.write(f"{sum(storm.submitted.values())} jobs; memory of the last router:\n{looks}")
    wrong = pool.wrong_in_log()
    sys.stdout.write("\n".join(wrong))
    assert wrong == []
    assert ended(pool) >= {(cluster, proc) for cluster, jobs in storm.submitted.items() for proc in range(jobs)}
    assert grows_by(storm.memory) < GROWS_BY


def grows_by(memory: list[tuple[float, float]]) -> float:
    """What was had in the last quarter of the looks for each that was had in the second quarter, medians.

    A process takes what it needs at first; where there are too few looks to tell, 1.
    """
    quarter = len(memory) // 4
    if quarter < 4:
        return 1.0
    has = [each for _, each in memory]
    return statistics.median(has[-quarter:]) / statistics.median(has[quarter : 2 * quarter])


def waiting(pool: Breakable) -> set[int] | None:
    """The clusters in the queue; None while it cannot be read."""
    try:
        return {group.cluster for group in pool.groups()}
    except RouterError:
        return None


def left(pool: Breakable) -> str:
    """What is in the queue, which glideins the collector knows, and what factory and HTCondor said last."""
    machine = ("Name", "State", "NumDynamicSlots", "GLIDEIN_ClusterId", "GLIDEIN_ProcId", "LastHeardFrom")
    found = [*pool.groups(), *pool.organisation.live.queue("factory").ads("Startd", "true", machine)]
    logs = [pool.organisation.settings.pool_home / "log" / f"{name}Log" for name in ("Negotiator", "Match", "Sched")]
    told = [f"{log}:\n{log.read_text(errors='replace')[-6000:]}" for log in logs if log.exists()]
    return "\n".join([*map(str, found), (pool.organisation.home / "factory.log").read_text()[-2000:], *told, ""])


def ended(pool: Breakable) -> set[tuple[int, int]]:
    """All jobs that the schedd says it has seen the end of."""
    log = EventLog(pool.organisation.settings.pool_home / "log" / "EventLog")
    return {(event.like.cluster, event.proc) for event in log.read("").events if event.kind == "finished"}
