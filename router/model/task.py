"""Tasks, and the batches of like jobs they are made of."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from router.model.files import Located
from router.model.lumis import NONE, Lumis
from router.model.payload import Payload, Requests
from router.model.sweep import Point

MERGE_BATCH = "merge"
STEWARD_BATCH = "steward"
"""Of the job on the access point that carries an automatic splitting on; no job of the analysis."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a batch reads, as brokerage sees it."""

    size: int = 0
    """Bytes in all."""
    at_sites: tuple[tuple[str, int], ...] = ()
    """Bytes of it that each site holds, sorted by site; sites that hold nothing are left out."""
    jobs: int = 1
    """Jobs that share these bytes."""
    sets: tuple[tuple[str, ...], ...] = ()
    """Where parts lie at different sites, the sites of each part, sorted; empty: all of it lies at each site."""
    on_tape: tuple[str, ...] = ()
    """Sites that hold it on tape only, sorted."""

    @property
    def lost(self) -> bool:
        """Whether no site holds any of it, on disk or tape."""
        return self.size > 0 and not self.at_sites and not self.on_tape

    def fraction_at(self, site: str) -> float:
        """Share of the bytes that `site` holds, 0..1; 1 when there is no input."""
        return 1.0 if self.size == 0 else dict(self.at_sites).get(site, 0) / self.size

    def off(self, tape: frozenset[str]) -> "Inputs":
        """The same as jobs can read it: what lies at the sites of `tape` is on tape."""
        if not tape.intersection(site for site, _ in self.at_sites):
            return self
        return replace(
            self,
            at_sites=tuple((site, size) for site, size in self.at_sites if site not in tape),
            sets=tuple(sorted({tuple(site for site in part if site not in tape) for part in self.sets})),
            on_tape=tuple(site for site, _ in self.at_sites if site in tape),
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """What brokerage looks at. Equal shapes get equal answers."""

    requests: Requests = Requests()
    inputs: Inputs = Inputs()
    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    group: str = ""
    dataset: str = ""
    left: tuple[str, ...] = ()
    """Sites that jobs of it were moved away from lately."""
    writes: bool = False
    """Whether its jobs leave outputs at the site where they run."""
    over: tuple[str, ...] = ()
    """Sites where the owner has used up the quota for outputs."""
    full: tuple[str, ...] = ()
    """Loaded sites where the owner has many idle jobs already."""
    late: tuple[tuple[str, int], ...] = ()
    """Sites where jobs of its share start later than others', and by how many seconds; sorted."""
    avoid: tuple[str, ...] = ()
    """Sites where jobs of it failed lately for a reason that may be the site's."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of one file's events, or some of its luminosity sections; the whole file when neither is known."""

    located: Located
    first_event: int = 0
    events: int = 0
    """Of luminosity sections an estimate."""
    lumis: Lumis = NONE
    """None: the range of events says all."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The input of one job."""

    job: str
    """Four digits or more, unique in the task."""
    pieces: tuple[Piece, ...] = ()
    point: Point = ()
    """Its values of the parameters that are swept."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of a task that are alike: one HTCondor cluster."""

    key: str
    """Unique in the task; stable, so that a second submission finds the first."""
    chunks: tuple[Chunk, ...]
    sites: frozenset[str] = frozenset()
    """Sites that hold every input of the batch."""


@dataclass(frozen=True, slots=True)
class Task:
    """One submitted payload."""

    id: str
    owner: str
    payload: Payload
    directory: str
    """Where the user's copy of code, descriptions, logs and reports lies on the access point."""
    created: float
    """Seconds since the epoch."""

    @property
    def outputs(self) -> str:
        """The directory of the catalogue that its jobs, and nobody else's, may write to."""
        return f"/user/{self.owner}/{self.id}"

    def output(self, name: str, job: str) -> str:
        """The logical name of what a job leaves as `name`."""
        return f"{self.outputs}/{numbered(name, job)}"


def merges(payload: Payload) -> tuple[tuple[str, str], ...]:
    """The names of the merge jobs, one for each output that is merged, with the output."""
    merged = [output.name for output in payload.outputs if output.merge]
    return tuple((f"merge{i}" if len(merged) > 1 else "merge", name) for i, name in enumerate(merged))


def numbered(name: str, job: str) -> str:
    """A file name with a job's in it: `hist_0003.root`."""
    stem, dot, suffix = name.partition(".")
    return f"{stem}_{job}{dot}{suffix}"


def inputs_of(chunks: tuple[Chunk, ...]) -> Inputs:
    """The bytes that `chunks` read, and which sites hold how many of them."""
    files = {piece.located.file.lfn: piece.located for chunk in chunks for piece in chunk.pieces}
    return inputs_in(files.values())


def inputs_in(files: Iterable[Located]) -> Inputs:
    """The bytes of `files`, and which sites hold how many of them."""
    total, held = 0, dict[str, int]()
    sets = set[tuple[str, ...]]()
    for located in files:
        total += located.file.size
        sets.add(tuple(sorted(located.sites)))
        for site in located.sites:
            held[site] = held.get(site, 0) + located.file.size
    return Inputs(total, tuple(sorted(held.items())), sets=tuple(sorted(sets)) if len(sets) > 1 else ())
