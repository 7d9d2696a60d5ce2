"""Adding files, copies and members of datasets, with the rights of whoever adds them."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, func, insert, select, update

from router.errors import NotFound, PermissionRefused, UserError
from router.model import names
from router.model.entry import ReplicaState
from router.model.files import File, Located
from router.model.rights import FILE_MODE, Need, Rights, directory_of
from router.store import bulk
from router.store import placements as placed
from router.store.bulk import chunks
from router.store.namespace_schema import directories, links, quotas, retired_copies
from router.store.schema import dataset_files, datasets, files, replicas, scope_values
from router.store.walk import Walk, note, readable, rights_of


def register(
    walk: Walk,
    found: Iterable[Located],
    now: float,
    state: ReplicaState = ReplicaState.AVAILABLE,
    limited: bool = True,
) -> None:
    """Add files with their copies; what is already there stays.

    Raises UserError and PermissionRefused; for a quota only where the files are `limited` by it.
    """
    wanted = _placed(walk, {_allowed(each.file.lfn, "register a file"): each for each in found})
    _keep_bytes(walk.connection, list(wanted))
    known = _known(walk.connection, wanted)
    _refuse_changed(walk, known, wanted)
    fresh = {lfn: each for lfn, each in wanted.items() if lfn not in known}
    if fresh:
        added = [each.file for each in fresh.values()]
        if limited:
            refuse_over_quota(walk.connection, walk.person.name, len(added), sum(file.size for file in added))
        _add_files(walk, added, now)
    _add_copies(walk, wanted, fresh.keys(), state)


def _keep_bytes(connection: Connection, lfns: Sequence[str]) -> None:
    """What lies where an older file of a name was is another's from now on, and is not removed for the older one."""
    for part in bulk.parts(connection, lfns):
        connection.execute(delete(retired_copies).where(bulk.among(connection, retired_copies.c.lfn, part)))


def _allowed(name: str, doing: str) -> str:
    try:
        return names.lfn(name)
    except ValueError as error:
        raise UserError(f"Cannot {doing}: {error}") from None


def _placed(walk: Walk, wanted: Mapping[str, Located]) -> dict[str, Located]:
    """The files by their real names."""
    walk.load({directory_of(lfn) for lfn in wanted})
    found = {}
    for lfn, each in wanted.items():
        real = walk.place(lfn)
        found[real] = each if real == lfn else replace(each, file=replace(each.file, lfn=real))
    return found


def _known(connection: Connection, wanted: Mapping[str, Located]) -> dict[str, tuple[File, Rights]]:
    columns = (files.c.lfn, files.c.size, files.c.adler32, files.c.events)
    rights = (files.c.owner, files.c.team, files.c.mode)
    return {
        row.lfn: (File(row.lfn, row.size, row.adler32, row.events), Rights(row.owner, row.team, row.mode))
        for part in bulk.parts(connection, list(wanted))
        for row in connection.execute(select(*columns, *rights).where(bulk.among(connection, files.c.lfn, part)))
    }


def _refuse_changed(walk: Walk, known: Mapping[str, tuple[File, Rights]], wanted: Mapping[str, Located]) -> None:
    for lfn, (file, _) in known.items():
        given = wanted[lfn].file
        changed = (file.size, file.adler32) != (given.size, given.adler32)
        if changed and not _replace_lost(walk, given):
            raise UserError(
                f"{lfn} is registered with {file.size} bytes and adler32 {file.adler32}, and this file has "
                f"{given.size} bytes and {given.adler32}. Files never change: register it under another name."
            )


def _replace_lost(walk: Walk, file: File) -> bool:
    """Let a file take the place of one of which its owner has no copy left; it is another, with a GUID of its own."""
    held = select(replicas.c.lfn).where(replicas.c.lfn == file.lfn).exists()
    mine = (files.c.lfn == file.lfn) & (files.c.owner == walk.person.name) & ~held
    told = {"size": file.size, "adler32": file.adler32, "events": file.events, "guid": str(uuid.uuid4())}
    return walk.connection.execute(update(files).where(mine).values(told)).rowcount > 0


def _add_files(walk: Walk, fresh: Sequence[File], now: float) -> None:
    owner, places = walk.person.name, Counter(directory_of(file.lfn) for file in fresh)
    rights = {name: walk.make(name, now) for name in sorted(places)}
    _refuse_other_kinds(walk.connection, [file.lfn for file in fresh])
    rows = [
        {
            "lfn": file.lfn,
            "size": file.size,
            "adler32": file.adler32,
            "events": file.events,
            "owner": owner,
            "created": now,
            "guid": str(uuid.uuid4()),
            "directory": (directory := directory_of(file.lfn)),
            "team": rights[directory].group,
            "mode": FILE_MODE,
        }
        for file in fresh
    ]
    bulk.add(walk.connection, files, rows)
    for name, count in sorted(places.items()):
        told = rows[0]["lfn"] if len(rows) == 1 else f"{name}/"
        note(walk, now, "register", str(told), count)


def _refuse_other_kinds(connection: Connection, lfns: Sequence[str]) -> None:
    for kind, column in (("directory", directories.c.lfn), ("link", links.c.lfn), ("dataset", datasets.c.name)):
        for part in bulk.parts(connection, lfns):
            query = select(column).where(bulk.among(connection, column, part)).limit(1)
            if taken := connection.execute(query).scalar():
                raise UserError(f"{taken} is a {kind} already. Register the file under another name.")


def refuse_over_quota(connection: Connection, owner: str, count: int, size: int) -> None:
    """Raise UserError where an owner's files would be more than their quota."""
    row = connection.execute(select(quotas).where(quotas.c.owner == owner)).first()
    if row is None:
        return
    held, used = owned(connection, owner)
    for limit, would_be, unit in ((row.files, held + count, "file(s)"), (row.bytes, used + size, "bytes")):
        if limit and would_be > limit:
            raise UserError(
                f"{owner}'s quota is {limit:,} {unit}, and there would be {would_be:,}. Remove files with "
                "`glideroute rm`, or ask an administrator of the catalogue for more."
            )


def owned(connection: Connection, owner: str) -> tuple[int, int]:
    """How many files somebody owns, and their bytes."""
    query = select(func.count(), func.coalesce(func.sum(files.c.size), 0)).where(files.c.owner == owner)
    count, size = connection.execute(query).one()
    return int(count), int(size)


def _add_copies(walk: Walk, wanted: Mapping[str, Located], fresh: Iterable[str], state: ReplicaState) -> None:
    copies = {(lfn, r.se): r for lfn, each in wanted.items() for r in each.replicas}
    old = sorted(wanted.keys() - set(fresh))
    for part in chunks(old):
        held = select(replicas.c.lfn, replicas.c.se).where(replicas.c.lfn.in_(part))
        known = [(row.lfn, row.se) for row in walk.connection.execute(held) if copies.pop((row.lfn, row.se), None)]
        placed.adopt(walk.connection, known)
    if going := sorted(copies.keys() & placed.leaving(walk.connection, old)):
        lfn, se = going[0]
        raise UserError(f"The copy of {lfn} at {se} is being removed just now. Register it again in some minutes.")
    more = sorted({lfn for lfn, _ in copies} - set(fresh))
    for name, rights in rights_of(walk.connection, files, more).items():
        walk.require(Need.WRITE, name, rights)
    rows = [
        {"lfn": lfn, "se": r.se, "site": r.site, "pfn": r.pfn, "state": state.value} for (lfn, _), r in copies.items()
    ]
    bulk.add(walk.connection, replicas, rows)


def add_dataset(walk: Walk, given: str, lfns: Sequence[str], now: float) -> None:
    """Make a dataset if there is none, and put registered files into it; files already in it stay.

    Raises UserError for a closed one, NotFound for files that are not registered, and PermissionRefused.
    """
    name = walk.place(_allowed(given, "make the dataset"))
    known = readable(walk, lfns)
    if unknown := sorted(set(lfns) - set(known)):
        raise NotFound(f"{len(unknown)} file(s) are not registered, the first is {unknown[0]}.")
    connection, owner = walk.connection, walk.person.name
    row = connection.execute(select(datasets).where(datasets.c.name == name)).first()
    if row is None:
        _refuse_other_names(connection, name)
        rights = Rights(owner, walk.make(directory_of(name), now).group, FILE_MODE)
        told = {"name": name, "directory": directory_of(name), "owner": owner, "team": rights.group}
        connection.execute(insert(datasets).values(**told, mode=rights.mode, created=now))
    else:
        refuse_dataset(walk, name, Rights(row.owner, row.team, row.mode), row.closed)
    held = set(connection.execute(select(dataset_files.c.lfn).where(dataset_files.c.dataset == name)).scalars())
    rows = [{"dataset": name, "lfn": lfn} for lfn in dict.fromkeys(known.values()) if lfn not in held]
    bulk.add(connection, dataset_files, rows)
    if connection.execute(select(scope_values.c.key).where(scope_values.c.scope == name).limit(1)).scalar():
        refuse_foreign(walk, name)
    if rows or row is None:
        note(walk, now, "dataset add", name, len(rows))


def _refuse_other_names(connection: Connection, name: str) -> None:
    for kind, column in (("file", files.c.lfn), ("link", links.c.lfn)):
        if connection.execute(select(column).where(column == name)).scalar():
            raise UserError(f"{name} is a {kind} already. Give the dataset another name.")


def refuse_dataset(walk: Walk, name: str, rights: Rights, closed: float | None) -> None:
    """Raise PermissionRefused where a dataset may not be changed, UserError where it is closed."""
    if not walk.person.may(Need.WRITE, rights):
        raise PermissionRefused(
            f"The dataset {name} belongs to {rights.owner} and its rights are {rights}; {walk.person.name} may not "
            f"change it. {rights.owner} can allow it with `glideroute chmod`."
        )
    if closed is not None:
        raise UserError(f"The dataset {name} is closed: its files never change. Make another dataset.")


def refuse_foreign(walk: Walk, dataset: str) -> None:
    """Raise PermissionRefused where a dataset whose metadata its files inherit holds files of which nothing may be
    said."""
    kinds = select(files.c.owner, files.c.team, files.c.mode).join(dataset_files).distinct()
    for row in walk.connection.execute(kinds.where(dataset_files.c.dataset == dataset)):
        if not walk.person.may(Need.WRITE, rights := Rights(*row)):
            raise PermissionRefused(
                f"What is said of the dataset {dataset} would hold for files in it that are not yours to change: some "
                f"have the rights {rights}. Say it of your own files, or of a dataset of them."
            )
