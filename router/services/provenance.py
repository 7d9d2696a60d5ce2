"""Following files back to all that made them: the catalogue, the ledger and the tasks' directories asked in turn.

What is asked for grows with the chain alone: each generation is looked up together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.decide.provenance import artifact
from router.model.provenance import MOST_FILES, Artifact, Execution, Lineage, Maker, Use
from router.ports import UserCatalogue, UserMemory
from router.render import lineage_text, notebook, prov_json, ro_crate
from router.services.executions import Jobs

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where files come from, and how that is told to people and to programs."""

    lineage: Lineage
    at: float
    """When it was looked up, seconds since the epoch."""
    version: str
    """Of the glideroute that did."""

    def __str__(self) -> str:
        """It as a tree."""
        return lineage_text.text(self.lineage)

    def prov_json(self) -> str:
        """It in W3C PROV-JSON."""
        return prov_json.text(self.lineage, self.version)

    def ro_crate(self, license: str = "") -> str:
        """It as `ro-crate-metadata.json` of an RO-Crate; `license` is a URL, or words."""
        return ro_crate.text(self.lineage, self.version, self.at, license)

    def _repr_html_(self) -> str:
        return notebook.document(str(self))


@dataclass
class Tracing:
    """Follows files back for one user, within the user's rights."""

    memory: UserMemory
    catalogue: UserCatalogue
    jobs: Jobs

    def trace(self, named: Sequence[str], depth: int = 0) -> Lineage:
        """Where files come from, back through `depth` generations of jobs; 0: as far as it goes.

        Raises NotFound for a file that is not there or was removed, and PermissionRefused.
        """
        known = self.catalogue.traced(named)
        for name in named:
            if name not in known or known[name].removed:
                self.catalogue.copies(name)  # says why not
        roots = tuple(known[name].file.lfn for name in named)
        artifacts = {lfn: artifact(lfn, None, known[name]) for lfn, name in zip(roots, named, strict=True)}
        executions: dict[Key, Execution] = {}
        fresh: list[Artifact] = list(artifacts.values())
        generation = 0
        while fresh and len(artifacts) < MOST_FILES and (not depth or generation < depth):
            generation += 1
            made = self._executions(fresh, executions)
            executions |= made
            fresh = self._read_by(made.values(), artifacts)
            artifacts |= {each.lfn: each for each in fresh}
        cut = any(each.maker and _key(each.maker) not in executions for each in fresh)
        return Lineage(roots, artifacts, executions, self.jobs.tasks(), cut)

    def _executions(self, made: Iterable[Artifact], known: Mapping[Key, Execution]) -> dict[Key, Execution]:
        """The jobs that made these files and are not known yet."""
        makers = {_key(each.maker): each.maker for each in made if each.maker}
        fresh = {key: maker for key, maker in makers.items() if key not in known}
        ended = self.memory.jobs_ended(fresh.values())
        return {key: self.jobs.execution(maker, ended.get((maker.cluster, maker.proc))) for key, maker in fresh.items()}

    def _read_by(self, jobs: Iterable[Execution], known: Mapping[str, Artifact]) -> list[Artifact]:
        """The files that these jobs read and that are not known yet."""
        uses: dict[str, Use] = {use.lfn: use for each in jobs for use in each.uses if use.lfn not in known}
        there = self.catalogue.traced(sorted(uses))
        return [artifact(lfn, use, there.get(lfn)) for lfn, use in sorted(uses.items())]


def _key(maker: Maker) -> Key:
    return maker.task, maker.job
