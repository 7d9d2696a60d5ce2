"""Outcomes of sites over windows of time, added up from the schedd's event log."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, select

from router.model.cause import Fault
from router.model.event import BUCKET_S, Tally, is_users, may_be_sites
from router.model.job import JobState
from router.model.node_outcomes import NodeTally
from router.model.site import Outcomes
from router.model.streak import Failing, Program, Streak, cases
from router.store import nodes
from router.store.schema import Database, ended, event_log, site_outcomes, site_streaks, upsert

KEEP_S = 7 * 86400
"""Older buckets are forgotten."""
READ_EVERY_S = 60.0
"""That the log was read, and nothing was new, is written down no oftener than this."""


class Windows:
    """Remembers what became of jobs at each site, and how far the event log was read for it."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._db = database

    def event_position(self) -> str:
        """How far the event log was read; empty when it never was."""
        with self._db.read() as connection:
            return str(connection.execute(select(event_log.c.position)).scalar() or "")

    def record_events(
        self,
        added: Sequence[Tally],
        position: str,
        now: float,
        in_a_row: Sequence[Streak] = (),
        at_nodes: Sequence[NodeTally] = (),
    ) -> None:
        """Add to the outcomes, and remember the position that was read up to: all of it, or nothing."""
        if not added and self._unchanged(position, now):
            return
        with self._db.write() as connection:
            _add_streaks(connection, in_a_row)
            nodes.add(connection, at_nodes, now)
            if added:
                statement = upsert(site_outcomes)
                sums = {
                    name: site_outcomes.c[name] + statement.excluded[name]  # so that a bucket may come in parts
                    for name in ("count", "seconds")
                }
                rows = [
                    {
                        "site": each.site,
                        "bucket": each.bucket,
                        "kind": each.kind,
                        "count": each.count,
                        "seconds": each.seconds,
                    }
                    for each in added
                ]
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["site", "bucket", "kind"], set_=sums), rows
                )
                connection.execute(delete(site_outcomes).where(site_outcomes.c.bucket < now - KEEP_S))
            row = {"id": 1, "position": position, "read": now}
            connection.execute(upsert(event_log).values(row).on_conflict_do_update(index_elements=["id"], set_=row))

    def _unchanged(self, position: str, now: float) -> bool:
        """Whether no more would be written down than the time, which was just now."""
        with self._db.read() as connection:
            known = connection.execute(select(event_log.c.position, event_log.c.read)).first()
        return known is not None and known.position == position and now < known.read + READ_EVERY_S

    def events_read(self) -> float:
        """When the event log was last read, seconds since the epoch and to about a minute; 0: never."""
        with self._db.read() as connection:
            return float(connection.execute(select(event_log.c.read)).scalar() or 0.0)

    def windows(self, since: float) -> dict[str, Outcomes]:
        """Outcomes at each site since about `since`, seconds since the epoch: whole buckets are counted."""
        query = (
            select(site_outcomes.c.site, site_outcomes.c.kind, func.sum(site_outcomes.c.count))
            .add_columns(func.sum(site_outcomes.c.seconds))
            .where(site_outcomes.c.bucket > since - BUCKET_S)
            .group_by(site_outcomes.c.site, site_outcomes.c.kind)
        )
        found: dict[str, dict[str, tuple[int, float]]] = {}
        with self._db.read() as connection:
            for site, kind, count, seconds in connection.execute(query):
                found.setdefault(site, {})[kind] = (count, seconds)
            known = _streaks(connection)
            against = cases(known.values(), _proven(connection, known.values()))
            bad = nodes.failing(connection, since)
        seen = {
            site: replace(_outcomes(found.get(site, {})), failing_nodes=bad.get(site, ())) for site in {*found, *known}
        }
        return {
            site: replace(each, streak=case.failures, streak_tasks=case.witnesses, streak_at=case.at)
            if (case := against.get(site))
            else each
            for site, each in seen.items()
        }


def _streaks(connection: Connection) -> dict[str, Streak]:
    """The failures in a row of the sites that have some."""
    rows = connection.execute(select(site_streaks).where(site_streaks.c.failures > 0))
    return {row.site: Streak(row.site, False, row.failures, _of(row.tasks), row.at) for row in rows}


def _of(text: str) -> tuple[Failing, ...]:
    """The failing programs as they are stored; an older release knew none."""
    with suppress(ValueError, TypeError):
        return tuple(
            Failing(Program(*program), Fault(fault), failures) for *program, fault, failures in json.loads(text)
        )
    return ()


def _text(of: Iterable[Failing]) -> str:
    return json.dumps([(*astuple(each.program), each.fault, each.failures) for each in of])


def _proven(connection: Connection, known: Iterable[Streak]) -> frozenset[Program]:
    """The failing programs of which a job ended well at some time."""
    asked = {each.program for streak in known for each in streak.of if each.fault is not Fault.SITE}
    return frozenset(program for program in asked if connection.execute(_ended_well(program)).first())


def _ended_well(program: Program) -> Select[Any]:
    jobs = ended.c.task == program.task if program.task else ended.c.cluster == program.cluster
    well = and_(ended.c.state == JobState.FINISHED, ended.c.exit_code == 0)
    return select(ended.c.cluster).where(jobs, ended.c.owner == program.owner, well).limit(1)


def _add_streaks(connection: Connection, added: Sequence[Streak]) -> None:
    known = _streaks(connection) if added else {}
    # A site that never failed needs no row.
    new = [each.after(known[each.site]) if each.site in known else each for each in added]
    rows = [
        {"site": each.site, "failures": each.failures, "tasks": _text(each.of), "at": each.at}
        for each in new
        if each.failures or each.site in known
    ]
    if rows:
        statement = upsert(site_streaks)
        told = {name: statement.excluded[name] for name in ("failures", "tasks", "at")}
        connection.execute(statement.on_conflict_do_update(index_elements=["site"], set_=told), rows)


def _outcomes(kinds: Mapping[str, tuple[int, float]]) -> Outcomes:
    first, waited = kinds.get("waited", (0, 0.0))
    causes = {kind: count for kind, (count, _) in kinds.items() if "-" in kind}
    return Outcomes(
        succeeded=_count(kinds, "finished"),
        failed=sum(count for cause, count in causes.items() if may_be_sites(cause) and not is_users(cause)),
        starts=_count(kinds, "started"),
        evictions=_count(kinds, "evicted"),
        causes=_sorted(causes.items()),
        start_s=waited / first if first else 0.0,
    )


def _count(kinds: Mapping[str, tuple[int, float]], kind: str) -> int:
    return kinds.get(kind, (0, 0.0))[0]


def _sorted(causes: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(causes, key=lambda cause: (-cause[1], cause[0])))
