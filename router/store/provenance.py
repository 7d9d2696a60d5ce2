"""Following files back to the jobs that made them, and what the ledger knows of these."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select

from router.errors import PermissionRefused
from router.model.files import File
from router.model.job import EndedJob
from router.model.provenance import Maker, Traced
from router.model.record import BatchRecord
from router.model.rights import Need, Rights, directory_of
from router.store.bulk import chunks
from router.store.ledger import ended_job
from router.store.looking import Looking, checked
from router.store.namespace_schema import removed_files
from router.store.productions import makers, productions
from router.store.programs import task_programs
from router.store.schema import Database, batch_inputs, batches, ended, files, tasks
from router.store.walk import Walk


class Origins:
    """What the ledger knows of single jobs and their tasks."""

    _db: Database

    def jobs_ended(self, wanted: Iterable[Maker]) -> dict[tuple[int, int], EndedJob]:
        """How jobs ended, by cluster and process; those that are not known as jobs of these tasks are left out."""
        asked = {(each.cluster, each.proc): (each.task, each.job) for each in wanted}
        procs: dict[int, list[int]] = {}
        for cluster, proc in sorted(asked):
            procs.setdefault(cluster, []).append(proc)
        found = {}
        with self._db.read() as connection:
            for cluster, held in procs.items():
                for part in chunks(held):
                    mine = (ended.c.cluster == cluster) & ended.c.proc.in_(part)
                    for row in connection.execute(select(ended).where(mine)):
                        if asked[row.cluster, row.proc] == (row.task, row.job):
                            found[row.cluster, row.proc] = ended_job(row)
        return found

    def job_ended(self, cluster: int, proc: int) -> EndedJob | None:
        """How a job ended, whose task it may only claim to be of; None while it has not."""
        query = select(ended).where(ended.c.cluster == cluster, ended.c.proc == proc)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return ended_job(row) if row else None

    def batch_of(self, cluster: int) -> BatchRecord | None:
        """The batch that became a cluster."""
        with self._db.read() as connection:
            row = connection.execute(select(batches).where(batches.c.cluster == cluster).limit(1)).first()
        return BatchRecord(row.task, row.key, row.jobs, row.cluster) if row else None

    def digests(self, task: str) -> tuple[str, str]:
        """The SHA-256 of what was submitted as a task, and of its program; empty where nobody noted it."""
        joined = tasks.outerjoin(task_programs, task_programs.c.task == tasks.c.id)
        query = select(tasks.c.digest, task_programs.c.digest).select_from(joined).where(tasks.c.id == task)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return (str(row[0]), str(row[1] or "")) if row else ("", "")

    def batch_reads(self, task: str, batch: str) -> list[str]:
        """The names of the files that the jobs of a batch read together, sorted."""
        mine = (batch_inputs.c.task == task) & (batch_inputs.c.batch == batch)
        query = select(batch_inputs.c.lfn).where(mine).order_by(batch_inputs.c.lfn)
        with self._db.read() as connection:
            return list(connection.execute(query).scalars())

    def made_in(self, task: str) -> dict[str, Maker]:
        """What the jobs of a task made that is, or was, registered: the jobs by the files' names."""
        found: dict[str, Maker] = {}
        with self._db.read() as connection:
            for table in (removed_files, files):
                joined = productions.join(table, table.c.guid == productions.c.guid)
                query = select(table.c.lfn, productions).select_from(joined).where(productions.c.task == task)
                found |= {row.lfn: Maker(row.task, row.job, row.cluster, row.proc) for row in connection.execute(query)}
        return found


class Tracing(Looking):
    """Follows files back, as one person."""

    def traced(self, named: Sequence[str]) -> Mapping[str, Traced]:
        """Each of these files that is there or was removed, and that may be read, by the name that was asked for."""
        with self._walk() as walk:
            real = _places(walk, named)
            found = _registered(walk, sorted(set(real.values())))
            gone = sorted(set(real.values()) - found.keys())
            found |= _removed(walk, gone)
            made = makers(walk.connection, [each.guid for each in found.values()])
            told = {lfn: _with(each, made.get(each.guid)) for lfn, each in found.items()}
            return {name: told[lfn] for name, lfn in real.items() if lfn in told}


def _places(walk: Walk, named: Sequence[str]) -> dict[str, str]:
    """The real name of each, of those in directories that may be entered."""
    walk.load({directory_of(name) for name in named})
    found = {}
    for name in named:
        try:
            found[name] = walk.real(checked(name))
        except PermissionRefused:
            continue
    return found


def _registered(walk: Walk, lfns: Sequence[str]) -> dict[str, Traced]:
    return {
        row.lfn: _traced(row, removed=False)
        for part in chunks(lfns)
        for row in walk.connection.execute(select(files).where(files.c.lfn.in_(part)))
        if walk.person.may(Need.READ, Rights(row.owner, row.team, row.mode))
    }


def _removed(walk: Walk, lfns: Sequence[str]) -> dict[str, Traced]:
    """The last file of each name that was removed."""
    newest = removed_files.c.removed.desc()
    found: dict[str, Traced] = {}
    for part in chunks(lfns):
        query = select(removed_files).where(removed_files.c.lfn.in_(part)).order_by(removed_files.c.lfn, newest)
        for row in walk.connection.execute(query):
            if walk.person.may(Need.READ, Rights(row.owner, row.team, row.mode)):
                found.setdefault(row.lfn, _traced(row, removed=True))
    return found


def _traced(row: Row[Any], removed: bool) -> Traced:
    file = File(row.lfn, row.size, row.adler32, row.events)
    return Traced(file, row.guid, row.created, row.owner, removed)


def _with(found: Traced, maker: Maker | None) -> Traced:
    return found if maker is None else replace(found, maker=maker)
