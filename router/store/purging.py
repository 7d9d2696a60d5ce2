"""Copies of files that were removed long ago: which may go, and taking them off what can be restored.

The bytes go afterwards, with those of joined parts: what is listed in `retired_copies` is removed until it is gone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, delete, func, insert, select, tuple_

from router.model.audit import AuditEntry
from router.model.entry import Purgeable
from router.model.files import Replica
from router.model.rights import HOMES, directory_of
from router.store import audit, bulk
from router.store.joined import AGENT
from router.store.namespace_schema import changes, removed_files, removed_replicas, retired_copies
from router.store.schema import Database, batches, ended, files, replicas, upsert


class Purging:
    """Knows the copies of removed files."""

    _db: Database

    def removed_before(self, when: float, after: tuple[float, str], most: int) -> tuple[Purgeable, ...]:
        """Files with copies that were removed before `when`, as they were; those after the one of a time and GUID."""
        columns = (removed_files.c.guid, removed_files.c.lfn, removed_files.c.owner, removed_files.c.removed)
        has = select(removed_replicas.c.guid).where(removed_replicas.c.guid == removed_files.c.guid)
        query = select(*columns).where(removed_files.c.removed < when, has.exists())
        order = (removed_files.c.removed, removed_files.c.guid)
        later = tuple_(*order) > tuple_(*after)
        with self._db.read() as connection:
            rows = connection.execute(query.where(later).order_by(*order).limit(most)).all()
            copies = _copies(connection, [row.guid for row in rows])
            shared = _shared(connection, [copy.pfn for held in copies.values() for copy in held], when)
        return tuple(
            Purgeable(*row, tuple(copies[row.guid]), any(copy.pfn in shared for copy in copies[row.guid]))
            for row in rows
        )

    def purge(self, wanted: Sequence[Purgeable], when: float, now: float) -> tuple[Purgeable, ...]:
        """Let copies of files that were removed before `when` be restored no more, and have their bytes removed.

        All of it happens, or nothing. Returns the files of which it is so: not those that were restored meanwhile,
        whose name or bytes are another's by now, or of whose task jobs are left.
        """
        with self._db.write() as connection:
            taken = _taken(connection, [each.guid for each in wanted], when)
            busy = _busy(connection, {task for each in wanted if (task := _task_of(each.lfn))})
            gone = [each for each in wanted if each.guid not in taken and _task_of(each.lfn) not in busy]
            held = _copies(connection, [each.guid for each in gone])
            gone = [each for each in gone if tuple(held.get(each.guid, ())) == each.copies]
            rows = [
                {"lfn": each.lfn, "se": copy.se, "task": _task_of(each.lfn), "at": now}
                for each in gone
                for copy in each.copies
            ]
            if rows:
                connection.execute(upsert(retired_copies).on_conflict_do_nothing(), rows)
            for part in bulk.parts(connection, [each.guid for each in gone]):
                mine = bulk.among(connection, removed_replicas.c.guid, part)
                connection.execute(delete(removed_replicas).where(mine))
            _note(connection, gone, now)
        return tuple(gone)


def _copies(connection: Connection, guids: Sequence[str]) -> dict[str, list[Replica]]:
    found: dict[str, list[Replica]] = {}
    for part in bulk.parts(connection, guids):
        query = select(removed_replicas).where(bulk.among(connection, removed_replicas.c.guid, part))
        for row in connection.execute(query.order_by(removed_replicas.c.guid, removed_replicas.c.se)):
            found.setdefault(row.guid, []).append(Replica(row.se, row.site, row.pfn))
    return found


def _shared(connection: Connection, pfns: Sequence[str], when: float) -> set[str]:
    """Physical names that other files have: renamed ones, or others by whoever said so, which may be restored, too.

    It looks at all copies, since no index has their physical names.
    """
    found: set[str] = set()
    there = select(replicas.c.pfn)
    kept = select(removed_replicas.c.pfn).join(removed_files).where(removed_files.c.removed >= when)
    for part in bulk.parts(connection, pfns):
        for query, pfn in ((there, replicas.c.pfn), (kept, removed_replicas.c.pfn)):
            found.update(connection.execute(query.where(bulk.among(connection, pfn, part))).scalars())
    return found


def _taken(connection: Connection, guids: Sequence[str], when: float) -> set[str]:
    """Files whose names are others' by now: of files that are there, or that were removed later."""
    found: set[str] = set()
    guid, later = removed_files.c.guid, removed_files.alias()
    named = select(guid).join(files, files.c.lfn == removed_files.c.lfn)
    follows = select(guid).join(later, and_(later.c.lfn == removed_files.c.lfn, later.c.removed >= when))
    for part in bulk.parts(connection, guids):
        for query in (named, follows):
            found.update(connection.execute(query.where(bulk.among(connection, guid, part))).scalars())
    return found


def _task_of(lfn: str) -> str:
    """The task of which a name would be an output: `/user/OWNER/TASK/…`; empty for any other name."""
    parts = lfn.split("/")
    return parts[3] if lfn.startswith(f"{HOMES}/") and len(parts) > 4 else ""


def _busy(connection: Connection, named: Iterable[str]) -> set[str]:
    """Tasks that have jobs left, which may make their outputs again."""
    wanted = sorted(named)
    injected: Counter[str] = Counter()
    over: Counter[str] = Counter()
    for part in bulk.parts(connection, wanted):
        jobs = select(batches.c.task, func.sum(batches.c.jobs)).group_by(batches.c.task)
        injected.update({task: int(count) for task, count in connection.execute(jobs.where(batches.c.task.in_(part)))})
        done = select(ended.c.task, func.count()).group_by(ended.c.task)
        over.update({task: count for task, count in connection.execute(done.where(ended.c.task.in_(part)))})
    return {task for task in wanted if over[task] < injected[task]}


def _note(connection: Connection, gone: Sequence[Purgeable], now: float) -> None:
    places = Counter(directory_of(each.lfn) for each in gone)
    told = {"at": now, "user": AGENT, "what": "purge", "detail": ""}
    if rows := [{**told, "name": f"{name}/", "count": count} for name, count in sorted(places.items())]:
        connection.execute(insert(changes), rows)
    owners = Counter(each.owner for each in gone)
    entries = [
        AuditEntry(now, AGENT, "purge", f"files of {owner}", "done", f"copies of {count} file(s) that were removed")
        for owner, count in sorted(owners.items())
    ]
    if entries:
        audit.append(connection, entries)
