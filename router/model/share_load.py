"""A load on a pool and what became of it: the input and the outcome of a simulated policy."""

from collections.abc import Mapping
from dataclasses import dataclass

from router.errors import UserError
from router.model import document, names


@dataclass(frozen=True, slots=True)
class Submission:
    """Jobs of one submitter that come at one time; `submitter` is `group.user`, or the user alone."""

    submitter: str
    at_s: float
    jobs: int
    run_s: float
    cores: float = 1.0


@dataclass(frozen=True, slots=True)
class Wait:
    """How long jobs of a submitter waited for their start."""

    submitter: str
    jobs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Course:
    """What happened: cores in use and waited for by each submitter at the end of each cycle."""

    times: tuple[float, ...]
    used: Mapping[str, tuple[float, ...]]
    waiting: Mapping[str, tuple[float, ...]]
    groups: Mapping[str, str]
    waits: tuple[Wait, ...]
    starved_s: Mapping[str, float]
    """Seconds in which a submitter had jobs waiting and none running."""
    left: Mapping[str, float]
    """Cores' worth of jobs that had not started at the end."""
    quotas: Mapping[str, float]
    """Cores each group is entitled to."""

    def quantile(self, submitter: str, part: float) -> float:
        """Seconds within which this part of the submitter's started jobs had started; 0 where none did."""
        waits = sorted((each.seconds, each.jobs) for each in self.waits if each.submitter == submitter)
        wanted, seen = part * sum(jobs for _, jobs in waits), 0.0
        for seconds, jobs in waits:
            seen += jobs
            if seen >= wanted:
                return seconds
        return 0.0


def read_load(text: str, source: str) -> tuple[Submission, ...]:
    """The load of a YAML document. Raises UserError that names every fault."""
    top = document.read(text, source)
    found: list[Submission] = []
    for each in top.sections("load"):
        user = each.text("user", check=names.name)
        group = each.text("group", "", names.group)
        jobs, times = each.integer("jobs", 1, 1, 1_000_000), each.integer("times", 1, 1, 10_000)
        at, every = _start(each, "at"), _start(each, "every")
        run_s, cores = each.seconds("run", 3600), each.integer("cores", 1, 1, 10_000)
        name = f"{group}.{user}".lstrip(".")
        found.extend(Submission(name, at + n * every, jobs, run_s, cores) for n in range(times))
    top.finish()
    if not found:
        raise UserError(f"{source} has no load: it lists submissions, such as load: [{{user: alice, jobs: 100}}].")
    return tuple(found)


def _start(section: document.Section, key: str) -> float:
    return float(section.seconds(key, 0)) if section.has(key) and section.text(key, "") != "0" else 0.0
