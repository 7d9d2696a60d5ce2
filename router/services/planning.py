"""What submitting a payload would do: its input found, cut into batches, and each looked at by brokerage."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from router.decide.bars import Bars
from router.decide.policies import Choices
from router.decide.split import Sections, batches, work
from router.decide.write_tests import refuses, warns
from router.errors import NothingFits, UserError
from router.loops.observe import Declared, tape_of
from router.model import lumis
from router.model import payload as payloads
from router.model.answer import Plan, PlannedBatch
from router.model.files import Dataset, StorageElement
from router.model.lumis import Lumis
from router.model.payload import AUTO, BY_LUMIS, Payload
from router.model.policy import BrokerPolicy
from router.model.query import Reach, Search
from router.model.site import Storage
from router.model.task import MERGE_BATCH, Batch, Inputs, Piece, Shape, inputs_of
from router.model.transfer import WriteTest
from router.model.world import World
from router.ports import UserCatalogue, UserMemory
from router.render.jdl import MERGE_REQUESTS
from router.render.parts import merge_jobs
from router.services.queries import refuse_full

LASTING = frozenset(
    {
        *("not-allowed", "blocked", "share-closed", "cpus", "memory", "disk", "walltime", "no-size"),
        *("gpus", "gpu-kind", "architecture", "os", "software", "container"),
    }
)
"""Refusals that waiting does not cure."""

MAX_MASK_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Planning:
    """Plans for one user."""

    memory: UserMemory
    catalogue: UserCatalogue
    user: str
    sites: Sequence[Declared]
    storage: Mapping[str, StorageElement]
    """By site."""
    policy: BrokerPolicy
    world: Callable[[], World]
    look: Callable[[str], str] = lambda _: ""
    """Asks the data service of a name, if one answers for it; returns words where its last answer has to do."""

    def plan(self, text: str, source: str, folder: Path) -> Plan:
        """What submitting the payload document `text`, whose files lie in `folder`, would do.

        Raises UserError, or NothingFits with the reasons.
        """
        payload = payloads.parse(text, source)
        refuse_full(self.catalogue, self.user)
        told = self.look(_dataset(payload))
        dataset, offered = self._input(payload)
        sections = self._sections(payload, dataset, folder)
        cut = batches(payload, dataset, sections)
        world = self.world()
        tests = self.memory.write_tests() if payload.destination else {}
        refuse_destination(payload.destination, self.user, self.storage, world, tests)
        planned = self.place(payload, cut, world)
        whole = work(payload, dataset, sections) if dataset and payload.split.by == AUTO else ()
        waits = destination_waits(payload.destination, tests, world.now)
        said = tuple(each for each in (told, waits) if each) + notes(dataset, planned, sections, whole)
        return Plan(payload, text, dataset, planned, offered, said, whole)

    def place(self, payload: Payload, cut: Sequence[Batch], world: World) -> tuple[PlannedBatch, ...]:
        """What brokerage says of batches in a world. Raises NothingFits where no site can ever run one."""
        choices = Choices(world, self.policy)
        bars, tape = Bars.of(world, choices.brokerage), tape_of(self.sites)
        shapes = [bars.on(shape_of(payload, _inputs(batch, tape)), self.user) for batch in cut]
        planned = tuple(_planned(batch, shape, choices) for batch, shape in zip(cut, shapes, strict=True))
        joining = bars.on(replace(shape_of(payload, Inputs()), requests=MERGE_REQUESTS), self.user)
        merges = (_planned(Batch(MERGE_BATCH, ()), joining, choices),) if merge_jobs(payload) else ()
        _refuse_impossible((*planned, *merges))
        return planned

    def _input(self, payload: Payload) -> tuple[Dataset | None, int]:
        """What a payload reads, and how many files it was chosen from; 0: from all there are."""
        if payload.search is None:
            dataset = self.catalogue.dataset(payload.dataset) if payload.dataset else None
            return dataset, len(dataset.files) if dataset else 0
        place = payload.search.place
        if not (chosen := self.catalogue.find(payload.search)):
            raise UserError(f"No file of {place} is as the input asks. `glideroute meta find` tries queries.")
        offered = len(self.catalogue.find(Search(place))) if payload.dataset else 0
        return Dataset(str(place), self.catalogue.files(chosen)), offered

    def _sections(self, payload: Payload, dataset: Dataset | None, folder: Path) -> Sections:
        """The luminosity sections of a dataset's files, where they are asked for."""
        if dataset is None or not (payload.mask or payload.split.by in BY_LUMIS):
            return Sections()
        mask = read_mask(folder / payload.mask) if payload.mask else None
        return Sections(self.memory.lumis([located.file.lfn for located in dataset.files]), mask)


def _dataset(payload: Payload) -> str:
    """The dataset that a payload reads; empty: none, or what lies below a directory."""
    of_one = payload.search is not None and payload.search.place.reach is Reach.DATASET
    return payload.dataset or (payload.search.place.name if payload.search and of_one else "")


def refuse_destination(
    name: str,
    user: str,
    storage: Mapping[str, StorageElement],
    world: World,
    tests: Mapping[str, WriteTest],
) -> None:
    """Raise UserError for a destination of outputs that nobody declares, or that takes none of the user's now."""
    if not name:
        return
    found = next((each for each in storage.values() if each.name == name), None)
    if found is None:
        known = ", ".join(sorted(each.name for each in storage.values())) or "none"
        raise UserError(f"destination: no site has a storage element named {name}. Declared are: {known}.")
    what = next((site.storage for site in world.sites if site.name == found.site), Storage())
    if what.tape:
        raise UserError(f"destination: {name} is tape, to which outputs are not written. Choose another one.")
    if user in what.over:
        raise UserError(
            f"destination: your files at {name} have used up your quota of {what.quota_mb:,} MB there. Remove some "
            "with `glideroute rm`, or choose another destination."
        )
    if not what.takes_outputs:
        raise UserError(
            f"destination: {name} is full: {what.free_mb:,} MB are free, and {what.reserve_mb:,} MB are kept. Choose "
            "another destination, or try again when there is room."
        )
    if name in tests and refuses(tests[name], world.now):
        raise UserError(
            f"destination: the stage-out agent cannot write to {name} ({tests[name].cause}): {tests[name].words}. "
            "Choose another destination, or ask whoever runs the agent; `glideroute stageout destinations` tells more."
        )


def destination_waits(name: str, tests: Mapping[str, WriteTest], now: float) -> str:
    """What somebody should know whose outputs would have to wait for their destination; empty: nothing."""
    if name not in tests or not warns(tests[name], now):
        return ""
    return (
        f"{name} takes no outputs now ({tests[name].cause}: {tests[name].words}); they wait at the sites until it does"
    )


def shape_of(payload: Payload, inputs: Inputs) -> Shape:
    """What brokerage looks at of jobs that read `inputs`."""
    return Shape(
        requests=payload.requests,
        inputs=inputs,
        allow=payload.allow,
        block=payload.block,
        group=payload.group,
        dataset=payload.dataset,
        writes=bool(payload.outputs),
    )


def read_mask(path: Path) -> Lumis:
    """The luminosity sections that a mask file names. Raises UserError where it names none."""
    try:
        with path.open() as file:
            text = file.read(MAX_MASK_BYTES + 1)
        if len(text) > MAX_MASK_BYTES:
            raise UserError(f"{path} is longer than {MAX_MASK_BYTES:,} characters, and no mask of luminosity sections.")
        found = lumis.parse(text)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}. Files are looked for beside the payload document."
        ) from None
    except ValueError as error:
        raise UserError(f'{path} {error}. A mask is JSON such as {{"148029": [[1, 50], [60, 71]]}}.') from None
    if not found:
        raise UserError(f"{path} names no luminosity section.")
    return found


def notes(
    dataset: Dataset | None, planned: Sequence[PlannedBatch], sections: Sections, whole: Sequence[Piece]
) -> tuple[str, ...]:
    """What somebody who submits this should know; `whole` is all that is read, where that is more than is planned."""
    told = (
        [f"these are probes; what they measure tells how the {len(whole):,} pieces of input are cut"] if whole else []
    )
    read = whole or [piece for each in planned for chunk in each.batch.chunks for piece in chunk.pieces]
    if dataset and sections.mask is not None:
        files = {piece.located.file.lfn for piece in read}
        if dropped := len(dataset.files) - len(files):
            told.append(f"{dropped:,} of {len(dataset.files):,} files have no luminosity section that is asked for")
    seen: dict[tuple[int, int], str] = {}
    apart = set()
    for each in planned:
        for chunk in each.batch.chunks:
            for section in (section for piece in chunk.pieces for section in piece.lumis):
                if seen.setdefault(section, each.batch.key) != each.batch.key:
                    apart.add(section)
    if apart:
        told.append(
            f"{len(apart):,} luminosity section(s) lie in files at different sites: two jobs read each, no event twice"
        )
    return tuple(told)


def _inputs(batch: Batch, tape: frozenset[str]) -> Inputs:
    return replace(inputs_of(batch.chunks), jobs=len(batch.chunks)).off(tape)


def _planned(batch: Batch, shape: Shape, choices: Choices) -> PlannedBatch:
    return PlannedBatch(batch, shape, choices.choose(shape), choices.sites_for(shape, max(len(batch.chunks), 1)))


def _refuse_impossible(planned: Iterable[PlannedBatch]) -> None:
    for each in planned:
        refused = [verdict for verdict in each.choice.verdicts if verdict.refusal]
        if each.sites or any(verdict.refusal and verdict.refusal.tag not in LASTING for verdict in refused):
            continue
        reasons = "\n".join(f"  {verdict.site}: {verdict.refusal.words}" for verdict in refused if verdict.refusal)
        raise NothingFits(f"No site can ever run batch {each.batch.key}:\n{reasons or '  no site is declared'}\n"
                          "Ask for less, or allow other sites.")  # fmt: skip
