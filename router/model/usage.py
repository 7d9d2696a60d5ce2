"""What jobs used: single runs as the schedd's histories tell them, their sums, and what sites owe.

A run is told more than once: by overlapping imports, twice by HTCondor itself when it ends in a hold, and again when
its job leaves the queue. `merged` takes any of these in any order to the same run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace

DAY_S = 86_400
HISTORY, EPOCH = 0, 1
"""Who tells of a run: the history of jobs knows the last one only, the job epoch history each."""
OUTCOMES = ("well", "failed", "evicted", "removed", "held")
"""How a run ended; what stands later is believed where two records of one run disagree."""
UNENDED, BADLY, WELL = 0, 1, 2
"""How the job ended with a run: it goes on or nobody knows, badly, well."""
KEYS = ("user", "group", "site", "day")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job on a node."""

    cluster: int
    proc: int
    queued: int
    """When the job was submitted, seconds since the epoch; a schedd that lost its queue counts from 1 again."""
    number: int
    """From 0."""
    owner: str
    group: str = ""
    task: str = ""
    site: str = ""
    entry: str = ""
    node: str = ""
    """HTCondor's name of the slot; of a glidein, with its id."""
    subject: str = ""
    """Of the token that submitted the job; empty where it came without one."""
    issuer: str = ""
    token: str = ""
    """Its id, which is no secret."""
    cores: int = 1
    started: int = 0
    ended: int = 0
    """Seconds since the epoch."""
    cpu_ms: int = 0
    outcome: str = "well"
    exit_code: int = -1
    """-1: it has none."""
    teller: int = EPOCH
    job: int = UNENDED

    @property
    def key(self) -> tuple[int, int, int, int]:
        """What makes it this run."""
        return self.cluster, self.proc, self.queued, self.number

    @property
    def wall_s(self) -> int:
        """Seconds that it held its cores."""
        return max(0, self.ended - self.started)


def merged(one: Run, other: Run) -> Run:
    """The same run from two records of it; it does not matter which comes first, or whether one comes again."""
    better = max(one, other, key=_weight)
    return replace(better, job=max(one.job, other.job))


def _weight(run: Run) -> tuple[object, ...]:
    told = replace(run, job=UNENDED)  # that is taken from whoever knows it
    return run.teller, run.ended, OUTCOMES.index(run.outcome), astuple(told)


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over runs."""

    runs: int = 0
    wall_s: int = 0
    """Seconds of cores held: time by cores."""
    cpu_ms: int = 0
    wasted_s: int = 0
    """Seconds of cores held by runs that did not end well."""
    jobs_well: int = 0
    jobs_badly: int = 0

    def plus(self, other: "Usage", sign: int = 1) -> "Usage":
        """Both together; with `sign` -1 the other taken off."""
        return Usage(*(a + sign * b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def efficiency(self) -> float:
        """Time of processors by time of cores held, 0..1."""
        return self.cpu_ms / 1000 / self.wall_s if self.wall_s else 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What one user of one group used at one site in runs that ended on one day."""

    user: str
    group: str
    site: str
    day: int
    """Days since 1970-01-01, UTC."""
    usage: Usage

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Whose, where and when."""
        return self.user, self.group, self.site, self.day


SUMS = tuple(each.name for each in fields(Usage))


def booked(run: Run) -> Cell:
    """What a run adds, and where."""
    wall_s = run.wall_s * run.cores
    wasted_s = 0 if run.outcome == "well" else wall_s
    used = Usage(1, wall_s, run.cpu_ms, wasted_s, int(run.job == WELL), int(run.job == BADLY))
    return Cell(run.owner, run.group, run.site, run.ended // DAY_S, used)


def changes(pairs: Iterable[tuple[Run | None, Run]]) -> list[Cell]:
    """What sums change by when runs are known anew: each as it was known, and as it is."""
    found: dict[tuple[str, str, str, int], Usage] = {}
    for old, new in pairs:
        for run, sign in ((old, -1), (new, 1)):
            if run is not None:
                cell = booked(run)
                found[cell.place] = found.get(cell.place, Usage()).plus(cell.usage, sign)
    return [Cell(*place, usage) for place, usage in sorted(found.items()) if usage != Usage()]


def summed(cells: Iterable[Cell], by: Sequence[str]) -> dict[tuple[str | int, ...], Usage]:
    """Usage by some of KEYS, in their order; sorted."""
    found: dict[tuple[str | int, ...], Usage] = {}
    for cell in cells:
        key = tuple(getattr(cell, name) for name in by)
        found[key] = found.get(key, Usage()).plus(cell.usage)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Pledge:
    """What a site has promised."""

    cores: float = 0.0
    """0: nothing."""
    hs23_per_core: float = 0.0
    """HEPScore23 of one of its cores; 0: not known."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a site gave beside what it promised, over a time."""

    site: str
    core_hours: float
    pledged_core_hours: float
    hs23_hours: float
    """0 where the score of its cores is not known."""
    part: float
    """Of what all sites gave, 0..1."""
    pledged_part: float
    """Of what all sites promised."""

    @property
    def fulfilment(self) -> float | None:
        """What it gave by what it promised; None where it promised nothing."""
        return self.core_hours / self.pledged_core_hours if self.pledged_core_hours else None


def contributions(cells: Iterable[Cell], pledges: Mapping[str, Pledge], hours: float) -> tuple[Contribution, ...]:
    """What each site gave in `hours`, wasted time too, since the site gave it; parts are those of cores."""
    given = {str(site): usage.wall_s / 3600 for (site,), usage in summed(cells, ("site",)).items()}
    names = sorted({*given, *(site for site, pledge in pledges.items() if pledge.cores)})
    promised = {site: pledges.get(site, Pledge()).cores * hours for site in names}
    whole, owed = sum(given.values()) or 1.0, sum(promised.values()) or 1.0
    return tuple(
        Contribution(
            site,
            given.get(site, 0.0),
            promised[site],
            given.get(site, 0.0) * pledges.get(site, Pledge()).hs23_per_core,
            given.get(site, 0.0) / whole,
            promised[site] / owed,
        )
        for site in names
    )
