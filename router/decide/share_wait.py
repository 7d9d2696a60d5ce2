"""How long a submitter's waiting jobs will wait, and how much of that is whose.

The model of the accountant is started from what the pool shows and run on, with nobody submitting anything more. What
a wait is owed to is found by taking causes away: once without groups and their quotas, once without the others' jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.decide.share_model import Model
from router.model.share_load import Submission
from router.model.shares import SharePolicy, ShareState

PIECES = 20
"""In how many steps the jobs that run now are taken to end."""
STEPS = 240
"""Cycles looked ahead at most; they are stretched so that this is enough for most waits."""
HORIZON_RUNS = 24
SMALL = 0.05
"""Parts of a wait that are not worth a word."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected of a submitter's waiting jobs; seconds, and parts of the longest wait from 0 to 1."""

    submitter: str
    waiting: float
    half_s: float
    last_s: float
    beyond: bool
    """Whether some would not have started within the time looked ahead, which `last_s` then is."""
    by_quota: float
    by_others: float

    def __str__(self) -> str:
        """The outlook in words."""
        least = "more than" if self.beyond else "about"
        parts = [f"the last of {self.waiting:.0f} waiting cores starts in {least} {_spoken(self.last_s)}"]
        if self.half_s < self.last_s:
            parts.append(f"half within {_spoken(self.half_s)}")
        owed = [(self.by_quota, "the group's quota"), (self.by_others, "others' jobs")]
        told = [f"{part:.0%} {whose}" for part, whose in owed if part >= SMALL]
        if told:
            parts.append(f"of the wait, {' and '.join(told)}")
        return "; ".join(parts)


def outlook(
    policy: SharePolicy, states: Sequence[ShareState], cores: float, submitter: str, run_s: float
) -> Outlook | None:
    """What a submitter's waiting jobs can expect when jobs hold a core `run_s` seconds; None when none waits."""
    users = [replace(each, name=each.name.partition("@")[0]) for each in states if not each.is_group]
    own = next((each for each in users if each.name == submitter), None)
    if own is None or own.waiting <= 0 or cores <= 0:
        return None
    half, last, beyond = _project(policy, users, cores, submitter, run_s)
    alone = [own if each is own else replace(each, waiting=0.0) for each in users]
    free = replace(policy, groups=())
    without_quota = _project(free, users, cores, submitter, run_s)[1]
    without_others = _project(policy, alone, cores, submitter, run_s)[1]
    gained = [max(0.0, last - other) for other in (without_quota, without_others)]
    whole = max(sum(gained), last) or 1.0
    return Outlook(submitter, own.waiting, half, last, beyond, gained[0] / whole, gained[1] / whole)


def _project(
    policy: SharePolicy, users: Sequence[ShareState], cores: float, submitter: str, run_s: float
) -> tuple[float, float, bool]:
    """Seconds until half and until all of the submitter's waiting jobs have started, and whether that is cut off."""
    horizon = HORIZON_RUNS * run_s
    step = min(max(60.0, horizon / STEPS), run_s / 4)
    model, waits = _seeded(policy, users, cores, run_s), 0.0
    before = next(each.waiting for each in users if each.name == submitter)
    half = -1.0
    while waits <= horizon:
        model.step(waits)
        left = model.submitters[submitter].waiting
        if half < 0 and left <= before / 2:
            half = waits
        if left < 1:
            return half, waits, False
        waits += step
    return horizon if half < 0 else half, horizon, True


def _seeded(policy: SharePolicy, users: Sequence[ShareState], cores: float, run_s: float) -> Model:
    """A model in the state that the pool shows; what runs ends step by step within one run."""
    model = Model(policy, max(cores, sum(each.used for each in users)))
    for each in users:
        who = model.enter(each.name, each.priority / each.factor if each.factor else 0.0)
        who.factor = each.factor or who.factor
        for piece in range(PIECES):
            model.occupy(each.name, each.used / PIECES, run_s * (piece + 1) / PIECES)
        if each.waiting >= 1:
            model.submit(Submission(each.name, 0, int(each.waiting), run_s))
    return model


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return "a minute"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
