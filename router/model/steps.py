"""A lineage step by step: jobs of a task that are alike are one step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.model.provenance import Artifact, Execution, Lineage


@dataclass(frozen=True, slots=True)
class Step:
    """Jobs of one task that are alike, and together made some files: one line of a lineage as people read it."""

    executions: tuple[Execution, ...]
    made: tuple[Artifact, ...]
    reads: tuple[Artifact, ...]

    @property
    def first(self) -> Execution:
        """The first of its jobs."""
        return self.executions[0]


def steps(lineage: Lineage, lfns: Iterable[str]) -> list[Step]:
    """The steps that made these files, each with what it read."""
    alike: dict[tuple[str, bool, str], list[Execution]] = {}
    for each in lineage.makers(lfns).values():
        alike.setdefault((each.maker.task, each.merge, each.program), []).append(each)
    wanted = set(lfns)
    return [_step(lineage, jobs, wanted) for _, jobs in sorted(alike.items())]


def _step(lineage: Lineage, jobs: Sequence[Execution], wanted: set[str]) -> Step:
    ordered = tuple(sorted(jobs, key=lambda each: (len(each.maker.job), each.maker.job)))
    keys = {(each.maker.task, each.maker.job) for each in ordered}
    made = (each for lfn in sorted(wanted) if (each := lineage.artifacts.get(lfn)) and each.maker)
    read = sorted({use.lfn for each in ordered for use in each.uses})
    return Step(
        ordered,
        tuple(each for each in made if each.maker and (each.maker.task, each.maker.job) in keys),
        tuple(lineage.artifacts[lfn] for lfn in read if lfn in lineage.artifacts),
    )


def unmade(lineage: Lineage, artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """Those files of which no job is told that made them: where a lineage begins."""
    known = lineage.executions
    return tuple(each for each in artifacts if each.maker is None or (each.maker.task, each.maker.job) not in known)
