"""What data services told, as part of the catalogue: files, copies and datasets that belong to nobody here.

The rows are those of every other file, so that splitting, brokerage and rights know no difference. Only the answer of
the service changes them; where it gives none, what it told last stays.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Float, Integer, String, Table, Text, delete, func, insert, select, update

from router.errors import RouterError
from router.model.data_service import Answered, ServiceAnswer
from router.model.files import Replica
from router.model.rights import DIRECTORY_MODE, FILE_MODE, above, directory_of
from router.store import placements as placed
from router.store.bulk import chunks
from router.store.lumi_sections import write_lumis
from router.store.namespace_schema import changes, directories
from router.store.schema import (
    NAME,
    WHOLE,
    Database,
    dataset_files,
    datasets,
    files,
    metadata,
    replicas,
    upsert,
)

NOBODY = ""
"""Who owns what services tell: only administrators may change it."""

service_answers = Table(
    "service_answers",
    metadata,
    Column("dataset", NAME, primary_key=True),
    Column("service", String(64), nullable=False),
    Column("asked", Float, nullable=False),
    Column("answered", Float, nullable=False),
    Column("words", Text, nullable=False),
    Column("files", Integer, nullable=False),
    Column("copies", Integer, nullable=False),
    Column("bytes", WHOLE, nullable=False),
    Column("digest", String(64), nullable=False, default=""),
)


class Mirrored:
    """Keeps what data services told last."""

    _db: Database

    def mirror(self, answer: ServiceAnswer, now: float) -> bool:
        """Take an answer over: files, copies and the dataset become as it says; all of it, or nothing.

        Returns whether a file or a copy is new or gone. Raises RouterError where a file is told to have other bytes
        than it had.
        """
        with self._db.write() as connection:
            if _is_known(connection, answer):
                _answer(connection, answer.service, answer.dataset, {"asked": now, "answered": now, "words": ""})
                return False
            known = _known(connection, [each.file.lfn for each in answer.files])
            _refuse_changed(answer, known)
            _add_files(connection, answer, known.keys(), now)
            changed = _set_copies(connection, answer)
            write_lumis(connection, answer.lumis)
            _set_dataset(connection, answer, now)
            size = sum(each.file.size for each in answer.files)
            counts = {"files": len(answer.files), "copies": answer.copies, "bytes": size}
            told = {"asked": now, "answered": now, "words": "", "digest": answer.digest, **counts}
            _answer(connection, answer.service, answer.dataset, told)
        return bool(changed) or len(known) < len(answer.files)

    def note_unanswered(self, service: str, dataset: str, words: str, now: float) -> None:
        """Remember that a service gave no answer that is believed; what it told before stays."""
        with self._db.write() as connection:
            _answer(connection, service, dataset, {"asked": now, "words": words[:1000]})

    def answered(self, datasets: Sequence[str] = ()) -> dict[str, Answered]:
        """How services answered for these datasets last, or for all that were ever asked for, by name."""
        columns = ("dataset", "service", "asked", "answered", "words", "files", "copies", "bytes")
        query = select(service_answers).order_by(service_answers.c.dataset)
        wanted = (
            [query.where(service_answers.c.dataset.in_(part)) for part in chunks(datasets)] if datasets else [query]
        )
        with self._db.read() as connection:
            rows = [row for each in wanted for row in connection.execute(each)]
        return {row.dataset: Answered(*(getattr(row, name) for name in columns)) for row in rows}

    def mirrored_dataset(self, lfn: str) -> str | None:
        """A dataset by which a data service told of a file; None: of a file that none told of."""
        told = select(func.min(dataset_files.c.dataset)).join(
            service_answers, service_answers.c.dataset == dataset_files.c.dataset
        )
        with self._db.read() as connection:
            return connection.execute(told.where(dataset_files.c.lfn == lfn)).scalar()


def _is_known(connection: Connection, answer: ServiceAnswer) -> bool:
    """Whether an answer is the last one again, and its dataset is still as large."""
    told = service_answers.c.dataset == answer.dataset
    last = connection.execute(select(service_answers.c.digest).where(told)).scalar()
    if not answer.digest or last != answer.digest:
        return False
    held = select(func.count()).select_from(dataset_files).where(dataset_files.c.dataset == answer.dataset)
    return connection.execute(held).scalar_one() == len(answer.files)


def _known(connection: Connection, lfns: Sequence[str]) -> dict[str, tuple[int, str, str]]:
    columns = (files.c.lfn, files.c.size, files.c.adler32, files.c.owner)
    return {
        row.lfn: (row.size, row.adler32, row.owner)
        for part in chunks(lfns)
        for row in connection.execute(select(*columns).where(files.c.lfn.in_(part)))
    }


def _refuse_changed(answer: ServiceAnswer, known: Mapping[str, tuple[int, str, str]]) -> None:
    for file in (each.file for each in answer.files):
        size, adler32, owner = known.get(file.lfn, (file.size, file.adler32, NOBODY))
        if (size, adler32) != (file.size, file.adler32):
            whose = f", and is {owner}'s" if owner else ""
            raise RouterError(
                f"The data service {answer.service} says that {file.lfn} has {file.size} bytes and adler32 "
                f"{file.adler32}; it is registered with {size} bytes and {adler32}{whose}. Files never change: nothing "
                "of the answer is used. Tell those who run the service, or let an administrator remove the file."
            )


def _add_files(connection: Connection, answer: ServiceAnswer, known: Iterable[str], now: float) -> None:
    there = set(known)
    fresh = [each.file for each in answer.files if each.file.lfn not in there]
    named = {directory_of(answer.dataset), *(directory_of(file.lfn) for file in fresh)}
    _make_directories(connection, named, now)
    rows = [
        {
            "lfn": file.lfn,
            "size": file.size,
            "adler32": file.adler32,
            "events": file.events,
            "owner": NOBODY,
            "created": now,
            "guid": str(uuid.uuid4()),
            "directory": directory_of(file.lfn),
            "team": "",
            "mode": FILE_MODE,
        }
        for file in fresh
    ]
    if rows:
        connection.execute(insert(files), rows)
        by = f"service {answer.service}"
        told = {"at": now, "user": by, "what": "register", "name": answer.dataset, "count": len(rows), "detail": ""}
        connection.execute(insert(changes).values(told))


def _make_directories(connection: Connection, named: Iterable[str], now: float) -> None:
    wanted = {each for name in named for each in (*above(name), name) if each}
    for part in chunks(sorted(wanted)):
        wanted -= set(connection.execute(select(directories.c.lfn).where(directories.c.lfn.in_(part))).scalars())
    rows = [
        {"lfn": each, "directory": directory_of(each), "owner": NOBODY, "team": "", "mode": DIRECTORY_MODE}
        for each in sorted(wanted)
    ]
    if rows:
        connection.execute(insert(directories), [{**row, "created": now} for row in rows])


def _set_copies(connection: Connection, answer: ServiceAnswer) -> int:
    """Make the copies those of the answer, and return how many came or went.

    A copy that somebody said to be bad stays bad while it is told of.
    """
    changed = 0
    told = {each.file.lfn: each.replicas for each in answer.files}
    for part in chunks(list(told)):
        wanted = {(lfn, copy.se): copy for lfn in part for copy in told[lfn]}
        there = select(replicas.c.lfn, replicas.c.se, replicas.c.pfn).where(replicas.c.lfn.in_(part))
        held = {(row.lfn, row.se): row.pfn for row in connection.execute(there)}
        ours = placed.pairs(connection, part)
        placed.adopt(connection, sorted(ours & wanted.keys()))
        for lfn, se in held.keys() - wanted.keys() - ours:
            connection.execute(delete(replicas).where(replicas.c.lfn == lfn, replicas.c.se == se))
        for (lfn, se), copy in wanted.items():
            if held.get((lfn, se), copy.pfn) != copy.pfn:
                moved = update(replicas).where(replicas.c.lfn == lfn, replicas.c.se == se)
                connection.execute(moved.values(pfn=copy.pfn, site=copy.site))
        changed += len((held.keys() ^ wanted.keys()) - ours)
        if rows := [_row(lfn, wanted[lfn, se]) for lfn, se in sorted(wanted.keys() - held.keys())]:
            connection.execute(insert(replicas), rows)
    return changed


def _row(lfn: str, copy: Replica) -> dict[str, Any]:
    return {"lfn": lfn, "se": copy.se, "site": copy.site, "pfn": copy.pfn, "state": "available"}


def _set_dataset(connection: Connection, answer: ServiceAnswer, now: float) -> None:
    name = answer.dataset
    if connection.execute(select(datasets.c.name).where(datasets.c.name == name)).scalar() is None:
        told = {"name": name, "directory": directory_of(name), "owner": NOBODY, "team": "", "mode": FILE_MODE}
        connection.execute(insert(datasets).values(**told, created=now))
    wanted = {each.file.lfn for each in answer.files}
    held = set(connection.execute(select(dataset_files.c.lfn).where(dataset_files.c.dataset == name)).scalars())
    for part in chunks(sorted(held - wanted)):
        gone = (dataset_files.c.dataset == name) & dataset_files.c.lfn.in_(part)
        connection.execute(delete(dataset_files).where(gone))
    if rows := [{"dataset": name, "lfn": lfn} for lfn in sorted(wanted - held)]:
        connection.execute(insert(dataset_files), rows)


def _answer(connection: Connection, service: str, dataset: str, told: Mapping[str, Any]) -> None:
    again = {**told, "service": service}
    first = {
        "answered": 0.0,
        "words": "",
        "files": 0,
        "copies": 0,
        "bytes": 0,
        "digest": "",
        **again,
        "dataset": dataset,
    }
    statement = upsert(service_answers).values(first).on_conflict_do_update(index_elements=["dataset"], set_=again)
    connection.execute(statement)
