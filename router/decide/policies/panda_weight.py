"""PanDA's weight of a site for a user's jobs, and the counters it is made of.

AtlasAnalJobBroker.py of panda-server 1.0.3, lines 1603 to 1729 and 1975 to 2101: `basic weight` of version `new`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from router.model.policy import BrokerPolicy
from router.model.site import Site

FAST, MIDDLE, SLOW = 1, 0, -1
"""Classes A, B and C of sites, and of tasks."""

BASE_QUEUE_LENGTH = 100.0
STATIC_MAX_QUEUE_RUNNING_RATIO = 2.0
MAX_EXPECTED_WAIT_HOUR = 12.0
BASE_EXPECTED_WAIT_HOUR = 8.0
BASE_USER_QUEUE_LENGTH = 5.0
BASE_QUEUE_RATIO = 0.05
OVERLOAD_MIN_QUEUE = 20
OVERLOAD_RATIO_OFFSET = 1.2
MIN_BAD_JOBS = 5
CLASS_B_SLOTS, CLASS_C_SLOTS = 1000, 8000
"""Running jobs of a user at class A sites, and at class A and B sites, from which on the tasks are of class B or C."""

INIT, MID_LO, HI_MID, HI_LO = 0.001, 0.1, 0.05, 0.002
"""The epsilons of the weight."""


@dataclass(slots=True)
class Queue:
    """What PanDA's counters say of one site."""

    site: Site
    _starts: float
    """Jobs an hour that begin to run there."""
    queued: float = 0.0
    running: float = 0.0
    by_user: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Queued jobs."""
    running_by_user: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @classmethod
    def of(cls, site: Site, policy: BrokerPolicy) -> "Queue":
        """An empty queue; jobs an hour as they end, else as they would with the mean run time."""
        busy = site.cores - site.idle_cores
        if site.freed_per_h is None:
            return cls(site, site.running_jobs * 3600.0 / (site.mean_run_s or policy.typical_run_s))
        return cls(site, site.freed_per_h * (site.running_jobs / busy if busy and site.running_jobs else 1.0))

    @property
    def rate(self) -> float:
        """trr: jobs an hour that begin to run; 0 where none runs."""
        return self._starts if self.running else 0.0

    def add_queued(self, user: str, jobs: float) -> None:
        """Count idle jobs."""
        self.queued += jobs
        self.by_user[user] += jobs

    def add_running(self, user: str, jobs: float) -> None:
        """Count running jobs."""
        self.running += jobs
        self.running_by_user[user] += jobs

    @property
    def longest(self) -> float:
        """max_nQ_pq: the longest queue that is still good."""
        return max(BASE_QUEUE_LENGTH, STATIC_MAX_QUEUE_RUNNING_RATIO * self.running, MAX_EXPECTED_WAIT_HOUR * self.rate)

    def longest_of(self, user: str) -> float:
        """max_nQ_pq_user: the longest queue of one user that is still good.

        PanDA counts one user too many: its map of users has an entry for the total.
        """
        users = len({*self.by_user, *self.running_by_user})
        equal = 1 / (users + 1) if users else 1.0
        own = self.running_by_user.get(user, 0.0) / self.running if self.running else 0.0
        return max(BASE_USER_QUEUE_LENGTH, BASE_QUEUE_RATIO * self.running, self.longest * max(equal, own))

    def room_for(self, user: str) -> float:
        """rem_q_len: how many more of a user's jobs are good."""
        return max(self.longest_of(user) - self.by_user.get(user, 0.0), 0.0)

    def overloaded(self, ratio: float) -> bool:
        """Whether the queue is long, and more of it waits for each running job than in the grid (`ratio`)."""
        return self.queued > OVERLOAD_MIN_QUEUE and (
            self.running == 0 or self.queued / self.running > ratio * OVERLOAD_RATIO_OFFSET
        )

    def problematic_for(self, user: str) -> bool:
        """Whether nothing runs there, the user queues too much, or jobs fail.

        The last two are asked only where the queue is not short and the user has jobs there, as PanDA does.
        """
        if self.queued > OVERLOAD_MIN_QUEUE and self.running == 0:
            return True
        if self.queued < BASE_QUEUE_LENGTH or self.queued < BASE_EXPECTED_WAIT_HOUR * self.rate:
            return False
        if user not in self.by_user and user not in self.running_by_user:
            return False
        outcomes = self.site.outcomes
        too_long = self.by_user.get(user, 0.0) > self.longest_of(user)
        return too_long or outcomes.failed > max(2 * outcomes.succeeded, MIN_BAD_JOBS)


@dataclass(frozen=True, slots=True)
class Weight:
    """A site's weight, and what it is made of."""

    value: float
    terms: tuple[tuple[str, float], ...]


def classes(queues: Mapping[str, Queue]) -> dict[str, int]:
    """The class of each site by its expected wait in hours."""
    waits = {name: _wait_h(queue) for name, queue in queues.items()}
    ordered = sorted(waits.values())
    if not ordered:
        return {}
    low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
    return {
        name: FAST if wait <= max(low, 1.0) else SLOW if wait > max(high, 3.0) else MIDDLE
        for name, wait in waits.items()
    }


def _wait_h(queue: Queue) -> float:
    if queue.queued <= 0:
        return 0.0
    return queue.queued / queue.rate if queue.rate > 0 else inf


def task_class(queues: Sequence[Queue], known: Mapping[str, int], user: str) -> int:
    """The class of a user's tasks, by how many of the user's jobs run at sites of each class."""
    at = {FAST: 0.0, MIDDLE: 0.0, SLOW: 0.0}
    for queue in queues:
        at[known[queue.site.name]] += queue.running_by_user.get(user, 0.0)
    if at[FAST] + at[MIDDLE] > CLASS_C_SLOTS:
        return SLOW
    return MIDDLE if at[FAST] > CLASS_B_SLOTS else FAST


def weights(
    queues: Sequence[Queue], known: Mapping[str, int], data: Sequence[float], user: str, jobs: int
) -> list[Weight]:
    """The weight of each candidate for `jobs` jobs of a user: the basic weight times that of the data."""
    room = {queue.site.name: queue.room_for(user) for queue in queues}
    of = {queue.site.name: known[queue.site.name] for queue in queues}
    total = {c: sum(room[name] for name in room if of[name] == c) for c in (FAST, MIDDLE, SLOW)}
    members = {c: sum(each == c for each in of.values()) for c in (FAST, MIDDLE, SLOW)}
    wanted = min(float(jobs), sum(total.values()))
    main = main_weights(wanted, total, task_class(queues, known, user))
    found = []
    for queue, held in zip(queues, data, strict=True):
        name, c = queue.site.name, of[queue.site.name]
        basic = main[c] * _within(room[name], main[c], total[c], members[c]) + 2.0**-20
        terms = (("weight", basic * held), ("class", float(c)), ("room", room[name]), ("queued", queue.queued))
        told = tuple((term, round(value, 6)) for term, value in (*terms, ("data", held)))
        found.append(Weight(basic * held, told))
    return found


def main_weights(wanted: float, room: Mapping[int, float], task: int) -> dict[int, float]:
    """M: how many of the wanted jobs each class of sites should get, for a task of a class."""
    part = {FAST: INIT, MIDDLE: INIT, SLOW: INIT}
    if task == SLOW:
        part[SLOW] = wanted
    elif task == MIDDLE:
        part[MIDDLE] = min(wanted, room[MIDDLE])
        part[SLOW] = wanted - part[MIDDLE]
        if part[MIDDLE] > 0:
            part[MIDDLE] -= MID_LO
            part[SLOW] += MID_LO
    else:
        part[FAST] = min(wanted, room[FAST])
        part[MIDDLE] = min(wanted - part[FAST], room[MIDDLE])
        part[SLOW] = wanted - part[FAST] - part[MIDDLE]
        if part[FAST] > 0:
            part[FAST] -= HI_MID + HI_LO
            part[MIDDLE] += HI_MID
            part[SLOW] += HI_LO
    return part


def _within(room: float, main: float, total: float, members: int) -> float:
    """W_q: a site's part of what its class gets, by the room it has left."""
    if total - main > 0:
        return max(room - main / members, main * 0.001) / (total - main)
    return room / total if total > 0 else 1 / members
