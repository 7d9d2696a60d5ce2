"""What one person removes from the catalogue, restores, and may own at most."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select

from router.errors import NotFound, PermissionRefused, UserError
from router.model.entry import Change, Entry, Kind, Quota, Removed
from router.model.rights import Need, Rights, directory_of
from router.store.bulk import chunks
from router.store.changing import Changing
from router.store.looking import checked, entry, held
from router.store.lumi_sections import file_lumis
from router.store.metadata import restore_values
from router.store.namespace_schema import changes, directories, links, quotas, removed_files, removed_replicas
from router.store.registering import owned, refuse_over_quota
from router.store.schema import dataset_files, datasets, file_values, files, keys, replicas, scope_values, upsert
from router.store.search import range_of
from router.store.walk import ROOT, Walk, note, refuse_taken, rights_of

MOST_REMOVED = 100_000
"""Files that one call removes."""
FILE_COLUMNS = ("guid", "lfn", "size", "adler32", "events", "owner", "team", "mode", "created")


class Removing(Changing):
    """Removes and restores as one person."""

    def remove(self, named: Sequence[str], recursive: bool = False, dry_run: bool = False) -> list[str]:
        """Remove files, links, datasets, and with `recursive` directories with all they hold; returns their names.

        Files can be restored, and their copies stay. With `dry_run` nothing is removed. Raises UserError for a
        directory that holds something and for files of closed datasets, NotFound, PermissionRefused.
        """
        gone: list[str] = []
        with self._changing() as walk:
            for name in named:
                real = walk.place(checked(name))
                found = entry(walk, real)
                self._refuse_taking(walk, found, real)
                gone += self._remove_one(walk, found, real, recursive, dry_run)
        return sorted(gone)

    def remove_dataset(self, name: str) -> None:
        """Remove a dataset, a closed one too; its files stay. Raises NotFound, PermissionRefused."""
        with self._changing() as walk:
            real = walk.place(checked(name))
            found = next((each for each in held(walk.connection, real) if each.kind is Kind.DATASET), None)
            if found is None:
                raise NotFound(f"There is no dataset {name}. `glideroute dataset list` lists them.")
            self._refuse_taking(walk, found, real)
            self._remove_one(walk, found, real, recursive=False, dry_run=False)

    def _remove_one(self, walk: Walk, found: Entry, real: str, recursive: bool, dry_run: bool) -> list[str]:
        whole = found.kind is Kind.DIRECTORY
        gone = self._tree(walk, real, recursive) if whole else [(found.kind, real)]
        lfns = [name for kind, name in gone if kind is Kind.FILE]
        _refuse_closed(walk.connection, lfns)
        if not dry_run:
            bury(walk.connection, lfns, self.user, self._now())
            for kind, table in ((Kind.LINK, links), (Kind.DATASET, datasets), (Kind.DIRECTORY, directories)):
                _delete(walk.connection, table, [name for each, name in gone if each is kind])
            note(walk, self._now(), "rm", real, len(gone), found.kind)
        return [name for _, name in gone]

    def _tree(self, walk: Walk, real: str, recursive: bool) -> list[tuple[Kind, str]]:
        """A directory and all it holds. Raises where a directory in it may not be emptied by this person."""
        if real == ROOT:
            raise UserError("The root directory cannot be removed.")
        found: list[tuple[Kind, str]] = []
        kinds = ((Kind.FILE, files), (Kind.LINK, links), (Kind.DATASET, datasets), (Kind.DIRECTORY, directories))
        for kind, table in kinds:
            name = table.primary_key.columns[0]
            query = select(name).where(range_of(real, name)).order_by(name).limit(MOST_REMOVED + 1)
            found += [(kind, each) for each in walk.connection.execute(query).scalars()]
        if found and not recursive:
            raise UserError(f"The directory {real} holds {len(found)} name(s). Remove it with all of them: --recursive")
        if len(found) > MOST_REMOVED:
            raise UserError(f"{real} holds more than {MOST_REMOVED:,} names. Remove its directories one by one.")
        self._refuse_tree(walk, found)
        return [*found, (Kind.DIRECTORY, real)]

    def _refuse_tree(self, walk: Walk, found: Sequence[tuple[Kind, str]]) -> None:
        walk.load({directory_of(name) for _, name in found})
        rights_at: dict[str, Rights] = {}
        for kind, table in ((Kind.FILE, files), (Kind.DATASET, datasets), (Kind.DIRECTORY, directories)):
            rights_at |= rights_of(walk.connection, table, [name for each, name in found if each is kind])
        for _, name in found:
            parent = walk.directory(directory_of(name))
            rights = rights_at.get(name, Rights(self.user, "", 0))
            if parent is not None and not walk.person.may(Need.READ, parent):
                walk.refuse(Need.READ, directory_of(name), parent)
            if parent is not None and not walk.person.may_take(rights, parent):
                raise PermissionRefused(
                    f"{self.user} may not remove from {directory_of(name)}: its rights are {parent}. "
                    "Nothing was removed."
                )

    def removed(self, directory: str = "/") -> list[Removed]:
        """The files of one's own that were removed below a directory, newest first; an administrator sees all."""
        with self._walk() as walk:
            query = select(removed_files).order_by(removed_files.c.removed.desc(), removed_files.c.lfn)
            name = checked(directory)
            query = query.where(range_of(name, removed_files.c.lfn)) if name else query
            if not walk.person.admin:
                query = query.where(removed_files.c.owner == self.user)
            return [
                Removed(row.guid, row.lfn, row.owner, row.size, row.removed, row.removed_by)
                for row in walk.connection.execute(query)
            ]

    def restore(self, name: str) -> str:
        """Bring back the file of this name, or GUID, that was removed last; returns its name.

        Its datasets take it back where they are open. Raises NotFound, UserError where the name is taken,
        PermissionRefused.
        """
        with self._changing() as walk:
            row = self._buried(walk, name)
            walk.place(row.lfn)
            walk.make(directory_of(row.lfn), self._now())
            refuse_taken(walk.connection, [row.lfn])
            refuse_over_quota(walk.connection, row.owner, 1, row.size)
            told = {each: getattr(row, each) for each in FILE_COLUMNS}
            walk.connection.execute(insert(files).values(**told, directory=directory_of(row.lfn)))
            _unbury(walk.connection, row)
            note(walk, self._now(), "restore", row.lfn)
            return str(row.lfn)

    def _buried(self, walk: Walk, name: str) -> Row[Any]:
        given = name if not name.startswith("/") else checked(name)
        found = (removed_files.c.guid == given) | (removed_files.c.lfn == given)
        query = select(removed_files).where(found).order_by(removed_files.c.removed.desc())
        if not walk.person.admin:
            query = query.where(removed_files.c.owner == self.user)
        row = walk.connection.execute(query.limit(1)).first()
        if row is None:
            raise NotFound(f"No removed file of yours is {name}. `glideroute ls --removed` lists them.")
        return row

    # Quotas

    def quotas(self) -> list[Quota]:
        """What people may own, and own; one's own alone unless one is an administrator."""
        with self._walk() as walk:
            query = select(quotas).order_by(quotas.c.owner)
            if not walk.person.admin:
                query = query.where(quotas.c.owner == self.user)
            limits = {row.owner: (row.bytes, row.files) for row in walk.connection.execute(query)}
            limits.setdefault(self.user, (0, 0))
            used = {owner: owned(walk.connection, owner) for owner in limits}
            return [
                Quota(owner, *limits[owner], used_bytes=used[owner][1], used_files=used[owner][0])
                for owner in sorted(limits)
            ]

    def set_quota(self, owner: str, size: int, count: int) -> None:
        """Limit what somebody may own, in bytes and files; 0 is no limit. Raises PermissionRefused."""
        with self._changing() as walk:
            if not walk.person.admin:
                raise PermissionRefused("Only an administrator of the catalogue sets quotas.")
            row = {"owner": owner, "bytes": size, "files": count}
            statement = upsert(quotas).values(row).on_conflict_do_update(index_elements=["owner"], set_=row)
            walk.connection.execute(statement)
            note(walk, self._now(), "quota", owner, detail=f"{size} bytes, {count} files")

    # Who changed what

    def changes(self, name: str, limit: int = 100) -> list[Change]:
        """The last changes of a name and of what was below it, newest first, to who may read it."""
        with self._walk() as walk:
            real = walk.real(checked(name))
            found = entry(walk, real)
            walk.require(Need.READ, real, found.rights)
            of = changes.c.name == (real or "/")
            if found.kind is Kind.DIRECTORY and walk.person.owns(found.rights):
                of |= range_of(real, changes.c.name)
            rows = walk.connection.execute(select(changes).where(of).order_by(changes.c.id.desc()).limit(limit))
            return [Change(row.at, row.user, row.what, row.name, row._mapping["count"], row.detail) for row in rows]


def bury(connection: Connection, lfns: Sequence[str], by: str, now: float) -> None:
    """Take files out of the catalogue, and keep what is needed to know, or restore, them."""
    for part in chunks(lfns):
        rows = connection.execute(select(files).where(files.c.lfn.in_(part))).all()
        kept = _kept(connection, part)
        told = [
            {name: getattr(row, name) for name in FILE_COLUMNS}
            | {"removed": now, "removed_by": by, "kept": json.dumps(kept.get(row.lfn, {}))}
            for row in rows
        ]
        guids = {row.lfn: row.guid for row in rows}
        copies = [
            {"guid": guids[row.lfn], "se": row.se, "site": row.site, "pfn": row.pfn, "state": row.state}
            for row in connection.execute(select(replicas).where(replicas.c.lfn.in_(part)))
        ]
        if told:
            connection.execute(insert(removed_files), told)
        if copies:
            connection.execute(insert(removed_replicas), copies)
        for table in (replicas, dataset_files, file_values, file_lumis, files):
            connection.execute(delete(table).where(table.c.lfn.in_(part)))


def _refuse_closed(connection: Connection, lfns: Sequence[str]) -> None:
    for part in chunks(lfns):
        held = select(dataset_files).join(datasets).where(datasets.c.closed.is_not(None))
        row = connection.execute(held.where(dataset_files.c.lfn.in_(part)).limit(1)).first()
        if row is not None:
            raise UserError(f"{row.lfn} is in the closed dataset {row.dataset}, whose files never change.")


def _delete(connection: Connection, table: Table, named: Sequence[str]) -> None:
    name = table.primary_key.columns[0]
    for part in chunks(named):
        if table is datasets:
            connection.execute(delete(dataset_files).where(dataset_files.c.dataset.in_(part)))
        if table is not links:
            connection.execute(delete(scope_values).where(scope_values.c.scope.in_(part)))
        connection.execute(delete(table).where(name.in_(part)))


def _kept(connection: Connection, lfns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What goes with a file: its datasets, and what is said of it."""
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(select(dataset_files).where(dataset_files.c.lfn.in_(lfns))):
        found.setdefault(row.lfn, {}).setdefault("datasets", []).append(row.dataset)
    said = select(file_values, keys.c.kind).join(keys, keys.c.key == file_values.c.key)
    for row in connection.execute(said.where(file_values.c.lfn.in_(lfns))):
        found.setdefault(row.lfn, {}).setdefault("values", []).append([row.key, row.kind, row.number, row.text])
    for row in connection.execute(select(file_lumis).where(file_lumis.c.lfn.in_(lfns))):
        found.setdefault(row.lfn, {}).setdefault("lumis", []).append([row.run, row.first, row.last])
    return found


def _unbury(connection: Connection, row: Row[Any]) -> None:
    copies = [
        {"lfn": row.lfn, "se": copy.se, "site": copy.site, "pfn": copy.pfn, "state": copy.state}
        for copy in connection.execute(select(removed_replicas).where(removed_replicas.c.guid == row.guid))
    ]
    if copies:
        connection.execute(insert(replicas), copies)
    kept = json.loads(row.kept)
    open_ = datasets.c.name.in_(kept.get("datasets", [])) & datasets.c.closed.is_(None)
    held = list(connection.execute(select(datasets.c.name).where(open_)).scalars())
    if held:
        connection.execute(insert(dataset_files), [{"dataset": name, "lfn": row.lfn} for name in held])
    if lumis := kept.get("lumis", []):
        rows = [{"lfn": row.lfn, "run": run, "first": first, "last": last} for run, first, last in lumis]
        connection.execute(insert(file_lumis), rows)
    restore_values(connection, row.lfn, kept.get("values", []))
    connection.execute(delete(removed_replicas).where(removed_replicas.c.guid == row.guid))
    connection.execute(delete(removed_files).where(removed_files.c.guid == row.guid))
