"""Outcomes of single nodes over windows of time; remembered together with those of their sites."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, Integer, String, Table, delete, func, select

from router.model.event import BUCKET_S
from router.model.node_outcomes import NodeTally
from router.store.schema import metadata, upsert

KEEP_S = 86_400
"""Older buckets are forgotten: nodes are many, and come and go."""
COUNTS = ("good", "failed", "doubtful")

node_outcomes = Table(
    "node_outcomes",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("node", String(255), primary_key=True),
    Column("bucket", Integer, primary_key=True),
    *(Column(name, Integer, nullable=False) for name in COUNTS),
    Index("node_outcomes_by_time", "bucket"),
)


def add(connection: Connection, added: Sequence[NodeTally], now: float) -> None:
    """Add to the outcomes of nodes."""
    if not added:
        return
    statement = upsert(node_outcomes)
    sums = {name: node_outcomes.c[name] + statement.excluded[name] for name in COUNTS}
    rows = [
        {"site": each.site, "node": each.node, "bucket": each.bucket} | {name: getattr(each, name) for name in COUNTS}
        for each in added
    ]
    connection.execute(statement.on_conflict_do_update(index_elements=["site", "node", "bucket"], set_=sums), rows)
    connection.execute(delete(node_outcomes).where(node_outcomes.c.bucket < now - KEEP_S))


def failing(connection: Connection, since: float) -> dict[str, tuple[tuple[str, int, int], ...]]:
    """By site, the nodes where no job ended well since about `since`, each with what failed there and is doubtful."""
    failed, doubtful = func.sum(node_outcomes.c.failed), func.sum(node_outcomes.c.doubtful)
    query = (
        select(node_outcomes.c.site, node_outcomes.c.node, failed, doubtful)
        .where(node_outcomes.c.bucket > since - BUCKET_S)
        .group_by(node_outcomes.c.site, node_outcomes.c.node)
        .having(func.sum(node_outcomes.c.good) == 0)
        .order_by(node_outcomes.c.site, node_outcomes.c.node)
    )
    found: dict[str, tuple[tuple[str, int, int], ...]] = {}
    for site, node, of_site, of_user in connection.execute(query):
        found[site] = (*found.get(site, ()), (node, int(of_site), int(of_user)))
    return found
