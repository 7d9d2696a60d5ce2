"""What follows from what the catalogue, the ledger and the jobs' own words say of where files come from."""

from collections.abc import Sequence

from router.model.provenance import Artifact, Source, Standing, Traced, Use
from router.model.task import Chunk


def artifact(lfn: str, use: Use | None, known: Traced | None) -> Artifact:
    """A file of a lineage: as a job read it, and as the catalogue knows it now.

    Where another file has its name by now, what the catalogue says of that one is left out.
    """
    read = use or Use(lfn)
    if known is None:
        return Artifact(lfn, Standing.UNSEEN, read.size, read.adler32)
    file = known.file
    other_size = read.size >= 0 and read.size != file.size
    if other_size or (read.adler32 and read.adler32 != file.adler32):
        return Artifact(lfn, Standing.CHANGED, read.size, read.adler32)
    standing = Standing.REMOVED if known.removed else Standing.REGISTERED
    told = (file.size, file.adler32, file.events, known.guid, known.owner, known.created, known.maker)
    return Artifact(lfn, standing, *told)


def reads(given: Chunk | None, fetched: Sequence[Use], ledger: Sequence[str]) -> tuple[tuple[Use, ...], Source]:
    """What a job read, and who tells: what it was given, as far as that is known, with where its wrapper fetched it."""
    if given is not None and given.pieces:
        where = {each.lfn: each.se for each in fetched}
        uses = tuple(
            Use(
                piece.located.file.lfn,
                piece.located.file.size,
                piece.located.file.adler32,
                piece.first_event,
                piece.events,
                piece.lumis,
                where.get(piece.located.file.lfn, ""),
            )
            for piece in given.pieces
        )
        told = all(use.se for use in uses)
        return uses, Source.REPORT if told else Source.DESCRIPTION
    if fetched:
        return tuple(fetched), Source.REPORT
    if given is not None:
        return (), Source.DESCRIPTION
    return tuple(Use(lfn) for lfn in ledger), Source.BATCH if ledger else Source.NOBODY
