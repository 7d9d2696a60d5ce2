"""Finding names in the namespace as one person may: every directory on the way is entered, links are followed.

What lies behind a directory that may not be entered is never told apart from what is not there.
"""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from sqlalchemy import Column, Connection, Table, insert, select

from router.errors import NotFound, PermissionRefused, UserError
from router.model.rights import DIRECTORY_MODE, HOMES, PROC, Members, Need, Rights, above, directory_of, in_proc
from router.store.bulk import chunks
from router.store.namespace_schema import changes, directories, links
from router.store.schema import files

MOST_LINKS = 8
"""Links followed on the way to one name; more are taken for a circle."""
DOING = {Need.READ: "read", Need.WRITE: "change", Need.ENTER: "enter"}
ROOT = ""
NOBODYS = Rights("", "", DIRECTORY_MODE)
"""Of directories of data services, whether they are there yet or not."""


class Walk:
    """The directories and links that one transaction has seen, and what one person may do there."""

    def __init__(self, connection: Connection, members: Members, user: str) -> None:
        """See the namespace through `connection` as `user`."""
        self.connection = connection
        self.person = members.person(user)
        self._seen: dict[str, Rights | str | None] = {}
        self._root = members.root
        self._members = members
        self._real: dict[str, str] = {}

    def load(self, named: Iterable[str]) -> None:
        """Look up many directories and all above them at once."""
        wanted = {each for name in named for each in (name, *above(name))} - self._seen.keys()
        for part in chunks(sorted(wanted)):
            self._seen.update(dict.fromkeys(part))
            for row in self.connection.execute(select(links.c.lfn, links.c.target).where(links.c.lfn.in_(part))):
                self._seen[row.lfn] = row.target
            rows = select(directories.c.lfn, directories.c.owner, directories.c.team, directories.c.mode)
            for name, *rights in self.connection.execute(rows.where(directories.c.lfn.in_(part))):
                self._seen[name] = Rights(*rights)
        for name in filter(self._members.reserves, wanted):
            there = isinstance(self._seen[name], Rights) or name in self._members.reserved
            self._seen[name] = NOBODYS if there else None

    def directory(self, name: str) -> Rights | None:
        """The rights of a directory; None where there is none."""
        found = self._at(name)
        return found if isinstance(found, Rights) else None

    def link(self, name: str) -> str | None:
        """Where a link leads; None where there is no link of this name."""
        found = self._at(name)
        return found if isinstance(found, str) else None

    def _at(self, name: str) -> Rights | str | None:
        if name not in self._seen:
            self.load([name])
        found = self._seen[name]
        return self._root if found is None and name == ROOT else found

    def real(self, name: str, follow: bool = True) -> str:
        """The name without links; a link at its end is left as it is unless it is to be followed.

        Raises PermissionRefused where a directory on the way may not be entered, and UserError for links in a circle.
        """
        done, rest, hops = ROOT, list(reversed(name.split("/")[1:])), 0
        while rest:
            self._enter(done)
            here = f"{done}/{rest.pop()}"
            target = self.link(here)
            if target is None or not (rest or follow):
                done = here
                continue
            hops += 1
            if hops > MOST_LINKS:
                raise UserError(f"{name} leads through more than {MOST_LINKS} links. Are they a circle?")
            rest.extend(reversed(target.split("/")[1:]))
            done = ROOT
        return done

    def place(self, name: str) -> str:
        """The name with the links above it followed, as its directory stands; each directory is asked once."""
        parent = directory_of(name)
        if parent not in self._real:
            found = self.real(parent)
            self._enter(found)
            self._real[parent] = found
        real = self._real[parent] + name[len(parent) :]
        if in_proc(real):
            raise PermissionRefused(f"{name} is, or leads, below {PROC}: that is computed, and nobody writes there.")
        return real

    def _enter(self, name: str) -> None:
        rights = self.directory(name)
        if rights is not None and not self.person.may(Need.ENTER, rights):
            self.refuse(Need.ENTER, name, rights)

    def enterable(self, name: str) -> bool:
        """Whether this real directory and all above it may be entered and it may be listed."""
        self.load([name])
        rights = [self.directory(each) for each in (*above(name), name)]
        if any(each is not None and not self.person.may(Need.ENTER, each) for each in rights):
            return False
        last = rights[-1]
        return last is None or self.person.may(Need.READ, last)

    def require(self, need: Need, name: str, rights: Rights) -> None:
        """Raise PermissionRefused where the rights do not grant it."""
        if not self.person.may(need, rights):
            self.refuse(need, name, rights)

    def refuse(self, need: Need, name: str, rights: Rights) -> NoReturn:
        """Raise PermissionRefused in words."""
        raise PermissionRefused(
            f"{self.person.name} may not {DOING[need]} {name or '/'}: its rights are {rights}. "
            f"{_who(rights)} can change them with `glideroute chmod`."
        )

    def make(self, name: str, now: float) -> Rights:
        """The rights of a real directory that files may be added to; made, with those above it, where it is missing.

        A home directory is made for its owner. Raises PermissionRefused, and UserError where a file has the name.
        """
        rights = self.directory(name)
        if rights is not None:
            for need in (Need.ENTER, Need.WRITE):
                self.require(need, name, rights)
            return rights
        if name == HOMES:
            made = Rights("", "", DIRECTORY_MODE)
        else:
            made = Rights(self.person.name, self._parent(name, now).group, DIRECTORY_MODE)
        refuse_taken(self.connection, [name])
        self._add(name, made, now)
        return made

    def at_home(self, name: str) -> bool:
        """Whether this is the person's home directory, or the one that holds it."""
        return name in (HOMES, f"{HOMES}/{self.person.name}")

    def _parent(self, name: str, now: float) -> Rights:
        parent = directory_of(name)
        if parent != HOMES:
            return self.make(parent, now)
        homes = self.directory(HOMES) or self.make(HOMES, now)
        if name != f"{HOMES}/{self.person.name}":
            self.require(Need.WRITE, HOMES, homes)
        return homes

    def _add(self, name: str, rights: Rights, now: float) -> None:
        row = {"lfn": name, "directory": directory_of(name), "owner": rights.owner, "team": rights.group}
        self.connection.execute(insert(directories).values(**row, mode=rights.mode, created=now))
        self._seen[name] = rights
        note(self, now, "mkdir", name)


def _who(rights: Rights) -> str:
    return rights.owner or "An administrator of the catalogue"


def note(walk: Walk, now: float, what: str, name: str, count: int = 1, detail: str = "") -> None:
    """Write down that the walk's person has changed something."""
    row = {"at": now, "user": walk.person.name, "what": what, "name": name, "count": count, "detail": detail}
    walk.connection.execute(insert(changes).values(row))


def refuse_taken(connection: Connection, named: Sequence[str]) -> None:
    """Raise UserError where one of these names stands for a file, a directory or a link already."""
    for kind, column in (("file", files.c.lfn), ("directory", directories.c.lfn), ("link", links.c.lfn)):
        for part in chunks(named):
            taken = connection.execute(select(column).where(column.in_(part)).limit(1)).scalar()
            if taken is not None:
                raise UserError(f"{taken} is a {kind} already. Choose another name.")


def rights_of(connection: Connection, table: Table, named: Sequence[str]) -> dict[str, Rights]:
    """The rights of files or datasets, by name."""
    name: Column[str] = table.primary_key.columns[0]
    columns = (name, table.c.owner, table.c.team, table.c.mode)
    return {
        row[0]: Rights(*row[1:])
        for part in chunks(named)
        for row in connection.execute(select(*columns).where(name.in_(part)))
    }


def missing(name: str) -> NotFound:
    """That nothing has this name, in words."""
    return NotFound(f"There is no file, dataset or directory {name or '/'}. `glideroute ls` lists the files.")


def readable(walk: Walk, named: Sequence[str], table: Table = files) -> dict[str, str]:
    """The real name of each file, or dataset, that may be read; those that are not there are left out.

    Raises PermissionRefused where one may not be read, with how many.
    """
    walk.load({directory_of(name) for name in named})
    real = {name: walk.place(name) for name in named}
    found = rights_of(walk.connection, table, sorted(set(real.values())))
    if absent := [name for name in named if real[name] not in found]:
        real |= {name: walk.real(name) for name in absent}  # the last part may be a link
        found |= rights_of(walk.connection, table, sorted({real[name] for name in absent}))
    refused = [name for name in named if real[name] in found and not walk.person.may(Need.READ, found[real[name]])]
    if len(refused) > 1:
        raise PermissionRefused(
            f"{walk.person.name} may not read {len(refused)} of {len(named)} file(s), the first is {refused[0]} with "
            f"the rights {found[real[refused[0]]]}. Their owners can change that with `glideroute chmod`."
        )
    if refused:
        walk.refuse(Need.READ, refused[0], found[real[refused[0]]])
    return {name: real[name] for name in named if real[name] in found}
