"""What a decision may ask for, as data. Each action says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.model.job import Decision, Hold, Kind, Remedy


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a site may not run a shape: words for people, a stable tag for counting."""

    tag: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What brokerage says of one site for one shape."""

    site: str
    refusal: Refusal | None = None
    score: float = 0.0
    """1 for a job that would run at once, 1/2 for one in an hour, towards 0 for never; 0 for a refused site."""
    terms: tuple[tuple[str, float], ...] = ()
    """What the score is made of: each number's name, with its unit, and value."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The verdict on every site, best first, the refused ones behind by name."""

    verdicts: Sequence[Verdict]

    @property
    def fit(self) -> tuple[Verdict, ...]:
        """Sites that may run the shape, best first."""
        return tuple(verdict for verdict in self.verdicts if verdict.refusal is None)

    def refusal_words(self, site: str) -> str:
        """Why `site` is refused; empty when it is not. A site nobody knows is one."""
        found = next((verdict for verdict in self.verdicts if verdict.site == site), None)
        if found is None:
            return "is not a known site"
        return found.refusal.words if found.refusal else ""

    def refusal_tag(self, site: str) -> str:
        """The tag of that reason."""
        found = next((verdict for verdict in self.verdicts if verdict.site == site), None)
        if found is None:
            return "unknown-site"
        return found.refusal.tag if found.refusal else ""


@dataclass(frozen=True, slots=True)
class Advice:
    """A change that would let jobs start sooner."""

    words: str
    now_s: float | None
    """Seconds until the last job starts as it is; None: never."""
    then_s: float
    """Seconds with the change."""


@dataclass(frozen=True, slots=True)
class Place:
    """Give idle jobs of a cluster that have the sites `old` the sites of `decision`: the first `count` of them."""

    cluster: int
    task: str
    batch: str
    count: int
    old: tuple[str, ...] | None
    decision: Decision
    verdicts: Sequence[Verdict] = ()
    kind: Kind | None = None
    """What tells the jobs from others of the cluster; None: all of them are of one kind."""

    @property
    def is_move(self) -> bool:
        """Whether it takes jobs away from a site they had."""
        return bool(self.decision.came_from)


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave a cluster's idle jobs where they are: nothing fits."""

    cluster: int
    task: str
    batch: str
    count: int
    words: str
    verdicts: Sequence[Verdict] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """Let the held jobs of a cluster run."""

    cluster: int
    task: str
    words: str


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Write into held jobs of a cluster why they failed, and what is done about it."""

    cluster: int
    task: str
    batch: str
    count: int
    hold: Hold
    old: Remedy | None
    """What they carry of an earlier hold."""
    remedy: Remedy

    @property
    def words(self) -> str:
        """Why."""
        return self.remedy.words


@dataclass(frozen=True, slots=True)
class Mend:
    """Carry out what a remedy that is due says, then release the jobs."""

    cluster: int
    task: str
    batch: str
    count: int
    hold: Hold
    remedy: Remedy

    @property
    def words(self) -> str:
        """Why."""
        return self.remedy.words


@dataclass(frozen=True, slots=True)
class StartGlideins:
    """Submit further glideins of an entry."""

    entry: str
    count: int
    words: str


@dataclass(frozen=True, slots=True)
class StopGlideins:
    """Remove glideins of an entry that have not started or do nothing."""

    entry: str
    ids: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Vacate:
    """Stop runs of a cluster's jobs, which then get other sites."""

    cluster: int
    task: str
    batch: str
    site: str
    """Where they run."""
    old: tuple[str, ...] | None
    """The sites that they have."""
    last: Decision | None
    """The decision that they carry."""
    jobs: tuple[tuple[int, int], ...]
    """Proc of each job, and when its run started, in seconds since the epoch."""
    decision: Decision
    """Names no sites: the jobs are placed like new ones, but not where they ran."""

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.jobs)

    @property
    def words(self) -> str:
        """Why."""
        return self.decision.words


Treatment = Diagnose | Mend
Action = Place | Wait | Release | Treatment | Vacate
PilotAction = StartGlideins | StopGlideins
