"""A real pool whose daemons can be stopped and killed, routers that can, and what must hold of both afterwards."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from job_history import violations
from organisation import Organisation, until

from router.embedded import processes, state
from router.errors import TemporaryError
from router.model.job import JobGroup, JobState
from router.pool.eventlog import EventLog
from router.wiring import store

JOB = 'executable = /bin/true\nMy.RouterDataset = "/test/data"\nrequest_memory = 100\nbatch_name = faults\n'
RECOVERY_S = 30.0
"""After the end of any fault all must be well again within this time."""


@dataclass
class Breakable:
    """The organisation, and the processes that a test stopped or started."""

    organisation: Organisation
    stopped: set[int] = field(default_factory=set)
    routers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    # Breaking

    def daemon(self, name: str) -> int:
        """The process id of one of HTCondor's daemons."""
        found = state.load(self.organisation.settings.pool_home)
        assert found is not None and found.holder is not None
        for process in processes.descendants(found.holder):
            if program(process.pid) == f"condor_{name}"[:15]:  # the kernel keeps no more of it
                return process.pid
        raise AssertionError(f"no {name} runs")

    @contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        """Stop a process for the length of the block."""
        os.kill(pid, signal.SIGSTOP)
        self.stopped.add(pid)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
            self.stopped.discard(pid)

    @contextmanager
    def slowed(self, pid: int, stopped_s: float, runs_s: float) -> Iterator[None]:
        """Let a process run only now and then for the length of the block."""
        over = threading.Event()

        def hold_up() -> None:
            while not over.is_set():
                with self.frozen(pid):
                    over.wait(stopped_s)
                over.wait(runs_s)

        thread = threading.Thread(target=hold_up)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def settings(self, **router: str) -> Iterator[None]:
        """Other settings of the routers that are started in the block."""
        file = self.organisation.home / "glideroute.yaml"
        before = file.read_text()
        values = json.loads(before)
        file.write_text(json.dumps({**values, "router": {**values["router"], **router}}))
        try:
            yield
        finally:
            file.write_text(before)

    def restarted(self, name: str) -> None:
        """Kill a daemon, and wait until condor_master has started it again."""
        old = self.daemon(name)
        os.kill(old, signal.SIGKILL)
        self.another(name, old)

    def another(self, name: str, old: int) -> None:
        """Wait until condor_master has started a daemon in the place of one that ends."""

        def is_there() -> bool:
            try:
                return self.daemon(name) != old
            except AssertionError:
                return False

        until(is_there, 60)

    # Routers

    def router(self, *wrapper: str) -> subprocess.Popen[bytes]:
        """A router that runs until the test ends."""
        self.address.unlink(missing_ok=True)
        command = [*wrapper, sys.executable, "-m", "router.cli.main", "router", "run"]
        log = (self.organisation.home / f"router{len(self.routers)}.log").open("wb")
        with log:
            made = subprocess.Popen(command, env=self.organisation.environment("router"), stderr=log)
        self.routers.append(made)
        until(self.address.exists, 120)  # a machine that is busy takes its time
        return made

    @property
    def address(self) -> Path:
        return self.organisation.home / "run" / "router.address"

    @contextmanager
    def factory(self) -> Iterator[subprocess.Popen[bytes]]:
        """A factory; its glideins end with the block."""
        command = [sys.executable, "-m", "router.cli.main", "factory", "run"]
        with (self.organisation.home / "factory.log").open("wb") as log:
            running = subprocess.Popen(command, env=self.organisation.environment("factory"), stderr=log)
        try:
            yield running
        finally:
            running.kill()
            running.wait()
            self.organisation.live.queue("factory").act("Remove", "JobUniverse == 12", "the test is over")

    def operator(self, *command: str) -> None:
        """What an operator says of sites."""
        answer = self.organisation.run("sites", *command, user="router")
        assert answer.code == 0, answer.err

    def startds(self) -> list[processes.Process]:
        """The startds of all glideins."""
        found = state.load(self.organisation.settings.pool_home)
        assert found is not None and found.holder is not None
        return [each for each in processes.descendants(found.holder) if program(each.pid) == "condor_startd"]

    def metric(self, name: str, address: str = "") -> float:
        """A metric of the last router that was started, which must answer within a second."""
        where = address or self.address.read_text().strip()
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=1.0) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def once(self) -> str:
        """One pass; returns what it did."""
        answer = self.organisation.run("router", "run", "--once", user="router")
        assert answer.code == 0, answer.err
        return answer.out

    # The queue

    def submit(self, clusters: int = 1, jobs: int = 2) -> list[int]:
        """Clusters of alice's."""
        alice = self.organisation.live.queue("alice")
        return [alice.submit(JOB, [{"RouterJob": str(n)} for n in range(jobs)]) for _ in range(clusters)]

    def groups(self, clusters: Sequence[int] = ()) -> list[JobGroup]:
        """The jobs in the queue, or those of some clusters."""
        found = self.organisation.live.as_user("router").jobs()
        return [group for group in found if not clusters or group.cluster in clusters]

    def placed(self, clusters: Sequence[int]) -> bool:
        """Whether all jobs of the clusters have their decision, committed. False while the pool does not answer."""
        try:
            groups = self.groups(clusters)
        except TemporaryError:
            return False
        return {group.cluster for group in groups} == set(clusters) and all(
            group.decision is not None and group.decision.sites == group.sites for group in groups
        )

    def sound(self, clusters: Sequence[int], jobs: int = 2) -> None:
        """The invariants: nothing lost, nothing done twice, and the log says what the queue says."""
        groups = self.groups(clusters)
        assert sum(group.count for group in groups) == jobs * len(clusters)
        assert all(group.state is JobState.IDLE and group.sites == ("SITE_A",) for group in groups)
        assert {(group.decision.epoch, group.decision.moves) for group in groups if group.decision} == {(1, 0)}
        assert self.wrong_in_log() == []
        remembered = store(self.organisation.settings)
        try:
            for cluster in clusters:
                assert [each.outcome for each in remembered.of_cluster(cluster)] == ["applied"]
            assert remembered.open() == []
        finally:
            remembered.close()

    def wrong_in_log(self) -> list[str]:
        """What the schedd's event log says that no job may have done."""
        log = self.organisation.settings.pool_home / "log" / "EventLog"
        found = EventLog(log).read("")
        assert not found.skipped
        return violations(found.events)

    def heals(self, clusters: Sequence[int], jobs: int = 2) -> float:
        """Seconds until the router that runs has placed all; fails past RECOVERY_S, or where an invariant is broken."""
        started = time.monotonic()
        until(lambda: self.placed(clusters), RECOVERY_S)
        seconds = time.monotonic() - started
        until(lambda: not self.open(), RECOVERY_S)
        self.sound(clusters, jobs)
        return seconds

    def open(self) -> bool:
        """Whether the outcome of a decision is unknown."""
        remembered = store(self.organisation.settings)
        try:
            return bool(remembered.open())
        finally:
            remembered.close()

    # Around each test

    def clear(self) -> None:
        """An empty queue."""
        self.organisation.live.queue("router").act("Remove", "JobUniverse == 5", "the next test begins")
        until(lambda: self.groups() == [])

    def mend(self) -> None:
        """Let all go on that was stopped; end the routers."""
        for pid in self.stopped:
            os.kill(pid, signal.SIGCONT)
        for router in self.routers:
            if router.poll() is None:
                router.kill()
            router.wait()
        for log in sorted(self.organisation.home.glob("router*.log")):
            sys.stdout.write(f"{log.name}:\n{log.read_text()[-4000:]}\n")  # pytest shows it where the test failed
            log.unlink()
        self.stopped.clear()
        self.routers.clear()


def program(pid: int) -> str:
    """The name of a process's program."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    found = processes.find(pid)
    return sorted(each.pid for each in processes.children(found)) if found else []


def queue_child(router: int) -> int:
    """The process by which a router sees the queue, when those that read histories for it have ended."""
    seen: list[int] = []

    def alone() -> bool:
        seen[:] = children(router)
        return len(seen) == 1

    until(alone)
    return seen[0]
