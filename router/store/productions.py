"""Which job made which file. A file is known by its GUID, so that it may be renamed, removed and restored."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, Integer, String, Table, select

from router.model.provenance import Maker
from router.store.bulk import chunks
from router.store.schema import files, metadata, upsert

productions = Table(
    "productions",
    metadata,
    Column("guid", String(36), primary_key=True),
    Column("task", String(96), nullable=False),
    Column("job", String(16), nullable=False),
    Column("cluster", Integer, nullable=False),
    Column("proc", Integer, nullable=False),
    Index("productions_by_job", "task", "job"),
)


def note_made(connection: Connection, lfns: Sequence[str], maker: Maker) -> None:
    """Remember which job made these files, by their real names; of one made again alike, the job that did so last."""
    told = {"task": maker.task, "job": maker.job, "cluster": maker.cluster, "proc": maker.proc}
    for part in chunks(lfns):
        guids = connection.execute(select(files.c.guid).where(files.c.lfn.in_(part))).scalars().all()
        if guids:
            statement = upsert(productions).on_conflict_do_update(index_elements=["guid"], set_=told)
            connection.execute(statement, [{"guid": guid, **told} for guid in guids])


def makers(connection: Connection, guids: Sequence[str]) -> dict[str, Maker]:
    """The jobs that made files, by the files' GUIDs."""
    return {
        row.guid: Maker(row.task, row.job, row.cluster, row.proc)
        for part in chunks(guids)
        for row in connection.execute(select(productions).where(productions.c.guid.in_(part)))
    }
