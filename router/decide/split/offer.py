"""What of a dataset there is to read: whole files, or their good luminosity sections."""

from collections.abc import Mapping

from router.decide.split.piece import Pieces, part
from router.errors import UserError
from router.model.files import Dataset
from router.model.lumis import NONE, Lumis
from router.model.payload import AUTO, BY_LUMIS, Payload
from router.model.task import Piece


def offered(payload: Payload, dataset: Dataset, lumis: Mapping[str, Lumis], mask: Lumis | None) -> Pieces:
    """The pieces of a dataset that a payload reads. Raises UserError where the catalogue says too little of it."""
    if not dataset.files:
        raise UserError(
            f"The dataset {dataset.name} is empty. `glideroute dataset show {dataset.name}` lists its files."
        )
    _refuse_lost(dataset)
    _refuse_uncounted(payload, dataset)
    if payload.split.by not in BY_LUMIS and mask is None:
        return tuple(Piece(located, 0, located.file.events) for located in dataset.files)
    _refuse_sectionless(payload, dataset, lumis)
    whole = [Piece(located, 0, located.file.events, lumis[located.file.lfn]) for located in dataset.files]
    if mask is None:
        return tuple(whole)
    good = tuple(part(piece, wanted) for piece in whole if (wanted := piece.lumis & mask))
    if not good:
        data = Lumis.of(each for piece in whole for each in piece.lumis.ranges)
        raise UserError(
            f"No job results: no luminosity section of {dataset.name} is in {payload.mask}. Runs of the mask: "
            f"{mask.runs}. Runs of the data: {data.runs}. Runs of both: {_common(mask, data)}."
        )
    return good


def _common(mask: Lumis, data: Lumis) -> str:
    both = {run for run, _, _ in mask.ranges} & {run for run, _, _ in data.ranges}
    return Lumis.sections((run, 1) for run in both).runs


def _refuse_lost(dataset: Dataset) -> None:
    if lost := [located.file.lfn for located in dataset.files if not located.replicas]:
        raise UserError(f"{len(lost)} file(s) of {dataset.name} have no copy anywhere, the first is {lost[0]}.")


def _refuse_uncounted(payload: Payload, dataset: Dataset) -> None:
    unknown = [located.file.lfn for located in dataset.files if not located.file.events]
    # A file without events has sections all the same; one that has them all has events that nobody counted.
    none_told = len(unknown) == len(dataset.files) and payload.split.by == "lumi-events"
    if (unknown and payload.split.by in ("events", AUTO)) or none_told:
        raise UserError(
            f"split by {payload.split.by} needs the number of events of every file; {len(unknown)} file(s) of "
            f"{dataset.name} do not say it, the first is {unknown[0]}. Split by files instead."
        )


def _refuse_sectionless(payload: Payload, dataset: Dataset, lumis: Mapping[str, Lumis]) -> None:
    names = [located.file.lfn for located in dataset.files]
    if unknown := [lfn for lfn in names if not lumis.get(lfn, NONE)]:
        raise UserError(
            f"The luminosity sections of {len(unknown)} file(s) of {dataset.name} are not known, the first is "
            f"{unknown[0]}. Give them in the manifest of `glideroute dataset add`, or leave out `input.lumis` and "
            f"split by files or by events."
        )
