"""What one person sees of the catalogue: nothing that their rights do not give."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from router.errors import NotFound, UserError
from router.model.entry import Copy, Entry, Kind, ReplicaState
from router.model.files import Dataset, Located, Replica
from router.model.query import Place, Reach, Search, Value
from router.model.rights import PROC, Members, Need, Person, Rights, canonical, directory_of, in_proc
from router.ports import View
from router.store.catalogue import located
from router.store.metadata import Metadata, described
from router.store.namespace_schema import directories, links
from router.store.schema import Database, dataset_files, datasets, files, replicas
from router.store.search import hits
from router.store.walk import MOST_LINKS, Walk, missing, readable

FEW = 1_000
"""Names whose directories are looked up together."""


class Looking:
    """Reads the catalogue as one person."""

    def __init__(
        self,
        database: Database,
        members: Members,
        user: str,
        now: Callable[[], float],
        proc: View | None = None,
    ) -> None:
        """Look into `database` as `user`; `now` tells the time in seconds since the epoch.

        `proc` is what there is below `/proc`; None: nothing.
        """
        self._db, self._members, self.user, self._now = database, members, user, now
        self._proc = proc

    @contextmanager
    def _walk(self) -> Iterator[Walk]:
        with self._db.read() as connection:
            yield Walk(connection, self._members, self.user)

    def stat(self, name: str, follow: bool = True) -> Entry:
        """What a name stands for; a link is followed if it is to be. Raises NotFound, PermissionRefused."""
        with self._walk() as walk:
            real = walk.real(checked(name), follow)
            if self._proc is None or not in_proc(real):
                return entry(walk, real)
        return self._seen_in_proc(self._proc, real, follow)

    def entries(self, name: str) -> list[Entry]:
        """What a directory holds, by name; of a file or dataset it alone.

        Raises NotFound, and PermissionRefused where the directory may not be read.
        """
        with self._walk() as walk:
            real = walk.real(checked(name))
            if self._proc is None or not in_proc(real):
                return self._listed(walk, real)
        found = self._seen_in_proc(self._proc, real, follow=True)
        return list(self._proc.entries(found.name, self._person)) if in_proc(found.name) else self.entries(found.name)

    def _listed(self, walk: Walk, real: str) -> list[Entry]:
        rights = walk.directory(real)
        if rights is None:
            return [entry(walk, real)]
        walk.require(Need.ENTER, real, rights)
        walk.require(Need.READ, real, rights)
        found = sorted(_held(walk.connection, real), key=lambda each: (each.name, each.kind))
        return found if real or self._proc is None else [self._proc.entry(PROC, walk.person), *found]

    @property
    def _person(self) -> Person:
        return self._members.person(self.user)

    def _seen_in_proc(self, proc: View, real: str, follow: bool) -> Entry:
        """What a name below `/proc` stands for; a link is followed, also out of it."""
        found = proc.entry(real, self._person)
        for _ in range(MOST_LINKS):
            if not follow or found.kind is not Kind.LINK:
                return found
            found = proc.entry(found.target, self._person) if in_proc(found.target) else self.stat(found.target, False)
        raise UserError(f"{real} leads through more than {MOST_LINKS} links. Are they a circle?")

    def content(self, name: str) -> bytes:
        """What a file below `/proc` holds. Raises UserError for any other, NotFound, PermissionRefused."""
        found = self.stat(name)
        if self._proc is None or not in_proc(found.name):
            raise UserError(f"{name} lies at a storage element. `glideroute get {name}` copies it.")
        return self._proc.content(found.name, self._person)

    def below(self, name: str) -> list[str]:
        """Every file below a directory, however deep, in the directories that may be listed; sorted."""
        if in_proc(checked(name)):
            return sorted(self._below_in_proc(name))
        return self.find(Search(Place(checked(name))))

    def _below_in_proc(self, name: str) -> Iterator[str]:
        """Every file of a task or a job below `/proc`; links are not followed."""
        if checked(name) == PROC:
            raise UserError(f"{PROC} has all tasks and all jobs. Name one of them: {PROC}/TASK")
        waiting = [self.stat(name).name]
        while waiting:
            for each in self.entries(waiting.pop()):
                if each.kind is Kind.DIRECTORY:
                    waiting.append(each.name)
                elif each.kind is Kind.FILE:
                    yield each.name

    def find(self, search: Search, limit: int | None = None) -> list[str]:
        """The names of the files that a search asks for, sorted; the first `limit` of those that may be seen.

        Raises UserError for a search that makes no sense, NotFound, and PermissionRefused for a dataset.
        """
        with self._walk() as walk:
            if in_proc(search.place.name):
                raise UserError(f"Nothing is said of what lies below {PROC}. `glideroute ls` lists it.")
            if search.place.reach is Reach.DATASET:
                real = self._dataset(walk, search.place.name)
                search = Search(Place(real, Reach.DATASET), search.where)
            elif search.place.name:
                search = Search(Place(walk.real(checked(search.place.name)), search.place.reach), search.where)
            return list(islice(_seen(walk, hits(walk.connection, search)), limit))

    def files(self, named: Sequence[str]) -> tuple[Located, ...]:
        """The registered ones among these, with the copies that can be read, in their order.

        Raises PermissionRefused where one may not be read.
        """
        with self._walk() as walk:
            real = readable(walk, [checked(name) for name in named])
            return tuple(located(walk.connection, list(real.values())))

    def copies(self, name: str) -> tuple[Copy, ...]:
        """All copies of a file, whatever their state. Raises NotFound, PermissionRefused."""
        with self._walk() as walk:
            wanted = checked(name)
            real = readable(walk, [wanted]).get(wanted)
            if real is None:
                raise missing(wanted)
            query = select(replicas).where(replicas.c.lfn == real).order_by(replicas.c.se)
            found = walk.connection.execute(query)
            return tuple(Copy(Replica(row.se, row.site, row.pfn), ReplicaState(row.state)) for row in found)

    def dataset(self, name: str) -> Dataset:
        """A dataset with its files and their copies.

        Raises NotFound, naming those that are there, and PermissionRefused where it or a file of it may not be read.
        """
        with self._walk() as walk:
            real = self._dataset(walk, checked(name))
            query = select(dataset_files.c.lfn).where(dataset_files.c.dataset == real).order_by(dataset_files.c.lfn)
            held = list(walk.connection.execute(query).scalars())
            readable(walk, held)
            return Dataset(real, tuple(located(walk.connection, held)))

    def datasets(self) -> list[tuple[str, int, int, bool]]:
        """Name, number of files, bytes of every dataset that may be read, by name; and whether it is closed."""
        with self._walk() as walk:
            return _datasets(walk)

    def kinds(self) -> dict[str, str]:
        """Every key of metadata, and whether it holds a `flag`, a `number` or a `text`."""
        return Metadata(self._db, self._members).kinds()

    def described(self, name: str) -> dict[str, tuple[Value, str]]:
        """Each key that holds for a file, dataset or directory: its value, and of what it is said."""
        with self._walk() as walk:
            real = walk.real(checked(name))
            walk.place(real)
            return described(walk.connection, real)

    def _dataset(self, walk: Walk, name: str) -> str:
        real = readable(walk, [name], datasets).get(name)
        if real is None:
            known = [found for found, *_ in _datasets(walk)][:10]
            there = f"There are: {', '.join(known)}." if known else "None is registered yet."
            raise NotFound(f"There is no dataset {name}. {there} {name}// would be what lies below a directory.")
        return real


def checked(name: str) -> str:
    """The canonical form of a name that somebody wrote. Raises UserError."""
    try:
        return canonical(name)
    except ValueError as error:
        raise UserError(f"The name {error}.") from None


def entry(walk: Walk, real: str) -> Entry:
    """What a real name stands for. Raises NotFound."""
    rights = walk.directory(real)
    if rights is not None:
        made = walk.connection.execute(select(directories.c.created).where(directories.c.lfn == real)).scalar()
        return Entry(real or "/", Kind.DIRECTORY, rights, made or 0.0)
    found = next(held(walk.connection, real), None)
    if found is None:
        raise missing(real)
    return found


def held(connection: Connection, name: str) -> Iterator[Entry]:
    """Everything that has one name; more than one thing only where a dataset and a directory share it."""
    return _held(connection, directory_of(name), name)


def _held(connection: Connection, directory: str, only: str | None = None) -> Iterator[Entry]:
    """What a directory holds, or what has one name: files first, then links and datasets."""
    for table, made in ((files, _file), (links, _link), (datasets, _dataset), (directories, _directory)):
        name = table.primary_key.columns[0]
        query = select(table).where(table.c.directory == directory if only is None else name == only)
        if only is None:
            query = query.where(name != "")  # the root directory is in none
        if table is files:
            count = select(func.count()).select_from(replicas).where(replicas.c.lfn == files.c.lfn)
            query = query.add_columns(count.scalar_subquery().label("copies"))
        for row in connection.execute(query):
            yield made(row)


def _datasets(walk: Walk) -> list[tuple[str, int, int, bool]]:
    query = (
        select(datasets, func.count(files.c.lfn), func.coalesce(func.sum(files.c.size), 0))
        .select_from(datasets.outerjoin(dataset_files).outerjoin(files))
        .group_by(datasets.c.name)
        .order_by(datasets.c.name)
    )
    rows = walk.connection.execute(query).all()
    walk.load({row.directory for row in rows})
    return [
        (row.name, row[-2], int(row[-1]), row.closed is not None)
        for row in rows
        if walk.enterable(row.directory) and walk.person.may(Need.READ, Rights(row.owner, row.team, row.mode))
    ]


def _file(row: Row[Any]) -> Entry:
    rights = Rights(row.owner, row.team, row.mode)
    told = {"size": row.size, "events": row.events, "adler32": row.adler32, "guid": row.guid, "copies": row.copies}
    return Entry(row.lfn, Kind.FILE, rights, row.created, **told)


def _link(row: Row[Any]) -> Entry:
    return Entry(row.lfn, Kind.LINK, Rights(row.owner, "", 0o777), row.created, target=row.target)


def _dataset(row: Row[Any]) -> Entry:
    rights = Rights(row.owner, row.team, row.mode)
    return Entry(row.name, Kind.DATASET, rights, row.created, closed=row.closed is not None)


def _directory(row: Row[Any]) -> Entry:
    return Entry(row.lfn, Kind.DIRECTORY, Rights(row.owner, row.team, row.mode), row.created)


def _seen(walk: Walk, query: Select[str]) -> Iterator[str]:
    """The names that lie in directories that may be listed."""
    open_: dict[str, bool] = {}
    for part in walk.connection.execute(query).scalars().partitions(FEW):
        wanted = {directory_of(name) for name in part} - open_.keys()
        walk.load(wanted)
        open_.update((each, walk.enterable(each)) for each in wanted)
        yield from (name for name in part if open_[directory_of(name)])
