"""The file catalogue: logical names, their copies, and datasets."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, case, delete, func, select

from router.errors import NotFound
from router.model.entry import ReplicaState
from router.model.files import Dataset, File, Located, Replica
from router.model.provenance import Maker
from router.model.rights import NO_GROUPS, Members
from router.model.task import Inputs, inputs_in
from router.store import registering
from router.store.bulk import chunks
from router.store.placement_schema import placed_files
from router.store.productions import note_made
from router.store.schema import Database, batch_inputs, dataset_files, datasets, files, replicas
from router.store.schema import batches as planned
from router.store.search import range_of
from router.store.walk import Walk

READ = replicas.c.state == ReplicaState.AVAILABLE


class Catalogue:
    """Knows which files there are, where their copies lie, and which belong together.

    What it tells is for the daemons, which see everything; what is done in somebody's name is done with their rights.
    """

    def __init__(self, database: Database, members: Members = NO_GROUPS) -> None:
        """Keep the catalogue in `database`; `members` says who is in which group."""
        self._db = database
        self.members = members

    def register(self, found: Sequence[Located], owner: str, now: float, maker: Maker | None = None) -> None:
        """Add files with their copies, and the job that made them; what is already there stays.

        All of it happens, or nothing.

        Raises UserError where a name is not allowed, or a file is registered with another size or checksum, and
        PermissionRefused where its owner may not write. A file of which no copy is left may be made again by its
        owner, and then be another. Nothing is lost for a quota: whoever is over it submits nothing more.
        """
        with self._db.write() as connection:
            walk = Walk(connection, self.members, owner)
            registering.register(walk, found, now, limited=False)
            if maker is not None:
                note_made(connection, [walk.place(each.file.lfn) for each in found], maker)

    def add_dataset(self, name: str, lfns: Sequence[str], owner: str, now: float) -> None:
        """Make the dataset if there is none, and put registered files into it. Files already in it stay."""
        with self._db.write() as connection:
            registering.add_dataset(Walk(connection, self.members, owner), name, lfns, now)

    def dataset(self, name: str) -> Dataset:
        """A dataset with its files and their copies. Raises NotFound, naming those that are there."""
        with self._db.read() as connection:
            if connection.execute(select(datasets.c.name).where(datasets.c.name == name)).scalar() is None:
                known = sorted(connection.execute(select(datasets.c.name).limit(10)).scalars())
                there = f"There are: {', '.join(known)}." if known else "None is registered yet."
                raise NotFound(f"There is no dataset {name}. {there}")
            query = select(dataset_files.c.lfn).where(dataset_files.c.dataset == name).order_by(dataset_files.c.lfn)
            lfns = list(connection.execute(query).scalars())
            return Dataset(name, tuple(located(connection, lfns)))

    def datasets(self) -> list[tuple[str, int, int]]:
        """Name, number of files and bytes of every dataset, by name."""
        query = (
            select(datasets.c.name, func.count(files.c.lfn), func.coalesce(func.sum(files.c.size), 0))
            .select_from(datasets.outerjoin(dataset_files).outerjoin(files))
            .group_by(datasets.c.name)
            .order_by(datasets.c.name)
        )
        with self._db.read() as connection:
            return [(name, count, int(size)) for name, count, size in connection.execute(query)]

    def files(self, lfns: Sequence[str]) -> tuple[Located, ...]:
        """The registered ones among `lfns`, in their order."""
        with self._db.read() as connection:
            return tuple(located(connection, lfns))

    def listing(self, directory: str) -> list[str]:
        """Every registered name at or below `directory`, sorted."""
        base = directory.rstrip("/")
        query = select(files.c.lfn).where((files.c.lfn == base) | range_of(base, files.c.lfn))
        with self._db.read() as connection:
            return sorted(connection.execute(query).scalars())

    def held(self, directory: str) -> list[str]:
        """Every registered name below `directory` of which there is a copy, sorted."""
        below = range_of(directory.rstrip("/"), replicas.c.lfn) & READ
        with self._db.read() as connection:
            return sorted(connection.execute(select(replicas.c.lfn).where(below).distinct()).scalars())

    def remove_replica(self, lfn: str, se: str) -> None:
        """Forget one copy of a file."""
        with self._db.write() as connection:
            connection.execute(delete(replicas).where(replicas.c.lfn == lfn, replicas.c.se == se))

    def inputs(self, batches: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Inputs]:
        """Bytes each (task, batch) reads, and how many of them each site holds now."""
        tasks = sorted({task for task, _ in batches})
        read: dict[tuple[str, str], int] = {}
        jobs: dict[tuple[str, str], int] = {}
        held: dict[tuple[str, str], dict[str, int]] = {}
        key = (batch_inputs.c.task, batch_inputs.c.batch)
        with self._db.read() as connection:
            for part in chunks(tasks):
                joined = batch_inputs.join(files, batch_inputs.c.lfn == files.c.lfn)
                total = select(*key, func.sum(files.c.size)).select_from(joined).where(batch_inputs.c.task.in_(part))
                for task, batch, size in connection.execute(total.group_by(*key)):
                    read[task, batch] = int(size)
                for row in connection.execute(select(planned).where(planned.c.task.in_(part))):
                    jobs[row.task, row.key] = row.jobs
                copies = joined.join(replicas, (replicas.c.lfn == files.c.lfn) & READ)
                # A site with two storage elements holds the file once.
                once = (
                    select(*key, replicas.c.site, files.c.lfn, files.c.size)
                    .select_from(copies)
                    .where(batch_inputs.c.task.in_(part))
                    .distinct()
                    .subquery()
                )
                grouped = (once.c.task, once.c.batch, once.c.site)
                for task, batch, site, size in connection.execute(
                    select(*grouped, func.sum(once.c.size)).group_by(*grouped)
                ):
                    held.setdefault((task, batch), {})[site] = int(size)
        return {
            each: Inputs(size, tuple(sorted(held.get(each, {}).items())), jobs.get(each, 1))
            for each, size in read.items()
        }

    def dataset_inputs(self, wanted: Iterable[str]) -> dict[str, Inputs]:
        """The same for whole datasets; unknown ones are left out."""
        found: dict[str, Inputs] = {}
        for name in sorted(set(wanted)):
            try:
                dataset = self.dataset(name)
            except NotFound:
                continue
            found[name] = inputs_in(dataset.files)
        return found

    def stored(self) -> dict[str, dict[str, int]]:
        """Bytes that each site holds, by the files' owners; copies that nobody asked for are nobody's."""
        ours = and_(placed_files.c.lfn == replicas.c.lfn, placed_files.c.se == replicas.c.se)
        owner = case((placed_files.c.lfn.is_(None), files.c.owner), else_="").label("owner")
        grouped = (replicas.c.site, owner)
        held = replicas.join(files).outerjoin(placed_files, ours)
        query = select(*grouped, func.sum(files.c.size)).select_from(held).group_by(*grouped)
        found: dict[str, dict[str, int]] = {}
        with self._db.read() as connection:
            for site, owner, size in connection.execute(query):
                found.setdefault(site, {})[owner] = int(size)
        return found


def located(connection: Connection, lfns: Sequence[str]) -> Iterable[Located]:
    """The registered ones among the files, with their available copies, in their order."""
    known, copies = known_files(connection, lfns), replicas_of(connection, lfns)
    return (Located(known[lfn], tuple(copies.get(lfn, ()))) for lfn in lfns if lfn in known)


def known_files(connection: Connection, lfns: Iterable[str]) -> dict[str, File]:
    """The files that are registered."""
    columns = (files.c.lfn, files.c.size, files.c.adler32, files.c.events)
    return {
        row.lfn: File(row.lfn, row.size, row.adler32, row.events)
        for part in chunks(list(lfns))
        for row in connection.execute(select(*columns).where(files.c.lfn.in_(part)))
    }


def replicas_of(connection: Connection, lfns: Iterable[str]) -> dict[str, list[Replica]]:
    """The available copies of files."""
    found: dict[str, list[Replica]] = {}
    for part in chunks(list(lfns)):
        query = select(replicas).where(replicas.c.lfn.in_(part), READ).order_by(replicas.c.lfn, replicas.c.se)
        for row in connection.execute(query):
            found.setdefault(row.lfn, []).append(Replica(row.se, row.site, row.pfn))
    return found
