"""The decision log: what was decided, when, why, and what became of it. Written before the edit it explains."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select, update

from router.model.action import Place, Refusal, Release, Verdict, Wait
from router.model.record import DecisionRecord, OpenDecision
from router.store.schema import Database, decisions

OPEN = ("pending", "superseded", "unknown")
"""Outcomes of a decision that is not applied."""


class DecisionLog:
    """Remembers decisions with their verdicts."""

    def __init__(self, database: Database) -> None:
        """Keep the log in `database`."""
        self._db = database

    def note(self, action: Place | Wait | Release, now: float) -> int:
        """Write down an action that is about to be applied; returns its number for `settle`.

        An action that was tried before and not applied keeps its row.
        """
        row = _row(action, now)
        same = [decisions.c[key] == row[key] for key in ("cluster", "kind", "epoch", "sites", "came_from")]
        with self._db.write() as connection:
            last = select(decisions.c.id).where(decisions.c.cluster == action.cluster).order_by(decisions.c.id.desc())
            tried = select(decisions.c.id).where(
                decisions.c.id == last.limit(1).scalar_subquery(), decisions.c.outcome.in_(OPEN), *same
            )
            if (number := connection.execute(tried).scalar()) is not None:
                return int(number)
            result = connection.execute(insert(decisions).values(row))
            assert result.inserted_primary_key is not None  # noqa: S101 - a table with a key always returns it
            return int(result.inserted_primary_key[0])

    def settle(self, number: int, outcome: str) -> None:
        """Write down what became of it."""
        with self._db.write() as connection:
            connection.execute(update(decisions).where(decisions.c.id == number).values(outcome=outcome))

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
        found: dict[int, DecisionRecord] = {}
        with self._db.read() as connection:
            for start in range(0, len(clusters), 500):
                part = clusters[start : start + 500]
                query = select(decisions).where(decisions.c.cluster.in_(part)).order_by(decisions.c.id)
                for row in connection.execute(query):
                    found[row.cluster] = _record(row)
        return found


def _row(action: Place | Wait | Release, now: float) -> dict[str, Any]:
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
    return row


def _dump(verdicts: Sequence[Verdict]) -> str:
    return json.dumps([asdict(verdict) for verdict in verdicts])


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
