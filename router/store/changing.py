"""What one person changes in the catalogue: directories, links, names, rights, copies, datasets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, literal, select, update

from router.errors import PermissionRefused, UserError
from router.model import names
from router.model.entry import Entry, Kind, ReplicaState
from router.model.files import Located
from router.model.query import Value
from router.model.rights import Need, Rights, canonical, directory_of, within
from router.store import registering
from router.store.looking import Looking, checked, entry
from router.store.metadata import Metadata
from router.store.namespace_schema import directories, links
from router.store.schema import batch_inputs, datasets, files, replicas, scope_values
from router.store.search import range_of
from router.store.transfers import transfers
from router.store.walk import ROOT, Walk, missing, note, refuse_taken, rights_of

MOST_MOVED = 100_000
"""Names that one call renames: all of it happens in one transaction, and others wait for its end."""
NAMED = ((files, files.c.lfn), (directories, directories.c.lfn), (links, links.c.lfn), (datasets, datasets.c.name))


class Changing(Looking):
    """Changes the catalogue as one person; of each call all happens, or nothing."""

    @contextmanager
    def _changing(self) -> Iterator[Walk]:
        with self._db.write() as connection:
            yield Walk(connection, self._members, self.user)

    def register(self, found: Iterable[Located], state: ReplicaState = ReplicaState.AVAILABLE) -> None:
        """Add files with their copies, which are in this state; what is already there stays."""
        with self._changing() as walk:
            registering.register(walk, found, self._now(), state)

    def place(self, name: str) -> str:
        """The name that a file registered as `name` would have: the links above it are followed."""
        with self._walk() as walk:
            real = checked(name)
            if not real:
                raise UserError("/ is a directory. Name the file in it.")
            return walk.place(real)

    def make_directory(self, name: str, parents: bool = False) -> None:
        """Make a directory, and with `parents` those above it that are missing; then it may be there already."""
        with self._changing() as walk:
            real = walk.place(checked(name))
            there = walk.directory(real)
            if there is not None and parents:
                return
            refuse_taken(walk.connection, [real])
            if there is not None:
                raise UserError("/ is a directory already. Choose another name.")
            above = directory_of(real)
            if not parents and walk.directory(above) is None and not walk.at_home(above):
                raise missing(above)
            walk.make(real, self._now())

    def link(self, target: str, name: str) -> None:
        """Make a name that leads to another, which need not be there. Raises UserError, PermissionRefused."""
        with self._changing() as walk:
            real, wanted = walk.place(checked(name)), checked(target)
            parent = directory_of(real)
            if not wanted:
                raise UserError("A link to the root directory would be a circle. Link to what is in it.")
            if walk.directory(parent) is None:
                raise missing(parent)
            walk.make(parent, self._now())
            refuse_taken(walk.connection, [real])
            row = {"lfn": real, "directory": parent, "target": wanted, "owner": self.user, "created": self._now()}
            walk.connection.execute(insert(links).values(row))
            note(walk, self._now(), "ln", real, detail=wanted)

    def move(self, old: str, new: str) -> str:
        """Rename a file, link, dataset or directory with all it holds; into `new` where that is a directory.

        Returns the new name. Physical names stay. Raises UserError, NotFound, PermissionRefused.
        """
        with self._changing() as walk:
            source = walk.place(checked(old))
            found = entry(walk, source)
            target = self._target(walk, source, checked(new))
            if found.kind is Kind.DIRECTORY and (source == ROOT or within(target, source)):
                raise UserError(f"{old} cannot be moved into itself.")
            self._refuse_taking(walk, found, source)
            if directory_of(target) != directory_of(source):
                walk.require(Need.WRITE, directory_of(target), self._parent(walk, target))
                self._refuse_other_parent(walk, found)
            refuse_taken(walk.connection, [target])
            _refuse_dataset_name(walk.connection, target)
            count = _rename(walk.connection, found, source, target)
            note(walk, self._now(), "mv", target, count, source)
            return target

    def _target(self, walk: Walk, source: str, new: str) -> str:
        real = walk.real(new)
        inside = walk.directory(real) is not None
        wanted = f"{real}/{source.rpartition('/')[2]}" if inside else walk.place(new)
        try:
            return canonical(wanted)
        except ValueError as error:  # too long
            raise UserError(f"The name {error}.") from None

    def _parent(self, walk: Walk, name: str) -> Rights:
        rights = walk.directory(directory_of(name))
        if rights is None:
            raise missing(directory_of(name))
        walk.require(Need.ENTER, directory_of(name), rights)
        return rights

    def _refuse_taking(self, walk: Walk, found: Entry, name: str) -> None:
        parent = self._parent(walk, name)
        if not walk.person.may_take(found.rights, parent):
            raise PermissionRefused(
                f"{self.user} may not take {name} out of its directory, whose rights are {parent}; it has the rights "
                f"{found.rights}."
            )

    def _refuse_other_parent(self, walk: Walk, found: Entry) -> None:
        if found.kind is Kind.DIRECTORY and not walk.person.may(Need.WRITE, found.rights):
            walk.refuse(Need.WRITE, found.name, found.rights)

    def set_mode(self, named: Sequence[str], mode: int, recursive: bool = False) -> int:
        """Give files, datasets and directories a mode, and with `recursive` all they hold that is one's own.

        Returns how many were changed. Raises PermissionRefused for what is somebody else's.
        """
        return self._set(named, {"mode": mode}, recursive, "chmod", f"{mode:o}")

    def set_owner(
        self, named: Sequence[str], owner: str | None, group: str | None = None, recursive: bool = False
    ) -> int:
        """Give them another owner, as an administrator, or another group, as a member of it; returns how many."""
        with self._db.read() as connection:
            person = Walk(connection, self._members, self.user).person
        if owner is not None and not person.admin:
            raise PermissionRefused("Only an administrator of the catalogue gives files another owner.")
        if group and not person.admin and group not in person.groups:
            raise PermissionRefused(f"{self.user} is not in the group {group}, and gives it nothing.")
        told = {"owner": _name_of(owner), "team": _name_of(group)}
        values = {column: value for column, value in told.items() if value is not None}
        return self._set(named, values, recursive, "chown", f"{owner or ''}:{group or ''}")

    def _set(self, named: Sequence[str], values: Mapping[str, object], recursive: bool, what: str, detail: str) -> int:
        count = 0
        with self._changing() as walk:
            for name in named:
                real = walk.real(checked(name))
                of_it = _of_name(walk, real)
                for table, rights in of_it:
                    if not walk.person.owns(rights):
                        raise PermissionRefused(f"{real or '/'} is {rights.owner or 'the system'}'s; only its owner "
                                                "changes its rights.")  # fmt: skip
                    count += self._set_one(walk, table, real, values)
                if recursive and any(table is directories for table, _ in of_it):
                    count += self._set_below(walk, real, values)
                note(walk, self._now(), what, real or "/", count, detail)
        return count

    def _set_one(self, walk: Walk, table: Table, real: str, values: Mapping[str, object]) -> int:
        if table is directories and real == ROOT:
            there = walk.connection.execute(select(directories.c.lfn).where(directories.c.lfn == ROOT)).scalar()
            if there is None:
                rights = self._members.root
                row = {"lfn": ROOT, "directory": ROOT, "owner": rights.owner, "team": "", "mode": rights.mode}
                walk.connection.execute(insert(directories).values(**row, created=self._now()))
        if table is not directories and "mode" in values:
            values = {**values, "mode": int(str(values["mode"])) & 0o777}
        name = table.primary_key.columns[0]
        return walk.connection.execute(update(table).where(name == real).values(values)).rowcount

    def _set_below(self, walk: Walk, directory: str, values: Mapping[str, object]) -> int:
        """The same for all below a directory that is one's own; a file gets no right to be entered."""
        count = 0
        for table, name in NAMED:
            if table is links:
                continue
            mine = range_of(directory, name)
            if not walk.person.admin:
                mine &= table.c.owner == self.user
            told = dict(values)
            if table is not directories and "mode" in told:
                told["mode"] = int(str(told["mode"])) & 0o666
            count += walk.connection.execute(update(table).where(mine).values(told)).rowcount
        return count

    # Copies

    def set_state(self, name: str, se: str, state: ReplicaState) -> None:
        """Say how a copy is; only available ones are read. Raises NotFound, PermissionRefused."""
        with self._changing() as walk:
            real, mine = _copy(walk, checked(name), se)
            walk.connection.execute(update(replicas).where(mine).values(state=state.value))
            note(walk, self._now(), f"copy {state}"[:16], real, detail=se)

    def forget_copy(self, name: str, se: str) -> None:
        """Forget a copy that is gone. Raises NotFound, PermissionRefused."""
        with self._changing() as walk:
            real, mine = _copy(walk, checked(name), se)
            walk.connection.execute(delete(replicas).where(mine))
            note(walk, self._now(), "copy gone", real, detail=se)

    # Datasets and metadata

    def add_dataset(self, name: str, named: Sequence[str]) -> None:
        """Make a dataset if there is none, and put registered files into it."""
        with self._changing() as walk:
            registering.add_dataset(walk, checked(name), [checked(each) for each in named], self._now())

    def close_dataset(self, name: str) -> None:
        """Close a dataset: its files never change, and none of them is removed. It cannot be undone."""
        with self._changing() as walk:
            real = self._dataset(walk, checked(name))
            rights = rights_of(walk.connection, datasets, [real])[real]
            registering.refuse_dataset(walk, real, rights, None)
            open_ = (datasets.c.name == real) & datasets.c.closed.is_(None)
            walk.connection.execute(update(datasets).where(open_).values(closed=self._now()))
            note(walk, self._now(), "dataset close", real)

    def describe(self, said: Mapping[str, Mapping[str, Value]]) -> None:
        """Set values of files, datasets or directories, by name and key."""
        Metadata(self._db, self._members).describe({checked(n): values for n, values in said.items()}, self.user)

    def forget(self, name: str, wanted: Sequence[str]) -> int:
        """Take back values by their keys; returns how many there were."""
        return Metadata(self._db, self._members).forget(checked(name), wanted, self.user)


def _name_of(text: str | None) -> str | None:
    try:
        return names.name(text) if text else text
    except ValueError as error:
        raise UserError(f"The owner or group {error}.") from None


def _copy(walk: Walk, name: str, se: str) -> tuple[str, ColumnElement[bool]]:
    real = walk.place(name)
    rights = rights_of(walk.connection, files, [real]).get(real)
    if rights is None:
        raise missing(name)
    walk.require(Need.WRITE, real, rights)
    mine = (replicas.c.lfn == real) & (replicas.c.se == se)
    if walk.connection.execute(select(func.count()).where(mine)).scalar() == 0:
        raise UserError(f"{name} has no copy at {se}. `glideroute replicas {name}` lists them.")
    return real, mine


def _of_name(walk: Walk, real: str) -> list[tuple[Table, Rights]]:
    """What has this name: a directory, a file or a dataset, or both a directory and a dataset."""
    there = walk.directory(real)
    found = [(directories, there)] if there is not None else []
    for table in (files, datasets):
        found += [(table, each) for each in rights_of(walk.connection, table, [real]).values()]
    if not found:
        raise missing(real)
    return found


def _refuse_dataset_name(connection: Connection, name: str) -> None:
    if connection.execute(select(datasets.c.name).where(datasets.c.name == name)).scalar():
        raise UserError(f"{name} is a dataset already. Choose another name.")


def _rename(connection: Connection, found: Entry, old: str, new: str) -> int:
    """Give what `found` is, and all below it, names that begin with `new`; returns how many were renamed."""
    if found.kind is not Kind.DIRECTORY:
        table, name = next((table, name) for table, name in NAMED if table is OF_KIND[found.kind])
        told = {name.name: new, "directory": directory_of(new)}
        connection.execute(update(table).where(name == old).values(told))
        _follow(connection, found.kind, old, new)
        return 1
    longest = max(
        connection.execute(select(func.max(func.length(name))).where(range_of(old, name))).scalar() or 0
        for _, name in NAMED
    )
    if longest - len(old) + len(new) > names.MAX_LFN:
        raise UserError(f"What is below {old} would have names of more than {names.MAX_LFN:,} characters.")
    count = sum(_rename_below(connection, table, name.name, old, new) for table, name in NAMED)
    told = {"lfn": new, "directory": directory_of(new)}
    connection.execute(update(directories).where(directories.c.lfn == old).values(told))
    for table, column in ((scope_values, "scope"), (batch_inputs, "lfn"), (transfers, "lfn")):
        _rename_below(connection, table, column, old, new)
    connection.execute(update(scope_values).where(scope_values.c.scope == old).values(scope=new))
    if count > MOST_MOVED:
        raise UserError(f"{old} holds {count:,} names; at most {MOST_MOVED:,} are renamed at once. Move its parts.")
    return count + 1


OF_KIND = {Kind.FILE: files, Kind.LINK: links, Kind.DATASET: datasets, Kind.DIRECTORY: directories}


def _follow(connection: Connection, kind: Kind, old: str, new: str) -> None:
    """What refers to a name without a foreign key."""
    if kind is Kind.FILE:
        for table in (batch_inputs, transfers):
            connection.execute(update(table).where(table.c.lfn == old).values(lfn=new))
    if kind is Kind.DATASET:
        connection.execute(update(scope_values).where(scope_values.c.scope == old).values(scope=new))


def _rename_below(connection: Connection, table: Table, column: str, old: str, new: str) -> int:
    name = table.c[column]
    told = {column: literal(new) + func.substr(name, len(old) + 1)}
    if "directory" in table.c:
        told["directory"] = literal(new) + func.substr(table.c.directory, len(old) + 1)
    return connection.execute(update(table).where(range_of(old, name)).values(told)).rowcount
