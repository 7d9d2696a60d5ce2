"""The decision log: what was decided, when, why, and what became of it. Written before the edit it explains."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from router.model.action import Action, Diagnose, Mend, Place, Refusal, Release, Vacate, Verdict, Wait
from router.model.audit import AuditEntry
from router.model.cause import Cure
from router.model.record import DecisionRecord, OpenDecision
from router.store.audit import append
from router.store.bulk import chunks
from router.store.schema import Database, decisions

OPEN = ("pending", "superseded", "unknown", "tagged")
"""Outcomes of a decision that is not applied."""


MOST_VERDICTS = 50
"""Verdicts kept with a decision, best first; `why` tells all of them as they are now."""


class DecisionLog:
    """Remembers decisions with their verdicts."""

    def __init__(self, database: Database) -> None:
        """Keep the log in `database`."""
        self._db = database

    def note(self, action: Action, now: float) -> int:
        """`note_all` for one action."""
        return self.note_all((action,), now)[0]

    def note_all(self, actions: Sequence[Action], now: float) -> list[int]:
        """Write down actions that are about to be applied; returns their numbers for `settle_all`.

        An action that was tried before and not applied keeps its row, which is open again: a router that dies after
        the edit would otherwise leave a decision in force that the log calls superseded.
        """
        rows = [_row(action, now) for action in actions]
        with self._db.write() as connection:
            last = _newest(connection, sorted({row["cluster"] for row in rows}))
            numbers = _each_once(_tried(row, last.get(row["cluster"])) for row in rows)
            if again := [{"number": number} for number in numbers if number is not None]:
                query = update(decisions).where(decisions.c.id == bindparam("number"))
                connection.execute(query.values(outcome="pending"), again)
            if new := [row for row, number in zip(rows, numbers, strict=True) if number is None]:
                added = insert(decisions).returning(decisions.c.id, sort_by_parameter_order=True)
                made = iter(connection.execute(added, new).scalars().all())
                numbers = [next(made) if number is None else number for number in numbers]
        return [number for number in numbers if number is not None]

    def settle(self, number: int, outcome: str) -> None:
        """`settle_all` for one action."""
        self.settle_all(((number, outcome),))

    def settle_all(self, outcomes: Iterable[tuple[int, str]]) -> None:
        """Write down what became of actions, by their numbers."""
        told = list(outcomes)
        if rows := [{"number": number, "became": outcome} for number, outcome in told]:
            query = update(decisions).where(decisions.c.id == bindparam("number"))
            with self._db.write() as connection:
                connection.execute(query.values(outcome=bindparam("became")), rows)
                append(connection, _settled(connection, [number for number, _ in told]))

    def open(self) -> list[OpenDecision]:
        """Decisions whose outcome nobody knows."""
        query = select(decisions).where(decisions.c.outcome.in_(("pending", "unknown")))
        with self._db.read() as connection:
            return [
                OpenDecision(row.id, row.cluster, row.kind, row.epoch, _names(row.sites))
                for row in connection.execute(query)
            ]

    def of_task(self, task: str, limit: int = 1000) -> list[DecisionRecord]:
        """The decisions on a task's jobs, oldest first."""
        query = select(decisions).where(decisions.c.task == task).order_by(decisions.c.id).limit(limit)
        with self._db.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def of_cluster(self, cluster: int, limit: int = 1000) -> list[DecisionRecord]:
        """The decisions on a cluster's jobs, oldest first."""
        query = select(decisions).where(decisions.c.cluster == cluster).order_by(decisions.c.id).limit(limit)
        with self._db.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def newest(self, clusters: Sequence[int]) -> dict[int, DecisionRecord]:
        """The last decision on each of `clusters`."""
        with self._db.read() as connection:
            return {cluster: _record(row) for cluster, row in _newest(connection, clusters).items()}


def _settled(connection: Connection, numbers: Sequence[int]) -> Iterator[AuditEntry]:
    """What the audit tells of decisions whose outcome has just been written down."""
    for some in chunks(numbers):
        part = decisions.c.id.in_(some)
        told = (decisions.c[name] for name in ("at", "kind", "jobs", "cluster", "sites", "outcome", "words", "task"))
        for row in connection.execute(select(*told).where(part).order_by(decisions.c.id)):
            about = f"{row.jobs} job(s) of cluster {row.cluster}" + (f" for {row.sites}" if row.sites else "")
            yield AuditEntry(
                row.at, "router", row.kind, about, row.outcome, row.words, task=row.task, cluster=row.cluster
            )


def _newest(connection: Connection, clusters: Sequence[int]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    for some in chunks(clusters):
        part = decisions.c.cluster.in_(some)
        newest = select(func.max(decisions.c.id)).where(part).group_by(decisions.c.cluster)
        for row in connection.execute(select(decisions).where(decisions.c.id.in_(newest))):
            found[row.cluster] = row
    return found


def _each_once(numbers: Iterable[int | None]) -> list[int | None]:
    """Numbers without repetition: parts of a cluster may be given the same sites, with different outcomes."""
    found: list[int | None] = []
    taken: set[int] = set()
    for number in numbers:
        found.append(None if number in taken else number)
        taken |= {number} if number is not None else set()
    return found


def _tried(row: Mapping[str, Any], last: Row[Any] | None) -> int | None:
    """The number of the same action where it is the cluster's last one and was not applied."""
    if last is None or last.outcome not in OPEN:
        return None
    same = all(getattr(last, key) == row[key] for key in ("kind", "epoch", "sites", "came_from"))
    return int(last.id) if same else None


def _row(action: Action, now: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cluster": action.cluster,
        "task": action.task,
        "batch": "",
        "epoch": 0,
        "jobs": 0,
        "sites": "",
        "came_from": "",
        "verdicts": "[]",
        "at": now,
        "outcome": "pending",
    }
    match action:
        case Place(decision=decision):
            row |= {
                "kind": "move" if action.is_move else "place",
                "batch": action.batch,
                "epoch": decision.epoch,
                "jobs": action.count,
                "sites": ",".join(decision.sites),
                "came_from": ",".join(decision.came_from),
                "tag": decision.tag,
                "words": decision.words,
                "verdicts": _dump(action.verdicts),
            }
        case Wait():
            row |= {
                "kind": "wait",
                "batch": action.batch,
                "jobs": action.count,
                "tag": "nothing-fits",
                "words": action.words,
                "verdicts": _dump(action.verdicts),
            }
        case Release():
            row |= {"kind": "release", "tag": "parts-ready", "words": action.words}
        case Vacate(decision=decision):
            row |= {
                "kind": "vacate",
                "batch": action.batch,
                "epoch": decision.epoch,
                "jobs": action.count,
                "came_from": action.site,
                "tag": decision.tag,
                "words": action.words,
            }
        case Diagnose() | Mend():
            row |= _treatment(action)
    return row


def _treatment(action: Diagnose | Mend) -> dict[str, Any]:
    kind = "mend" if isinstance(action, Mend) else "give-up" if action.remedy.cure is Cure.NONE else "retry"
    return {
        "kind": kind,
        "batch": action.batch,
        "epoch": action.remedy.hold,
        "jobs": action.count,
        "came_from": action.hold.site,
        "tag": action.remedy.cause,
        "words": action.words,
    }


def _dump(verdicts: Sequence[Verdict]) -> str:
    return json.dumps([asdict(verdict) for verdict in verdicts[:MOST_VERDICTS]])


def _record(row: Row[Any]) -> DecisionRecord:
    return DecisionRecord(
        row.cluster,
        row.task,
        row.batch,
        row.kind,
        row.epoch,
        row.jobs,
        _names(row.sites),
        _names(row.came_from),
        row.tag,
        row.words,
        tuple(_verdict(each) for each in json.loads(row.verdicts)),
        row.at,
        row.outcome,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _verdict(each: dict[str, Any]) -> Verdict:
    refusal = Refusal(**each["refusal"]) if each["refusal"] else None
    return Verdict(each["site"], refusal, each["score"], tuple((name, value) for name, value in each["terms"]))
