"""Copies of datasets that were made because jobs waited for them: decided, made, used, and taken away again."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Row, and_, case, delete, func, not_, select, update

from router.model import names
from router.model.entry import ReplicaState
from router.model.files import StorageElement
from router.model.placement import Expire, Holding, PlacedState, Replicate
from router.model.task import Inputs
from router.store import bulk
from router.store.namespace_schema import removed_files, removed_replicas
from router.store.placement_schema import placed_files, placements
from router.store.schema import Database, dataset_files, files, replicas

CAUSES = 200
"""Characters of the words of a fault that are shown."""


class Placements:
    """Remembers these copies."""

    _db: Database

    def placements(self, dataset: str = "") -> tuple[Holding, ...]:
        """All of them, or those of one dataset, with how far each is."""
        query = select(placements).order_by(placements.c.dataset, placements.c.se)
        if dataset:
            query = query.where(placements.c.dataset == dataset)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
            counts = _counts(connection, dataset) if rows else {}
            return tuple(_holding(row, counts.get((row.dataset, row.se))) for row in rows)

    def dataset_places(self, wanted: Iterable[str]) -> dict[str, Inputs]:
        """How large datasets are, and how much of each lies where; unknown ones are left out."""
        named = dataset_files.c.dataset.in_(sorted(set(wanted)))
        held = dataset_files.join(files, files.c.lfn == dataset_files.c.lfn)
        total = select(dataset_files.c.dataset, func.sum(files.c.size)).select_from(held).where(named)
        readable = and_(replicas.c.lfn == files.c.lfn, replicas.c.state == ReplicaState.AVAILABLE)
        # A site with two storage elements holds the file once.
        each = (dataset_files.c.dataset, replicas.c.site, files.c.lfn, files.c.size)
        once = select(*each).select_from(held.join(replicas, readable)).where(named).distinct().subquery()
        at_site = (once.c.dataset, once.c.site)
        found: dict[str, dict[str, int]] = {}
        with self._db.read() as connection:
            sizes = {name: int(size) for name, size in connection.execute(total.group_by(dataset_files.c.dataset))}
            for name, site, size in connection.execute(select(*at_site, func.sum(once.c.size)).group_by(*at_site)):
                found.setdefault(name, {})[site] = int(size)
        return {name: Inputs(size, tuple(sorted(found.get(name, {}).items()))) for name, size in sizes.items()}

    def open_placement(self, wanted: Replicate, elements: Mapping[str, StorageElement], now: float) -> int:
        """Have a dataset copied to a storage element; returns how many files are to be copied.

        `elements` are those that can be read. A file is copied that has no copy there, no removed one either, and one
        that can be read elsewhere.
        """
        with self._db.write() as connection:
            sources = _sources(connection, wanted, elements)
            rows = [_file(lfn, wanted, source, path, now) for lfn, (source, path) in sorted(sources.items())]
            if not rows:
                return 0
            mine = and_(placements.c.dataset == wanted.dataset, placements.c.se == wanted.se)
            connection.execute(delete(placements).where(mine))
            told = {"dataset": wanted.dataset, "se": wanted.se, "site": wanted.site, "words": wanted.words}
            bulk.add(connection, placements, [{**told, "files": len(rows), "bytes": wanted.bytes, **_times(now)}])
            bulk.add(connection, placed_files, rows)
        return len(rows)

    def mend_sources(self, elements: Mapping[str, StorageElement], now: float) -> int:
        """Have files copied from elsewhere whose source cannot be read any more; returns how many had to change.

        A file that can be read nowhere is given up. `elements` are those that can be read.
        """
        source = and_(
            replicas.c.lfn == placed_files.c.lfn,
            replicas.c.se == placed_files.c.source,
            replicas.c.state == ReplicaState.AVAILABLE,
        )
        readable = select(replicas.c.lfn).where(source).correlate(placed_files).exists()
        waiting = placed_files.c.state == PlacedState.WAITING
        lost = select(placed_files.c.lfn, placed_files.c.se).where(waiting, not_(readable))
        with self._db.write() as connection:
            rows = connection.execute(lost).all()
            others = _readable(connection, sorted({row.lfn for row in rows}), elements)
            for row in rows:
                mine = and_(placed_files.c.lfn == row.lfn, placed_files.c.se == row.se, waiting)
                told: dict[str, Any] = {"state": PlacedState.FAILED, "words": "no copy can be read", "changed": now}
                if found := others.get(row.lfn):
                    told = {"source": found[0][0], "source_path": found[0][1], "due": now, "changed": now}
                connection.execute(update(placed_files).where(mine).values(told))
        return len(rows)

    def note_used(self, used: Iterable[Holding], now: float) -> None:
        """Remember that jobs have these copies now."""
        found = list(used)
        if not found:
            return
        with self._db.write() as connection:
            for each in found:
                mine = and_(placements.c.dataset == each.dataset, placements.c.se == each.se)
                connection.execute(update(placements).where(mine).values(used=now))

    def expire_placement(self, wanted: Expire, now: float) -> int:
        """Take a copy out of the catalogue, and have its bytes removed; returns of how many files.

        A file of which it is the only copy that can be read keeps it. What nobody began to copy is forgotten, and what
        others said to be gone is theirs.
        """
        mine = and_(placed_files.c.dataset == wanted.dataset, placed_files.c.se == wanted.se)
        here = and_(replicas.c.lfn == placed_files.c.lfn, replicas.c.se == placed_files.c.se)
        there = select(replicas.c.lfn).where(here).correlate(placed_files).exists()
        begun = placed_files.c.state.in_((PlacedState.WAITING, PlacedState.FAILED))
        with self._db.write() as connection:
            connection.execute(delete(placed_files).where(mine, begun, (placed_files.c.epoch == 0) | there))
            gone = and_(placed_files.c.state == PlacedState.PLACED, not_(there))
            connection.execute(delete(placed_files).where(mine, gone))
            leaving = and_(mine, begun | ((placed_files.c.state == PlacedState.PLACED) & _elsewhere()))
            lfns = list(connection.execute(select(placed_files.c.lfn).where(leaving)).scalars())
            told = {"state": PlacedState.LEAVING, "changed": now}
            for part in bulk.parts(connection, lfns):
                copies = and_(bulk.among(connection, replicas.c.lfn, part), replicas.c.se == wanted.se)
                connection.execute(delete(replicas).where(copies))
                chosen = and_(bulk.among(connection, placed_files.c.lfn, part), placed_files.c.se == wanted.se)
                connection.execute(update(placed_files).where(chosen).values(told))
            whole = and_(placements.c.dataset == wanted.dataset, placements.c.se == wanted.se)
            connection.execute(update(placements).where(whole).values(leaving=1))
            forget_empty(connection)
        return len(lfns)

    def placed_at(self, lfn: str) -> dict[str, Holding]:
        """The copies of a file that were made so, by storage element."""
        held = select(placed_files.c.dataset, placed_files.c.se).where(
            placed_files.c.lfn == lfn, placed_files.c.state == PlacedState.PLACED
        )
        with self._db.read() as connection:
            found = {(row.dataset, row.se) for row in connection.execute(held)}
        return {each.se: each for each in self.placements() if (each.dataset, each.se) in found} if found else {}

    def placed_mark(self) -> float:
        """When the last of these copies came or went, seconds since the epoch; 0: none ever did."""
        changed = (PlacedState.PLACED, PlacedState.LEAVING)
        query = select(func.max(placed_files.c.changed)).where(placed_files.c.state.in_(changed))
        with self._db.read() as connection:
            return float(connection.execute(query).scalar() or 0.0)


def forget_empty(connection: Connection) -> None:
    """Forget copies of which no file is left; of those whose only copies stay no more is being removed."""
    same = and_(placed_files.c.dataset == placements.c.dataset, placed_files.c.se == placements.c.se)
    held = select(placed_files.c.lfn).where(same).correlate(placements).exists()
    connection.execute(delete(placements).where(not_(held)))
    going = select(placed_files.c.lfn).where(same, placed_files.c.state == PlacedState.LEAVING)
    over = and_(placements.c.leaving == 1, not_(going.correlate(placements).exists()))
    connection.execute(update(placements).where(over).values(leaving=0))


def _times(now: float) -> dict[str, Any]:
    return {"asked": now, "used": now, "leaving": 0}


def _elsewhere() -> Any:
    """Whether a placed file has another copy that can be read, which is not to be removed."""
    other = and_(
        replicas.c.lfn == placed_files.c.lfn,
        replicas.c.se != placed_files.c.se,
        replicas.c.state == ReplicaState.AVAILABLE,
    )
    return select(replicas.c.lfn).where(other).correlate(placed_files).exists()


def _counts(connection: Connection, dataset: str) -> dict[tuple[str, str], tuple[int, int, str, int, int]]:
    def of(state: PlacedState) -> Any:
        return func.sum(case((placed_files.c.state == state, 1), else_=0))

    only = case((and_(placed_files.c.state == PlacedState.PLACED, not_(_elsewhere())), 1), else_=0)
    failed = case((placed_files.c.state == PlacedState.FAILED, placed_files.c.words), else_="")
    query = select(
        placed_files.c.dataset,
        placed_files.c.se,
        of(PlacedState.WAITING).label("waiting"),
        of(PlacedState.FAILED).label("failed"),
        of(PlacedState.PLACED).label("there"),
        func.max(failed).label("fault"),
        func.sum(only).label("only"),
    ).group_by(placed_files.c.dataset, placed_files.c.se)
    if dataset:
        query = query.where(placed_files.c.dataset == dataset)
    return {
        (row.dataset, row.se): (row.waiting, row.failed, row.fault[:CAUSES], row.there, row.only)
        for row in connection.execute(query)
    }


def _holding(row: Row[Any], counts: tuple[int, int, str, int, int] | None) -> Holding:
    waiting, failed, fault, there, only = counts or (0, 0, "", 0, 0)
    return Holding(
        row.dataset,
        row.se,
        row.site,
        row.words,
        asked=row.asked,
        used=row.used,
        files=row.files,
        bytes=row.bytes,
        waiting=waiting,
        failed=failed,
        fault=fault,
        there=there,
        only=only,
        leaving=bool(row.leaving),
    )


def _sources(
    connection: Connection, wanted: Replicate, elements: Mapping[str, StorageElement]
) -> dict[str, tuple[str, str]]:
    """Where each file of a dataset that is missing at a storage element is read from, and its name there."""
    lfns = list(
        connection.execute(select(dataset_files.c.lfn).where(dataset_files.c.dataset == wanted.dataset)).scalars()
    )
    refused: set[str] = set()
    for part in bulk.parts(connection, lfns):
        there = select(replicas.c.lfn).where(replicas.c.se == wanted.se)
        refused |= set(connection.execute(there.where(bulk.among(connection, replicas.c.lfn, part))).scalars())
        refused |= _taken(connection, wanted.se, elements, part)
        for table_lfn, query in (
            (placed_files.c.lfn, select(placed_files.c.lfn).where(placed_files.c.se == wanted.se)),
            (removed_files.c.lfn, _removed_at(wanted.se)),
        ):
            refused |= set(connection.execute(query.where(bulk.among(connection, table_lfn, part))).scalars())
    # What has several copies is read from all of them alike.
    return {
        lfn: copies[zlib.crc32(lfn.encode()) % len(copies)]
        for lfn, copies in _readable(connection, lfns, elements).items()
        if lfn not in refused
    }


def _readable(
    connection: Connection, lfns: Sequence[str], elements: Mapping[str, StorageElement]
) -> dict[str, list[tuple[str, str]]]:
    """The storage elements where files can be read, each with the file's name there; sorted.

    The agent may read more than a user may, so that a copy that users registered counts only where the physical name
    is the logical one's. Of data services alone, whose files are nobody's, another name is believed.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    held = select(replicas, files.c.owner).join(files, files.c.lfn == replicas.c.lfn).order_by(replicas.c.se)
    for part in bulk.parts(connection, lfns):
        available = held.where(replicas.c.state == ReplicaState.AVAILABLE)
        for row in connection.execute(available.where(bulk.among(connection, replicas.c.lfn, part))):
            path = below(row.pfn, elements.get(row.se))
            if path and (path == row.lfn or not row.owner):
                found.setdefault(row.lfn, []).append((row.se, path))
    return found


def _taken(connection: Connection, se: str, elements: Mapping[str, StorageElement], lfns: Sequence[str]) -> set[str]:
    """Those of the files whose place at a storage element another file has, which was renamed."""
    places = {elements[se].pfn(lfn): lfn for lfn in lfns} if se in elements else {}
    there = and_(replicas.c.se == se, bulk.among(connection, replicas.c.pfn, list(places)))
    return {places[pfn] for pfn in connection.execute(select(replicas.c.pfn).where(there)).scalars()}


def _removed_at(se: str) -> Any:
    """The names of removed files whose bytes may still lie at a storage element."""
    return select(removed_files.c.lfn).join(removed_replicas).where(removed_replicas.c.se == se)


def below(pfn: str, element: StorageElement | None) -> str:
    """The name of a copy below the prefix of its storage element; empty where it is not below, or is no name."""
    if element is None or not pfn.startswith(prefix := element.prefix.rstrip("/") + "/"):
        return ""
    try:
        return names.lfn("/" + unquote(pfn.removeprefix(prefix)))
    except ValueError:
        return ""


def _file(lfn: str, wanted: Replicate, source: str, path: str, now: float) -> dict[str, Any]:
    where = {"lfn": lfn, "se": wanted.se, "dataset": wanted.dataset, "path": lfn, "source": source}
    begun = {"state": PlacedState.WAITING, "epoch": 0, "tries": 0, "due": now, "cause": "", "words": "", "changed": now}
    return {**where, "source_path": path, **begun}


def pairs(connection: Connection, lfns: Sequence[str]) -> set[tuple[str, str]]:
    """The copies of files that are made so, by file and storage element."""
    query = select(placed_files.c.lfn, placed_files.c.se)
    return {
        (row.lfn, row.se)
        for part in bulk.parts(connection, lfns)
        for row in connection.execute(query.where(bulk.among(connection, placed_files.c.lfn, part)))
    }


def adopt(connection: Connection, copies: Sequence[tuple[str, str]]) -> None:
    """Make copies, by file and storage element, those of whoever registers them: they are not taken away again."""
    for lfn, se in copies:
        mine = and_(placed_files.c.lfn == lfn, placed_files.c.se == se, placed_files.c.state == PlacedState.PLACED)
        connection.execute(delete(placed_files).where(mine))


def leaving(connection: Connection, lfns: Sequence[str]) -> set[tuple[str, str]]:
    """The copies of files whose bytes are being removed, by file and storage element."""
    query = select(placed_files.c.lfn, placed_files.c.se).where(placed_files.c.state == PlacedState.LEAVING)
    return {
        (row.lfn, row.se)
        for part in bulk.parts(connection, lfns)
        for row in connection.execute(query.where(bulk.among(connection, placed_files.c.lfn, part)))
    }
