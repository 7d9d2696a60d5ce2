"""What comes next in a task that is split automatically: probes, then jobs of the wanted length, then tails.

The rules and the numbers are CRAB's: https://github.com/dmwm/CRABServer, TaskWorker/Actions/PreDAG.py.
"""

from dataclasses import dataclass
from enum import StrEnum

from router.model.measure import Measured

AIM = 0.75
"""Of the wanted time that a job is cut to, since jobs differ."""
MOST_BYTES = 5_000_000_000
"""Output of one job."""
TAIL_LEAST_S = 45 * 60
TAIL_SHARE = 0.2
"""Of the wanted time; a tail is cut to this, or to TAIL_LEAST_S where that is more."""
MANY = 100
"""Main jobs from which on tails need not wait for all of them."""
ROUNDS = (0.5, 0.8, 1.0)
"""Shares of the main jobs that have ended when tails are cut, where there are many."""
MOST_JOBS = 9_000
"""Main jobs; where the wanted time would give more, they get longer."""


class Stage(StrEnum):
    """How far an automatic splitting is."""

    PROBES = "probes"
    MAIN = "main"
    TAILS_1 = "tails-1"
    """Tails were cut when half of the main jobs had ended."""
    TAILS_2 = "tails-2"
    COMPLETE = "complete"
    """No more jobs will be added."""
    FAILED = "failed"
    """No probe ended well."""
    KILLED = "killed"


LAST = (Stage.COMPLETE, Stage.FAILED, Stage.KILLED)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the jobs of a task stand, of the probes while these are all."""

    stage: Stage
    target_s: int
    jobs: int
    """Of the stage: probes, or main jobs."""
    open: int
    """Of these, jobs that may still end well."""
    failed: int
    """Jobs of any kind that were given up, and whose work nobody has taken over."""
    left_events: int
    """Events that no job was given, those of failed jobs included."""
    measured: Measured = Measured()


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do yet."""

    words: str


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut what is left into jobs of about so many events."""

    to: Stage
    events: int
    words: str


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing is left to cut."""

    to: Stage
    words: str


Step = Wait | Cut | Close


def next_step(standing: Standing) -> Step:
    """What to do now. Decided again after it was done, it is the next stage's."""
    if standing.stage is Stage.PROBES:
        return _after_probes(standing)
    ended = 1 - standing.open / standing.jobs if standing.jobs else 1.0
    done = {Stage.MAIN: 0, Stage.TAILS_1: 1, Stage.TAILS_2: 2}[standing.stage]
    due = sum(ended >= share for share in ROUNDS) if standing.jobs > MANY else len(ROUNDS) * (not standing.open)
    if due <= done:
        return Wait(f"{standing.jobs - standing.open:,} of {standing.jobs:,} main jobs have ended")
    to = (Stage.TAILS_1, Stage.TAILS_2, Stage.COMPLETE)[due - 1]
    if not standing.left_events:
        return Close(to, "no tail is needed: no main job has failed")
    return Cut(to, _events(standing, tail_s(standing.target_s)), f"{standing.failed:,} job(s) failed, and get tails")


def _after_probes(standing: Standing) -> Step:
    if standing.open:
        return Wait(f"{standing.jobs - standing.open:,} of {standing.jobs:,} probes have ended")
    if not standing.measured.jobs:
        return Close(Stage.FAILED, "every probe failed; mend the program or its input, and submit it again")
    if not standing.left_events:
        return Close(Stage.COMPLETE, "the probes have read all there is")
    events = max(_events(standing, standing.target_s), -(-standing.left_events // MOST_JOBS))
    found = standing.measured
    told = f"measured: {found.events_per_s:.3g} events a second, {found.bytes_per_event:.3g} bytes of output an event"
    return Cut(Stage.MAIN, events, told)


def tail_s(target_s: int) -> float:
    """Seconds that a tail is cut to, never more than a main job."""
    return min(target_s, max(TAIL_LEAST_S, TAIL_SHARE * target_s))


def _events(standing: Standing, seconds: float) -> int:
    """Events of a job that takes about AIM of these seconds, and whose output is not too large."""
    found = standing.measured
    events = AIM * seconds * found.events_per_s
    if found.bytes_per_event:
        events = min(events, MOST_BYTES / found.bytes_per_event)
    return max(1, int(events))
