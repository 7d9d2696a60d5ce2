"""An HTCondor queue behind the deadline child."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from router.errors import OutcomeUnknown, PoolUnreachable
from router.pool.channel import Channel
from router.ports import Edit, Run

Rows = list[dict[str, Any]]


def _for_ever() -> float:
    return math.inf


class Queue:
    """Typed calls to one schedd and its collector, as one identity."""

    def __init__(
        self, channel: Channel, read_s: float = 30.0, write_s: float = 60.0, until: Callable[[], float] = _for_ever
    ) -> None:
        """Speak over `channel`; reads and writes must end within these many seconds.

        `until` gives the monotonic time until which writes may be made, or raises LeaseLost.
        """
        self._channel, self._read_s, self._write_s, self._until = channel, read_s, write_s, until

    def count(self, constraint: str, attributes: Sequence[str]) -> Rows:
        """Jobs by equal values of `attributes`, with their JobCount; `constraint` sees only `attributes`."""
        return self._rows("count_jobs", constraint=constraint, attributes=list(attributes))

    def query(self, constraint: str, attributes: Sequence[str], limit: int = -1) -> Rows:
        """Jobs one by one."""
        return self._rows("query_jobs", constraint=constraint, attributes=list(attributes), limit=limit)

    def history(self, constraint: str, attributes: Sequence[str], since: str = "") -> Rows:
        """Jobs that left the queue, newest first, back to where `since` is true."""
        return self._rows("history", constraint=constraint, attributes=list(attributes), since=since, limit=-1)

    def parse(self, text: str, attributes: Sequence[str]) -> Rows:
        """The ads that ClassAd text holds."""
        return self._rows("parse_ads", text=text, attributes=list(attributes))

    def ads(self, kind: str, constraint: str, attributes: Sequence[str]) -> Rows:
        """Ads of a kind from the collector."""
        return self._rows("collector_ads", kind=kind, constraint=constraint, attributes=list(attributes))

    def edit_jobs(self, edits: Sequence[Edit]) -> list[bool]:
        """Set an attribute of listed jobs to ClassAd text, edit by edit. Returns which edits were made, each whole."""
        told = [(list(edit.jobs), edit.attribute, edit.value) for edit in edits]
        return [bool(made) for made in self._write("edit_jobs", edits=told)]

    def idle_jobs(self, clusters: Sequence[int], attributes: Sequence[str]) -> list[tuple[dict[str, Any], Run]]:
        """The idle jobs of `clusters`, as runs of neighbours with equal `attributes`."""
        found = self._read("idle_jobs", clusters=list(clusters), attributes=list(attributes))
        return [(row, (run[0], run[1], run[2])) for row, run in found]

    def act(self, action: str, constraint: str, reason: str, code: int = 0) -> int:
        """`Remove`, `Hold` (with `code` as its subcode), `Release` or `Vacate` jobs. Returns how many."""
        return int(self._write("act", action=action, constraint=constraint, reason=reason, code=code))

    def submit(self, text: str, items: Sequence[Mapping[str, str]]) -> int:
        """Submit one cluster, a job for each of `items`. Returns its id."""
        return int(self._write("submit", text=text, items=[dict(item) for item in items]))

    def address(self) -> str:
        """The schedd's address; raises PoolUnreachable where it cannot be found."""
        return str(self._read("address"))

    def identity(self) -> str:
        """As whom the schedd authenticates us."""
        return str(self._read("identity"))

    def close(self) -> None:
        """End the child."""
        self._channel.close()

    def _rows(self, operation: str, **arguments: Any) -> Rows:
        rows: Rows = self._read(operation, **arguments)
        return rows

    def _read(self, operation: str, **arguments: Any) -> Any:
        try:
            return self._channel.call(operation, deadline=self._read_s, **arguments)
        except OutcomeUnknown as error:
            raise PoolUnreachable(str(error)) from None

    def _write(self, operation: str, **arguments: Any) -> Any:
        return self._channel.call(operation, deadline=self._write_s, until=self._until(), **arguments)
